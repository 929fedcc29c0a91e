"""Node types and their parameters."""

from __future__ import annotations

import ast
import dataclasses
import inspect
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("type", required=False, metavar="[TYPE]")
def nodes(type: str | None) -> None:  # noqa: A002 - named as the pipeline names it
    """List the node types, or say what TYPE does and which parameters it has."""
    from ..engine.registry import Registry

    registry = Registry.installed()
    if type is not None:
        _explain(type, registry[type])
        return
    width = max(map(len, registry.known))
    for name, point in sorted(registry.known.items()):
        click.echo(f"{name:{width}}  {first_line(point)}")


def first_line(point: Any) -> str:
    """Return what a node type does, read from its source: nothing is imported."""
    if not isinstance(point, EntryPoint):
        return (inspect.getdoc(point) or "").partition("\n")[0]
    try:
        # The parent packages are imported by find_spec; they are empty.
        spec = find_spec(point.module)
        tree = ast.parse(Path(spec.origin or "").read_text("utf-8")) if spec else None
    except (ImportError, OSError, SyntaxError, ValueError) as error:
        return f"(cannot be read: {error})"
    for node in tree.body if tree else ():
        if isinstance(node, ast.ClassDef) and node.name == point.attr:
            return (ast.get_docstring(node) or "").partition("\n")[0]
    return "(not installed)"


def _explain(name: str, factory: Any) -> None:
    from ..engine.params import parameters

    click.echo(f"{name}: {inspect.cleandoc(factory.__doc__ or '')}\n")
    for word in ("takes", "gives"):
        kinds = [kind.__name__ for kind in getattr(factory, word, ())]
        if kinds:
            click.echo(f"{word}  {', '.join(kinds)}")
    found = parameters(factory)
    if not found:
        click.echo("no parameters")
        return
    click.echo("parameters")
    width = max(map(len, found))
    for field in found.values():
        live = "  (may be changed while running)" if field.metadata.get("live") else ""
        click.echo(f"  {field.name:{width}}  {_kind(field)}{_default(field)}{live}")


def _kind(field: dataclasses.Field[Any]) -> str:
    kind = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", "")
    unit = field.name.rpartition("_")[2]
    words = {"hz": "Hz", "s": "seconds", "us": "microseconds", "db": "dB", "ms": "milliseconds"}
    return f"{kind}, {words[unit]}" if "_" in field.name and unit in words else str(kind)


def _default(field: dataclasses.Field[Any]) -> str:
    missing = dataclasses.MISSING
    if field.default is not missing:
        return f" = {field.default!r}"
    if field.default_factory is not missing:
        return f" = {field.default_factory()!r}"
    return ", required"
