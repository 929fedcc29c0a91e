"""Make variants of what was taught, or take them away."""

from __future__ import annotations

from pathlib import Path

import click

from ..core.words import counted
from ._ending import if_interrupted
from ._pipeline import needed
from ._project import despite_lock_option, json_option, must_be_taught, opened, project_argument
from ._vary import room_option, tell, varied

KEPT = "the variants made so far are kept; the same command goes on, undo takes them back"


@click.command()
@project_argument
@click.option("--label", "labels", multiple=True, metavar="LABEL", help="Only LABEL; repeat it.")
@room_option
@click.option("--off", is_flag=True, help="Delete the variants instead.")
@click.option("--pipeline", help="Which embedders: a YAML file or a shipped name.")
@despite_lock_option
@json_option
def augment(
    project: Path, labels: tuple[str, ...], room: Path | None, off: bool, pipeline: str | None,
    despite_lock: bool, as_json: bool,
) -> int:  # fmt: skip
    """Teach PROJECT variants of its examples: sounds with noise, higher, lower, faster and slower.

    Pictures turned, darker, brighter and nearer; bodies and hands turned and trembling. They are
    made of the kept clips, of what has none yet, so it can be stopped and goes on where it was.
    Takes taught later have none until it is said again.
    Undo takes them back; with --off they are deleted at any time.
    """
    import msgspec

    from ..engine.registry import Registry
    from ..lab.augment import room_of
    from ..lab.pool import Pool
    from ..lab.vary import unvary

    if off and room is not None:
        raise click.UsageError("--off makes nothing, so it needs no --room")
    noise = room_of(room) if room is not None else None
    with if_interrupted(KEPT), opened(project, despite_lock=despite_lock) as book:
        if off:
            gone = unvary(book, labels or None)
            if as_json:
                click.echo(msgspec.json.encode(gone))
            for label, count in gone.items() if not as_json else ():
                click.echo(f"{label}: {counted(count, 'variant')} deleted")
            return 0
        must_be_taught(book)
        read = needed(pipeline, book)
        with Pool(read, Registry.installed()) as pool:
            told = varied(book, pool, read, labels or None, noise)
    if as_json:
        click.echo(msgspec.json.encode(told))
    else:
        tell(told)
    return 0
