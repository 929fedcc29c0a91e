"""JSON Schema, for editors and for other people's clients."""

from __future__ import annotations

from typing import Any

import click


@click.command()
@click.argument("what", type=click.Choice(["pipeline", "messages"]), default="pipeline")
def schema(what: str) -> None:
    """Print the JSON Schema of a pipeline file (for editors) or of the wire messages."""
    import msgspec

    from ..server.schema import message_schema

    made = message_schema() if what == "messages" else _pipeline()
    click.echo(msgspec.json.format(msgspec.json.encode(made), indent=2))


def _pipeline() -> dict[str, Any]:
    """Return one schema made of every installed node type's parameters."""
    import inspect
    import typing

    import msgspec

    from ..engine.params import parameters
    from ..engine.registry import Registry
    from ..server.settings import ServerSettings

    registry = Registry.installed()
    variants = []
    for name in sorted(registry.known):
        factory = registry[name]
        hints, found = typing.get_type_hints(factory), parameters(factory)
        values = {param: msgspec.json.schema(hints[param]) for param in found}
        needed = [param for param, one in found.items() if one.default is one.default_factory]
        properties = {"type": {"const": name}, "from": {"$ref": "#/$defs/from"}, **values}
        variants.append(
            {
                "title": name,
                "description": inspect.cleandoc(factory.__doc__ or "").partition("\n")[0],
                "type": "object",
                "properties": properties,
                "required": ["type", *needed],
                "additionalProperties": False,
            }
        )
    (server,), parts = msgspec.json.schema_components(
        [ServerSettings], ref_template="#/$defs/{name}"
    )
    names = {"type": "array", "items": {"type": "string"}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tmstream pipeline",
        "type": "object",
        "properties": {
            "nodes": {"type": "object", "additionalProperties": {"oneOf": variants}},
            "server": server,
            "project": {"type": "string", "description": "Relative to this file."},
            "private": {"type": "boolean"},
            "realtime": {"type": "boolean"},
        },
        "required": ["nodes"],
        "additionalProperties": False,
        "$defs": {"from": {"oneOf": [{"type": "string"}, names]}, **parts},
    }
