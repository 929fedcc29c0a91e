"""Undo, redo and named states."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from ..core.words import counted
from ._project import despite_lock_option, json_option, opened, project_argument


@click.command()
@project_argument
@click.option("--steps", type=click.IntRange(1), default=1, help="How many changes to take back.")
@despite_lock_option
def undo(project: Path, steps: int, despite_lock: bool) -> None:
    """Take back the last change of PROJECT, also one made before a restart."""
    with opened(project, despite_lock=despite_lock) as book:
        for _ in range(steps):
            click.echo(f"undone: {book.undo()}")


@click.command()
@project_argument
@click.option("--steps", type=click.IntRange(1), default=1, help="How many changes to make again.")
@despite_lock_option
def redo(project: Path, steps: int, despite_lock: bool) -> None:
    """Make a change of PROJECT again that was taken back."""
    with opened(project, despite_lock=despite_lock) as book:
        for _ in range(steps):
            click.echo(f"done again: {book.redo()}")


@click.command()
@project_argument
@click.argument("name")
def snapshot(project: Path, name: str) -> None:
    """Give the present state of PROJECT the name NAME, to return to with restore."""
    with opened(project) as book:
        book.snapshot(name)
        click.echo(f"snapshot {name!r} of {counted(book.count(), 'example')}")


@click.command()
@project_argument
@click.argument("name")
@despite_lock_option
def restore(project: Path, name: str, despite_lock: bool) -> None:
    """Return PROJECT to the state called NAME; this can be undone like any change."""
    from ..core.errors import InputError

    with opened(project, despite_lock=despite_lock) as book:
        try:
            book.restore(name)
        except InputError as error:
            known = ", ".join(one.name for one in book.snapshots())
            raise InputError(f"{error}; there are: {known or 'none'}") from error
        click.echo(f"restored {name!r}: {counted(book.count(), 'example')}")


@click.command()
@project_argument
@json_option
def snapshots(project: Path, as_json: bool) -> None:
    """List the named states of PROJECT."""
    import msgspec

    with opened(project) as book:
        kept = book.snapshots()
    if as_json:
        click.echo(msgspec.json.encode(kept))
        return
    for one in kept:
        when = datetime.fromtimestamp(one.created_us / 1e6).astimezone()
        click.echo(f"{when:%Y-%m-%d %H:%M}  {one.name}")
    if not kept:
        click.echo(f"no snapshot yet; make one with: tmstream snapshot {project} NAME")
