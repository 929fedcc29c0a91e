"""Let a recorded evening happen once more."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.words import counted
from ._house import Wishes, run_pipeline
from ._pipeline import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..core.packet import Event, Packet
    from ..engine.spec import Pipeline
    from ..store.recording import Recording


@click.command()
@click.argument("recording", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--speed", type=click.FloatRange(0), metavar="N",
    help="1: as it was (the default without --print). 0: as fast as it goes.",
)  # fmt: skip
@click.option("--pipeline", "name", metavar="PIPELINE", help="Judge other settings by it.")
@click.option("--project", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
@click.option(
    "--sketch", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER",
    help="Serve your own sketch at /sketch/.",
)  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--print", "prints", is_flag=True, help="Print each message as a line of JSON.")
@click.option("--no-browser", is_flag=True, help="Do not open the studio.")
@click.pass_context
def replay(
    ctx: click.Context,
    recording: Path,
    speed: float | None,
    name: str | None,
    project: Path | None,
    sketch: Path | None,
    port: int | None,
    prints: bool,
    no_browser: bool,
) -> None:
    """Replay what a recorder node kept.

    RECORDING is its folder (then the newest session in it is taken) or one session. The messages
    are the same every time. With --pipeline, and without --print, it says which events those
    settings would have added or lost: "what would they have done yesterday?"
    """
    from ..engine.registry import Registry
    from ..lab.replay import fed_by, made_by
    from ..store.recording import Recording

    tape = Recording.open(recording)
    registry = Registry.installed()
    pipeline = made_by(tape) if name is None else load(name)
    if project is not None:
        pipeline = replace(pipeline, project=project)
    if name is not None and not prints:
        _judge(tape, pipeline)
        status = 0
    else:
        pace = (0.0 if prints else 1.0) if speed is None else speed
        fed = fed_by(pipeline, tape, registry, speed=pace)
        wishes = Wishes(prints=prints, browser=not no_browser, port=port, sketch=sketch)
        status = run_pipeline(fed, wishes)
    _notes(tape)
    ctx.exit(status)


def _judge(tape: Recording, pipeline: Pipeline) -> None:
    from ..engine.registry import Registry
    from ..lab.replay import difference, events_of, made_by, recorded_events

    registry = Registry.installed()
    before: list[Packet[Event]] = recorded_events(tape)
    said = "said then"
    if not before:
        with _services(made_by(tape)) as (then, services):
            before = events_of(then, tape, registry, services)
        said = "the recorded pipeline says now"
    with _services(pipeline) as (now, services):
        after = events_of(now, tape, registry, services)
    for line in difference(before, after).lines():
        click.echo(line)
    click.echo(
        f"{counted(len(before), 'event')} {said}, {len(after)} with {pipeline.path}", err=True
    )


@contextlib.contextmanager
def _services(pipeline: Pipeline) -> Iterator[tuple[Pipeline, list[object]]]:
    """Yield the pipeline as its project sets it, and its services; the project is only read."""
    from ..core.services import Commands
    from ..engine.registry import Registry
    from ..engine.settings import with_journal
    from ..store.history import History
    from ..store.project import Project

    services: list[object] = [Commands(), History(private=True)]
    if pipeline.project is None:
        yield pipeline, services
        return
    with Project.open(pipeline.project, read_only=True) as project:
        yield with_journal(pipeline, Registry.installed(), project), [*services, project]


def _notes(tape: Recording) -> None:
    for notice in tape.notices:
        click.echo(f"note: {notice}", err=True)
