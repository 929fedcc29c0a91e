"""Remove a person, a label or a time for good."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click

from ..core.errors import InputError
from ._ending import if_interrupted
from ._project import opened, project_argument

BEGUN = "what was begun is carried through; erase once more to see that nothing is left"


@click.command()
@project_argument
@click.option("--person", help="Everything taught by this person.")
@click.option("--label", help="Everything taught as this label.")
@click.option("--before", type=click.DateTime(), help="Everything taught before this local time.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(
    project: Path, person: str | None, label: str | None, before: datetime | None, yes: bool
) -> None:
    """Remove a person, a label or a time from PROJECT for good.

    Goes through examples, clips, journal, snapshots and backups. This cannot be undone.
    """
    if sum(one is not None for one in (person, label, before)) != 1:
        raise click.UsageError("say what to erase: one of --person, --label, --before")
    if not yes and not sys.stdin.isatty():
        raise InputError("nobody is here to confirm it; it cannot be undone; with --yes it is done")
    if not yes:
        click.confirm("This cannot be undone. Erase?", abort=True, err=True)
    before_us = None if before is None else round(before.astimezone().timestamp() * 1e6)
    with if_interrupted(BEGUN), opened(project) as book:
        removed = book.erase(person=person, label=label, before_us=before_us)
        known = {one.label if person is None else one.person or "" for one in book.examples()}
    said = ", ".join(
        f"{count} {name.replace('_', ' ')}" for name, count in removed.items() if count
    )
    click.echo(f"erased: {said or 'nothing'}")
    if not removed["examples"] and before is None:
        what = "was taught as" if label is not None else "was taught by"
        click.echo(f"note: nothing {what} {label or person!r}; there are: "
                   f"{', '.join(sorted(known - {''})) or 'none'}", err=True)  # fmt: skip
