"""Teach from a folder, a table, or the microphone."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._pipeline import load
from ._progress import progress
from ._project import json_option, opened, project_argument
from ._vary import room_option

#: Skipped files that are named one by one.
NAMED = 12

if TYPE_CHECKING:
    from ..lab.embedder import Heard
    from ..lab.lint import Finding
    from ..lab.teach import Tally


@click.command()
@project_argument
@click.argument("folder", required=False, type=click.Path(path_type=Path, exists=True))
@click.option("--mic", metavar="LABEL", help="Teach LABEL from the microphone.")
@click.option("--pipeline", help="Which embedders: a YAML file or a shipped name.")
@click.option(
    "--labels",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="CSV",
    help="Columns file,label and optionally start,end, person, take ...",
)
@click.option("--group", "groups", multiple=True, metavar="COLUMN", help="Keep this column too.")
@click.option("--limit-per-label", type=click.IntRange(1), metavar="N")
@click.option("--person", help="Who is heard or seen.")
@click.option(
    "--augment", is_flag=True, help="Teach variants too: noise, pitch, tempo; turned, darker."
)
@click.option(
    "--augment-label", "augmented", multiple=True, metavar="LABEL", help="Variants of LABEL only."
)
@room_option
@click.option(
    "--seconds",
    type=click.FloatRange(1, 120),
    default=8.0,
    show_default=True,
    help="How long to listen with --mic.",
)
@json_option
def teach(
    project: Path, folder: Path | None, mic: str | None, pipeline: str | None,
    labels: Path | None, groups: tuple[str, ...], limit_per_label: int | None,
    person: str | None, augment: bool, augmented: tuple[str, ...], room: Path | None,
    seconds: float, as_json: bool,
) -> int:  # fmt: skip
    """Teach PROJECT (made when missing) from FOLDER.

    FOLDER holds one folder a label (clap/*.wav, t_pose/*.jpg), or is itself a table whose rows are
    landmarks. With --labels, a table names the samples. With --mic, you make the sounds.
    """
    from ..engine.registry import Registry
    from ..lab import choice
    from ..lab.augment import room_of
    from ..lab.lint import taught_silences
    from ..lab.pool import Pool
    from ..lab.samples import find
    from ..lab.teach import teach as teach_samples
    from ..lab.teach import workload
    from ..store.records import checked_text
    from ._vary import tell, varied

    if mic is not None:
        from ._listen import teach_from_microphone

        return teach_from_microphone(project, mic, pipeline, person, seconds)
    if folder is None and labels is None:
        raise click.UsageError("say what to teach from: FOLDER, --labels CSV, or --mic LABEL")
    samples = find([folder] if folder else [], labels, groups)
    labelled = [sample for sample in samples if sample.label is not None]
    if not labelled:
        where = labels or folder
        click.echo(f"error: {where}: no sample with a label (one folder a label, or a column "
                   "'label')", err=True)  # fmt: skip
        return 1
    if unknown := set(augmented) - {sample.label for sample in labelled}:
        raise click.UsageError(f"--augment-label: no sample has the label {min(unknown)!r}")
    if room is not None and not (augment or augmented):
        raise click.UsageError("--room is for variants: say --augment as well")
    noise = room_of(room) if room is not None else None
    wanted = load(pipeline) if pipeline else None
    with opened(project, create=True) as book:
        read = wanted or choice.of_project(book) or choice.fitting(labelled)
        work, batch = workload(labelled, limit=limit_per_label), uuid.uuid4().hex
        skipped: list[str] = []
        with Pool(read, Registry.installed()) as pool:
            with progress("teaching", work) as done:

                def report(heard: Heard) -> None:
                    done()
                    if not heard.embeddings:
                        skipped.append(f"{heard.sample}: {heard.why}")

                tallies = teach_samples(
                    book, pool, labelled, person=person, limit=limit_per_label, report=report,
                    batch=batch, settings={choice.SETTING: choice.name_of(book, read)},
                )  # fmt: skip
            # As the project writes them: names of folders may be composed otherwise.
            written = {
                checked_text(label, "label"): label
                for label in tallies
                if augment or label in augmented
            }
            made = varied(book, pool, read, written.keys() & set(book.labels()), noise, batch=batch)
            for label, one in made.items():
                tallies[written[label]].variants = one.variants
        path, total = book.path, len(book.examples())
        silences = taught_silences(book.examples())
    if as_json:
        _print_json(tallies)
    else:
        for label, tally in sorted(tallies.items()):
            click.echo(f"{label}: {_said(tally)}")
        tell(made)
        if total:
            click.echo(f"{path}: {total} examples (pipeline {read.path.name})")
    _advise(skipped, silences)
    useful = any(tally.taken or tally.known for tally in tallies.values())
    if not useful:
        click.echo("error: nothing could be taken", err=True)
    return 0 if useful else 1


def _advise(skipped: list[str], silences: list[Finding]) -> None:
    """Tell what was passed over, and which takes had better not have been taught."""
    for line in skipped[:NAMED]:
        click.echo(f"skipped: {line}", err=True)
    if len(skipped) > NAMED:
        click.echo(f"skipped: and {len(skipped) - NAMED} more", err=True)
    for one in silences:
        click.echo(f"advice: {one.what}: {one.remedy}", err=True)


def _said(tally: Tally) -> str:
    """Return what became of a label's samples, in words."""
    parts = [f"{tally.taken} taken ({tally.examples} examples)"]
    if tally.known:
        parts.append(f"{tally.known} skipped: taught before")
    parts += [f"{count} skipped: {why}" for why, count in tally.skipped.most_common()]
    if tally.left:
        parts.append(f"{tally.left} beyond the limit")
    parts += [f"{count} with {why}" for why, count in tally.notes.most_common()]
    return ", ".join(parts)


def _print_json(tallies: dict[str, Tally]) -> None:
    import msgspec

    sys.stdout.buffer.write(msgspec.json.encode(tallies) + b"\n")
