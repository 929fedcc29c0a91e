"""Teach from a folder, a table, or the microphone."""

from __future__ import annotations

import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.words import counted
from ._ending import if_interrupted
from ._pipeline import load
from ._progress import progress
from ._project import despite_lock_option, json_option, opened, project_argument
from ._vary import room_option

#: Skipped files that are named one by one.
NAMED = 12

KEPT = "the same command goes on with the rest, undo takes them back"

if TYPE_CHECKING:
    from ..engine.spec import Pipeline
    from ..lab.embedder import Heard
    from ..lab.sample import Sample, Sound
    from ..lab.teach import Tally
    from ..lab.vary import Varied
    from ..store.project import Example, Project


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
@despite_lock_option
@json_option
def teach(
    project: Path, folder: Path | None, mic: str | None, pipeline: str | None,
    labels: Path | None, groups: tuple[str, ...], limit_per_label: int | None,
    person: str | None, augment: bool, augmented: tuple[str, ...], room: Path | None,
    seconds: float, despite_lock: bool, as_json: bool,
) -> int:  # fmt: skip
    """Teach PROJECT (made when missing) from FOLDER.

    FOLDER holds one folder a label (clap/*.wav, t_pose/*.jpg), or is itself a table whose rows are
    landmarks. With --labels, a table names the samples. With --mic, you make the sounds.
    """
    from ..lab import choice

    if mic is not None:
        from ._listen import teach_from_microphone

        return teach_from_microphone(project, mic, pipeline, person, seconds, despite_lock)
    samples = _labelled(folder, labels, groups)
    vary = _wanted_variants({one.label or "" for one in samples}, augment, augmented, room)
    wanted = load(pipeline) if pipeline else None
    with opened(project, create=True, despite_lock=despite_lock) as book:
        read = wanted or choice.of_project(book) or choice.fitting(samples)
        told = _taught(book, read, samples, person, limit_per_label, vary)
        path, examples = book.path, book.examples()
    if as_json:
        _print_json(told.tallies)
    else:
        _say(told)
        if examples:
            click.echo(f"{path}: {counted(len(examples), 'example')} (pipeline {read.path.name})")
    _advise(told.skipped, examples)
    if any(tally.taken or tally.known for tally in told.tallies.values()):
        return 0
    click.echo("error: nothing could be taken", err=True)
    return 1


@dataclass(frozen=True)
class _Told:
    """What became of the samples, and of the variants asked for, by label."""

    tallies: dict[str, Tally]
    variants: dict[str, Varied]
    skipped: list[str]  #: which samples, and why


@dataclass(frozen=True)
class _Variants:
    """Which labels are to be taught variants as well, as their folders are called."""

    labels: frozenset[str] = frozenset()
    room: Sound | None = None


def _labelled(folder: Path | None, table: Path | None, groups: tuple[str, ...]) -> list[Sample]:
    """Return the samples that have a label; at least one."""
    from ..core.errors import InputError
    from ..lab.samples import find

    if folder is None and table is None:
        raise click.UsageError("say what to teach from: FOLDER, --labels CSV, or --mic LABEL")
    samples = find([folder] if folder else [], table, groups)
    labelled = [sample for sample in samples if sample.label is not None]
    if not labelled:
        raise InputError(
            f"{table or folder}: no sample with a label (one folder a label, or a column 'label')"
        )
    return labelled


def _wanted_variants(
    there: set[str], every: bool, some: tuple[str, ...], room: Path | None
) -> _Variants:
    from ..lab.augment import room_of

    if unknown := set(some) - there:
        raise click.UsageError(f"--augment-label: no sample has the label {min(unknown)!r}")
    if room is not None and not (every or some):
        raise click.UsageError("--room is for variants: say --augment as well")
    return _Variants(frozenset(there if every else some), room_of(room) if room else None)


def _taught(
    book: Project, read: Pipeline, samples: list[Sample], person: str | None, limit: int | None,
    vary: _Variants,
) -> _Told:  # fmt: skip
    """Teach samples under a bar, then variants of them; all of it is one step to undo."""
    from ..engine.registry import Registry
    from ..lab import choice
    from ..lab.pool import Pool
    from ..lab.teach import teach as teach_samples
    from ..lab.teach import workload
    from ..store.records import checked_text
    from ._vary import varied

    skipped: list[str] = []
    batch, before = uuid.uuid4().hex, book.count()

    def kept() -> str:
        return f"kept so far: {counted(book.count() - before, 'example')}; {KEPT}"

    with if_interrupted(kept), Pool(read, Registry.installed()) as pool:
        pool.check(samples)
        with progress("teaching", workload(samples, limit=limit)) as done:

            def report(heard: Heard) -> None:
                done()
                if not heard.embeddings:
                    skipped.append(f"{heard.sample}: {heard.why}")

            tallies = teach_samples(
                book, pool, samples, person=person, limit=limit, report=report, batch=batch,
                settings={choice.SETTING: choice.name_of(book, read)},
            )  # fmt: skip
        # As the project writes them: names of folders may be composed otherwise.
        written = {checked_text(label, "label"): label for label in tallies if label in vary.labels}
        made = varied(book, pool, read, written.keys() & set(book.labels()), vary.room, batch=batch)
    for label, one in made.items():
        tallies[written[label]].variants = one.variants
    return _Told(tallies, made, skipped)


def _say(told: _Told) -> None:
    from ._vary import tell

    for label, tally in sorted(told.tallies.items()):
        click.echo(f"{label}: {_said(tally)}")
    tell(told.variants)


def _advise(skipped: list[str], examples: list[Example]) -> None:
    """Tell what was passed over, and which takes had better not have been taught."""
    from ..lab.lint import taught_silences

    for line in skipped[:NAMED]:
        click.echo(f"skipped: {line}", err=True)
    if len(skipped) > NAMED:
        click.echo(f"skipped: and {len(skipped) - NAMED} more", err=True)
    for one in taught_silences(examples):
        click.echo(f"advice: {one.what}: {one.remedy}", err=True)


def _said(tally: Tally) -> str:
    """Return what became of a label's samples, in words."""
    parts = [f"{tally.taken} taken ({counted(tally.examples, 'example')})"]
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
