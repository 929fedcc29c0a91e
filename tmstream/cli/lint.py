"""Find what is wrong with the examples."""

from __future__ import annotations

from pathlib import Path

import click

from ._progress import steps
from ._project import json_option, opened, project_argument


@click.command()
@project_argument
@json_option
def lint(project: Path, as_json: bool) -> None:
    """Find what is wrong with PROJECT's examples, with a remedy each.

    Duplicates, likely mislabels, silent or clipped takes, half-seen bodies, imbalance, one person
    only, labels that overlap.
    """
    import msgspec

    from ..lab.lint import lint as find

    with opened(project) as book, steps("judging") as step:
        findings = find(book, progress=step)
    if as_json:
        click.echo(msgspec.json.encode(findings))
        return
    for one in findings:
        click.echo(f"{one.kind}: {one.what}: {one.remedy}")
    click.echo(
        f"{len(findings)} finding{'s' * (len(findings) != 1)}" if findings else "nothing to mend"
    )
