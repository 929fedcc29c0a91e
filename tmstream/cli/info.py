"""What a project holds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from ._project import json_option, opened, project_argument


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
    takes: dict[str, set[str]] = {}
    people: dict[str, set[str]] = {}
    for row in rows:
        takes.setdefault(row.label, set()).add(row.take)
        people.setdefault(row.label, set()).add(row.person or "?")
    counts = Counter(row.label for row in rows)
    for label, count in sorted(counts.items()):
        persons = len(people[label] - {"?"})
        by = f", {persons} people" if persons > 1 else ""
        click.echo(f"  {label}: {count} examples in {len(takes[label])} takes{by}")
    if not counts:
        click.echo("  no example yet; teach with: tmstream teach PROJECT FOLDER")
    for name, value in found.items():
        if name not in ("path", "labels", "examples", "created", "read_only", "version"):
            click.echo(f"  {name.replace('_', ' ')}: {_plain(value)}")


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(one)}" for key, one in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)
