"""Variants of what was taught: what `teach --augment` and `augment` share."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.words import counted
from ._progress import progress

room_option = click.option(
    "--room",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Sounds with the noise of this recording of the room, not white noise.",
)

if TYPE_CHECKING:
    from ..engine.spec import Pipeline
    from ..lab.pool import Pool
    from ..lab.sample import Sound
    from ..lab.vary import Varied
    from ..store.project import Project


def varied(
    project: Project, pool: Pool, pipeline: Pipeline, labels: Collection[str] | None,
    room: Sound | None, *, batch: str = "",
) -> dict[str, Varied]:  # fmt: skip
    """Teach variants of ``labels`` (None: all) under a bar; returns what became of each.

    Sounds with the noise of the recording ``room``, if any.
    """
    from ..engine.registry import Registry
    from ..lab.part import kinds_of
    from ..lab.vary import plan, vary, workload

    if labels is not None and not labels:
        return {}
    pieces, told = plan(project, kinds_of(pipeline, Registry.installed()), labels)
    if pieces:
        with progress("making variants", workload(pieces)) as done:
            vary(project, pool, pieces, told, room=room, batch=batch, report=done)
    if room is not None and any(one.known for one in told.values()):
        click.echo("advice: to make those anew that there were before: augment --off", err=True)
    return told


def tell(told: Mapping[str, Varied]) -> None:
    """Say of each label what was made, and why not where it was not."""
    for label, one in sorted(told.items()):
        parts = [f"{counted(one.variants, 'variant')} of {counted(one.clips, 'clip')}"]
        if one.known:
            parts.append(f"{one.known} had them before")
        parts += [f"{count} without: {why}" for why, count in one.skipped.most_common()]
        click.echo(f"{label}: {', '.join(parts)}")
