"""What the commands on a project share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.errors import InputError

if TYPE_CHECKING:
    from ..engine.registry import Registry
    from ..engine.spec import Pipeline
    from ..store.project import Project

project_argument = click.argument(
    "project", type=click.Path(path_type=Path, dir_okay=False), metavar="PROJECT"
)
despite_lock_option = click.option(
    "--despite-lock", is_flag=True, help="Also while teaching is locked for a show."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")


@contextmanager
def opened(path: Path, *, create: bool = False, despite_lock: bool = True) -> Iterator[Project]:
    """Hold a project open; one made by this command is not left behind empty.

    An engine that has it open sees every change within a second: it watches the file. What changes
    what is taught opens it without ``despite_lock``, unless the user says so.

    Raises:
        InputError: it is locked for a show.
        StoreError: it cannot be opened.
    """
    from ..store.project import Project

    project = Project.open(path, create=create)
    try:
        for line in project.notices:
            click.echo(f"note: {line}", err=True)
        if not despite_lock and project.setting("locked"):
            raise InputError(
                f"{project.path}: teaching is locked for the show; unlock it in the studio "
                "(tmstream open), or say --despite-lock"
            )
        if not despite_lock:
            project.heed_lock()  # a show may begin before this ends
        yield project
    finally:
        empty = project.created and not project.examples()
        project.close()
        if empty:
            path.unlink(missing_ok=True)


def how_to_teach(project: Path) -> str:
    """Return the command to type when too little, or nothing, was taught."""
    return f"tmstream teach {project} FOLDER (or record in the studio: tmstream open)"


def must_be_taught(project: Project) -> None:
    """Raise `InputError` when nothing was taught, saying how that is done."""
    if not project.labels():
        raise InputError(f"{project.path}: nothing was taught yet; {how_to_teach(project.path)}")


def tell_foreign(project: Project, pipeline: Pipeline, registry: Registry) -> None:
    """Say which examples another embedder made: what is said of them now means little."""
    from ..lab.foreign import foreign

    for space in foreign(project, pipeline, registry):
        click.echo(
            f"note: the examples of {space!r} were made by another embedder; "
            f"run: tmstream reembed {project.path}",
            err=True,
        )
