"""Whole projects: out to one file, and into another project."""

from __future__ import annotations

from pathlib import Path

import click

from ..core.words import counted
from ._ending import if_interrupted
from ._progress import steps
from ._project import despite_lock_option, opened, project_argument


@click.command()
@project_argument
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
def export(project: Path, out: Path) -> None:
    """Write PROJECT to OUT, also while an engine has it open.

    OUT ending in .tms is a copy of the project; anything else a zip of label folders with their
    sounds and pictures, and a table of them.
    """
    from ..store import exchange

    def told() -> str:
        return f"{out} was written" if begun and out.exists() else "nothing was written"

    begun = not out.exists()  # else it is refused
    with if_interrupted(told), opened(project) as book:
        if out.suffix == ".tms":
            with steps("copying pages") as step:
                book.copy_to(out, step)
        else:
            with steps("exporting") as step:
                exchange.export(book, out, step)
        count = book.count()
    click.echo(f"{out}: {counted(count, 'example')}, {out.stat().st_size / 1e6:.1f} MB")


@click.command("import")
@click.argument("source", type=click.Path(path_type=Path))
@project_argument
@despite_lock_option
def import_(source: Path, project: Path, despite_lock: bool) -> None:
    """Add the examples of SOURCE (a project, or what export wrote) to PROJECT.

    It is one step, and can be undone.
    """
    from ..core.errors import InputError
    from ..store import exchange

    if not source.exists():
        raise InputError(f"{source}: there is no such file or folder")
    with (
        if_interrupted("nothing was added"),
        opened(project, create=True, despite_lock=despite_lock) as book,
    ):
        before = book.count()
        with steps("importing") as step:
            exchange.bring_in(source, book, progress=step)
        count = book.count()
    click.echo(f"{project}: {counted(count - before, 'example')} added, {count} in all")
