"""Judge a project on people and takes it was not taught."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..core.words import counted
from ._progress import steps
from ._project import (
    how_to_teach,
    json_option,
    must_be_taught,
    opened,
    project_argument,
    tell_foreign,
)


@click.command()
@project_argument
@click.option("--group", metavar="COLUMN", help="What is never split (default: the person, else "
              "the take).")  # fmt: skip
@click.option("--picture", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.png",
              help="Draw the confusion matrices.")  # fmt: skip
@json_option
def evaluate(project: Path, group: str | None, picture: Path | None, as_json: bool) -> int:
    """Judge PROJECT: every person (or take) is asked about by the examples of the others.

    Says what is confused with what, what is turned away, how well strangers are told, and what to
    teach next.
    """
    import msgspec

    from ..core.errors import InputError
    from ..engine.registry import Registry
    from ..engine.settings import with_journal
    from ..head.judge import judge
    from ..lab import choice
    from ..lab.head import head_params

    with opened(project) as book:
        must_be_taught(book)
        read, registry = choice.of_project(book), Registry.installed()
        if read is not None:
            read = with_journal(read, registry, book)
            tell_foreign(book, read, registry)
        params = head_params(read)
        examples = book.examples()
    if group is not None and not any(_has(one, group) for one in examples):
        known = sorted({name for one in examples for name in one.groups})
        raise InputError(f"no example has {group!r}; known columns: {', '.join(known) or 'none'}")
    with steps("judging") as step:
        report = judge(examples, params["k"], group, params["strictness"], progress=step)
    if as_json:
        click.echo(msgspec.json.encode(report))
    else:
        _show(report)
        if report["advice"]:
            click.echo(f"teach more with: {how_to_teach(project)}", err=True)
    if picture is not None:
        from ..lab.draw import confusion

        confusion(report, picture)
        click.echo(f"drawn: {picture}", err=True)
    return 0


def _has(example: Any, group: str) -> bool:
    return group in example.groups or group == "take" or (group == "person" and example.person)


def _show(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    console = Console(soft_wrap=True)
    for space, found in report["spaces"].items():
        right = _share(found["accuracy"])
        console.print(
            f"[bold]{space}[/bold]: {right} right of {found['tested']} asked; "
            f"{counted(found['examples'], 'example')}, {counted(found['takes'], 'take')}, "
            f"{counted(found['groups'], 'group')}"
        )
        confusion = found["confusion"]
        table = Table(
            Column("label", no_wrap=True), "examples", "takes", "precision", "recall",
            "turned away", "mostly",
        )  # fmt: skip
        for label, row in zip(confusion["labels"], confusion["matrix"], strict=True):
            one = found["labels"][label]
            wrong = [
                (count, name)
                for count, name in zip(row, confusion["answers"], strict=True)
                if name != label and count
            ]
            worst = f"{max(wrong)[1]} x{max(wrong)[0]}" if wrong else ""
            table.add_row(
                label, str(one["examples"]), str(one["takes"]), _share(one["precision"]),
                _share(one["recall"]), _share(one["rejected"]), worst,
            )  # fmt: skip
        console.print(table)
        strangers = found["open_set"]
        if strangers is not None:
            console.print(
                f"strangers: {_share(strangers['strangers_rejected'])} turned away, "
                f"{_share(strangers['members_lost'])} of members lost, area "
                f"{strangers['area']:.2f}"
            )
    for line in report["advice"]:
        console.print(f"- {line}")


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"
