"""What a project holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.words import counted
from ._project import json_option, opened, project_argument

if TYPE_CHECKING:
    from ..store.project import Example


@click.command()
@project_argument
@json_option
def info(project: Path, as_json: bool) -> None:
    """Say what PROJECT holds: labels, examples, people, spaces, settings."""
    import msgspec

    with opened(project) as book:
        found = book.info()
        rows = book.examples()
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    click.echo(f"{found['path']}")
    for label in sorted({row.label for row in rows}):
        click.echo(f"  {label}: {_taught([row for row in rows if row.label == label])}")
    if not rows:
        click.echo("  no example yet; teach with: tmstream teach PROJECT FOLDER")
    for name, value in found.items():
        if name not in ("path", "labels", "examples", "created", "read_only", "version"):
            click.echo(f"  {name.replace('_', ' ')}: {_plain(value)}")


def _taught(rows: Sequence[Example]) -> str:
    own = [row for row in rows if not row.negative]
    parts = [f"{counted(len(own), 'example')} in {counted(len({row.take for row in own}), 'take')}"]
    people = {row.person for row in own if row.person}
    parts += [f"{len(people)} people"] * (len(people) > 1)
    parts += [f"{len(rows) - len(own)} of what it is not"] * (len(own) < len(rows))
    return ", ".join(parts)


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(one)}" for key, one in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)
