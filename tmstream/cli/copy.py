"""Whole projects: out to one plain file, and into another project."""

from __future__ import annotations

from pathlib import Path

import click

from ._project import opened, project_argument


@click.command()
@project_argument
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
def export(project: Path, out: Path) -> None:
    """Write a copy of PROJECT to OUT as one plain file, also while an engine has it open."""
    if out.exists():
        raise click.UsageError(f"{out} is already there; choose another name")
    with opened(project) as book:
        book.copy_to(out)
        click.echo(f"{out}: {len(book.examples())} examples, {out.stat().st_size / 1e6:.1f} MB")


@click.command("import")
@click.argument("source", type=click.Path(path_type=Path, dir_okay=False))
@project_argument
def import_(source: Path, project: Path) -> None:
    """Add the examples of the project SOURCE to PROJECT, as one step that can be undone."""
    from ..lab.merge import merge

    if source.absolute() == project.absolute():
        raise click.UsageError("a project cannot be imported into itself")
    with opened(source) as giver, opened(project, create=True) as taker:
        added, known = merge(giver, taker)
    click.echo(f"{project}: {added} examples added" + (f", {known} already there" if known else ""))
