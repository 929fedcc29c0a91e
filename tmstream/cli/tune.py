"""Choose settings by measuring, and keep a room silent."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.words import counted
from ._ending import if_interrupted
from ._pipeline import needed
from ._progress import progress
from ._project import (
    despite_lock_option,
    json_option,
    must_be_taught,
    opened,
    project_argument,
)

if TYPE_CHECKING:
    from ..engine.registry import Registry
    from ..engine.spec import Pipeline
    from ..store.project import Project


@click.command()
@project_argument
@click.option("--pipeline", help="Whose head to tune: a YAML file or a shipped name.")
@click.option(
    "--room",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="A recording of the empty room and of the piece's own sound: stay silent.",
)
@click.option("--seconds", type=click.FloatRange(1, 600), help="The same, from the microphone now.")
@click.option(
    "--ambient",
    type=click.Path(path_type=Path),
    metavar="RECORDING",
    help="A recording in which at most --max-per-hour answers are wanted.",
)
@click.option("--max-per-hour", type=click.FloatRange(0), default=0.0, show_default=True)
@despite_lock_option
@json_option
def tune(
    project: Path, pipeline: str | None, room: Path | None, seconds: float | None,
    ambient: Path | None, max_per_hour: float, despite_lock: bool, as_json: bool,
) -> int:  # fmt: skip
    """Choose PROJECT's settings by measuring on people and takes that did not teach.

    Says what it gained. What it sets is kept with the project and can be undone.
    """
    from ..engine.registry import Registry
    from ..engine.settings import with_journal

    registry = Registry.installed()
    # What an evening's recording is measured for are faders, which a show may move.
    evening = ambient is not None and ambient.is_dir()
    with ExitStack() as stack:
        stack.enter_context(if_interrupted("nothing was changed"))
        book = stack.enter_context(opened(project, despite_lock=despite_lock or evening))
        must_be_taught(book)
        read = with_journal(needed(pipeline, book), registry, book)
        if seconds is not None:
            from ._listen import recorded

            invitation = "the room: do not make any of your sounds"
            room = stack.enter_context(recorded(seconds, invitation))
        if ambient is not None and evening:
            return _keep_quiet(book, read, registry, ambient, max_per_hour, as_json)
        recording = room or ambient
        if recording is None:
            return _search(book, read, as_json)
        per_hour = 0.0 if room is not None else max_per_hour
        return _silence(book, read, registry, recording, per_hour, as_json)


def _search(book: Project, read: Pipeline, as_json: bool) -> int:
    """Try the grid, and keep what is convincingly better."""
    import msgspec

    from ..lab.tune import GRID, search

    with progress("trying", len(GRID["k"]) * len(GRID["strictness"])) as done:
        tuned = search(book, read, done)
    if as_json:
        click.echo(msgspec.json.encode(tuned))
    elif tuned.after == tuned.before and not tuned.dropped:
        click.echo(
            f"nothing better than {_said(tuned.before)} (score {tuned.score_before:.3f}); "
            "nothing was changed"
        )
    else:
        dropped = (
            f", without {counted(tuned.dropped, 'augmented example')}" if tuned.dropped else ""
        )
        click.echo(
            f"{_said(tuned.before)} -> {_said(tuned.after)}{dropped}: score "
            f"{tuned.score_before:.3f} -> {tuned.score_after:.3f} (tmstream undo takes it back)"
        )
    return 0


def _silence(
    book: Project,
    read: Pipeline,
    registry: Registry,
    recording: Path,
    per_hour: float,
    as_json: bool,
) -> int:
    """Teach that a recording is none of the labels, but for so many answers an hour."""
    import msgspec

    from ..lab.sample import Sample, kind_of
    from ..lab.tune import silence

    hours = _hours(recording)
    most = int(per_hour * hours)
    sample = Sample(recording, str(recording), kind_of(recording) or "sound")
    told = silence(book, read, registry, sample, most=most)
    if as_json:
        click.echo(msgspec.json.encode(told))
    elif not told.triggers_before:
        click.echo(f"it stays silent for these {hours * 3600:.0f} s already; nothing was changed")
    else:
        click.echo(
            f"answers in {hours * 3600:.0f} s: {told.triggers_before} -> {told.triggers_after}; "
            f"{counted(told.negatives, 'example')} of what is not meant, "
            f"strictness {told.strictness:g} (tmstream undo takes it back)"
        )
    if told.triggers_after > most:
        click.echo("error: it still answers; teach that sound as a label of its own", err=True)
        return 1
    return 0


def _keep_quiet(
    book: Project, read: Pipeline, registry: Registry, folder: Path, most: float, as_json: bool
) -> int:
    """Set strictness and cooldown so that a recorded evening keeps the bound."""
    import msgspec

    from ..core.services import Commands
    from ..engine.settings import PREFIX
    from ..lab.ambient import ambient
    from ..store.recording import Recording

    services = [Commands(), book]
    told = ambient(read, Recording.open(folder), registry, services, max_per_hour=most)
    book.set_settings({PREFIX + key: value for key, value in told.chosen.settings.items()})
    if as_json:
        click.echo(msgspec.json.encode(told))
    else:
        for line in told.lines(most):
            click.echo(line)
        click.echo("set; tmstream undo takes it back")
    return 0 if told.enough else 1


def _said(settings: dict[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(settings.items()))


def _hours(recording: Path) -> float:
    from ..core.errors import InputError

    try:
        import soundfile

        return float(soundfile.info(recording).duration) / 3600
    except (OSError, RuntimeError) as error:
        raise InputError(f"{recording}: cannot be decoded") from error
