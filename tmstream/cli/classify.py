"""Say what is in files."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.words import counted
from ._pipeline import needed
from ._progress import progress
from ._project import (
    how_to_teach,
    json_option,
    opened,
    project_argument,
    tell_foreign,
)

if TYPE_CHECKING:
    from ..lab.classify import Answer


@click.command()
@project_argument
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="PATH...")
@click.option("--pipeline", help="Which embedders: a YAML file or a shipped name.")
@click.option(
    "--labels",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="CSV",
    help="A table that names the samples, as for teach.",
)
@json_option
def classify(
    project: Path, paths: tuple[Path, ...], pipeline: str | None, labels: Path | None,
    as_json: bool,
) -> int:  # fmt: skip
    """Say what PROJECT makes of each PATH: files, folders of files, tables of landmarks.

    Ends with 1 when a sample could not be decoded, after all the others were answered.
    """
    import msgspec

    from ..core.errors import InputError
    from ..engine.registry import Registry
    from ..engine.settings import with_journal
    from ..lab.classify import classify as classify_samples
    from ..lab.samples import find

    if not paths and labels is None:
        raise click.UsageError("say what to classify: PATH ..., or --labels CSV")
    samples = find(paths, labels)
    if not samples:
        raise InputError(f"{labels or paths[0]}: nothing in it to classify")
    registry = Registry.installed()
    failed = 0
    with ExitStack() as stack:
        book = stack.enter_context(opened(project))
        read = with_journal(needed(pipeline, book), registry, book)
        if not book.labels():
            click.echo(f"note: nothing was taught yet; {how_to_teach(book.path)}", err=True)
        tell_foreign(book, read, registry)
        done = stack.enter_context(progress("listening", len(samples))) if not as_json else _nothing
        for answer in classify_samples(book, read, registry, samples, report=done):
            failed += answer.rejected == "cannot_decode"
            click.echo(msgspec.json.encode(answer) if as_json else _said(answer))
    if failed:
        click.echo(
            f"error: {failed} of {counted(len(samples), 'sample')} could not be decoded", err=True
        )
    return 1 if failed else 0


def _nothing(_: object) -> None:
    """Show no bar: lines of JSON are the progress."""


def _said(answer: Answer) -> str:
    where = answer.file
    if isinstance(answer.start, float):
        where += f" @ {answer.start:g} s"
    if isinstance(answer.row, int):
        where += f":{answer.row}"
    if answer.label is not None:
        return f"{where}: {answer.label} ({answer.confidence:.2f})"
    from ..lab.embedder import SAID

    why = SAID.get(answer.rejected or "", answer.rejected)
    if answer.rejected == "cannot_decode" and isinstance(answer.note, str):
        why = answer.note
    best = f", nearest {answer.results[0].label}" if answer.results else ""
    return f"{where}: none ({why}{best})"
