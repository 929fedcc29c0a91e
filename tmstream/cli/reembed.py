"""Make the examples' vectors again from their clips."""

from __future__ import annotations

from pathlib import Path

import click

from ..core.words import counted
from ._ending import if_interrupted
from ._pipeline import needed
from ._progress import progress
from ._project import despite_lock_option, must_be_taught, opened, project_argument

KEPT = "what was done is kept; the same command goes on where it was"


@click.command()
@project_argument
@click.option("--pipeline", help="Which embedders: a YAML file or a shipped name.")
@despite_lock_option
def reembed(project: Path, pipeline: str | None, despite_lock: bool) -> int:
    """Make the vectors of PROJECT again from the kept clips, when an embedder has changed.

    It can be stopped and goes on where it was; one step to undo for each space.
    """
    from ..engine.registry import Registry
    from ..lab import choice
    from ..lab.reembed import reembed as remake

    with if_interrupted(KEPT), opened(project, despite_lock=despite_lock) as book:
        must_be_taught(book)
        read = needed(pipeline, book)
        settings = {choice.SETTING: choice.name_of(book, read)} if pipeline else {}
        with progress("embedding", book.count()) as done:
            told = remake(book, read, Registry.installed(), done, settings=settings)
    for space, one in told.items():
        lost = f", {one.lost} left out (no clip, or nothing found in it)" if one.lost else ""
        click.echo(f"{space}: {counted(one.done, 'example')} embedded again{lost}")
    return 0
