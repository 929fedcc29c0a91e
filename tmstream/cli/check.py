"""Check a pipeline without running it."""

from __future__ import annotations

import click

from ..core.words import counted
from ._pipeline import load, server_settings


@click.command()
@click.argument("pipeline")
def check(pipeline: str) -> None:
    """Check PIPELINE: names, values, units and joints. Nothing is opened."""
    from ..engine.graph import build
    from ..engine.registry import Registry

    read = load(pipeline)
    graph = build(read, Registry.installed())
    server_settings(read)
    for slot in graph.slots.values():
        feeds = f" <- {', '.join(slot.spec.sources)}" if slot.spec.sources else ""
        click.echo(f"  {slot.name}: {slot.spec.type}{feeds}")
    click.echo(f"{read.path}: right, {counted(len(graph.slots), 'node')}")
