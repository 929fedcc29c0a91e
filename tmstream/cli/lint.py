"""Find what is wrong with the examples."""

from __future__ import annotations

from pathlib import Path

import click

from ..core.words import counted
from ._progress import steps
from ._project import how_to_teach, json_option, must_be_taught, opened, project_argument

#: Findings that more takes mend.
LACKING = {"few", "unbalanced", "overlap", "one label", "one person"}


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
        must_be_taught(book)
        findings = find(book, progress=step)
    if as_json:
        click.echo(msgspec.json.encode(findings))
        return
    for one in findings:
        click.echo(f"{one.kind}: {one.what}: {one.remedy}")
    click.echo(counted(len(findings), "finding") if findings else "nothing to mend")
    if {one.kind for one in findings} & LACKING:
        click.echo(f"teach more with: {how_to_teach(project)}", err=True)
