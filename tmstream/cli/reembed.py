"""Make the examples' vectors again from their clips."""

from __future__ import annotations

from pathlib import Path

import click

from ._pipeline import chosen
from ._progress import progress
from ._project import opened, project_argument


@click.command()
@project_argument
@click.option("--pipeline", help="Which embedders: a YAML file or a shipped name.")
def reembed(project: Path, pipeline: str | None) -> int:
    """Make the vectors of PROJECT again from the kept clips, when an embedder has changed.

    It can be stopped and goes on where it was; one step to undo for each space.
    """
    from ..core.errors import InputError
    from ..engine.registry import Registry
    from ..lab import choice
    from ..lab.reembed import reembed as remake

    with opened(project) as book:
        read = chosen(pipeline, book)
        total = len(book.examples())
        if read is None or not total:
            raise InputError(f"{book.path}: nothing to embed again" + ("; give --pipeline" * (
                read is None)))  # fmt: skip
        with progress("embedding", total) as done:
            told = remake(book, read, Registry.installed(), done)
        if pipeline:
            book.set_settings({choice.SETTING: choice.name_of(book, read)})
    for space, one in told.items():
        lost = f", {one.lost} left out (no clip, or nothing found in it)" if one.lost else ""
        click.echo(f"{space}: {one.done} examples embedded again{lost}")
    return 0
