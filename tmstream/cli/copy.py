"""Whole projects: out to one file, and into another project."""

from __future__ import annotations

from pathlib import Path

import click

from ._project import opened, project_argument


@click.command()
@project_argument
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
def export(project: Path, out: Path) -> None:
    """Write PROJECT to OUT, also while an engine has it open.

    OUT ending in .tms is a copy of the project; anything else a zip of label folders with their
    sounds and pictures, and a table of them.
    """
    from ..store import exchange

    with opened(project) as book:
        if out.suffix == ".tms":
            book.copy_to(out)
        else:
            exchange.export(book, out)
        count = len(book.examples())
    click.echo(f"{out}: {count} examples, {out.stat().st_size / 1e6:.1f} MB")


@click.command("import")
@click.argument("source", type=click.Path(path_type=Path))
@project_argument
def import_(source: Path, project: Path) -> None:
    """Add the examples of SOURCE (a project, or what export wrote) to PROJECT.

    It is one step, and can be undone.
    """
    from ..core.errors import InputError
    from ..store import exchange

    if not source.exists():
        raise InputError(f"{source}: there is no such file or folder")
    with opened(project, create=True) as book:
        before = len(book.examples())
        exchange.bring_in(source, book)
        count = len(book.examples())
    click.echo(f"{project}: {count - before} examples added, {count} in all")
