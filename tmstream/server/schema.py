"""The wire as a JSON Schema, made from the structs themselves (``tmstream schema messages``)."""

from __future__ import annotations

from typing import Any

import msgspec

from ..core.messages import PROTOCOL, ClientMessage, ServerMessage


def message_schema() -> dict[str, Any]:
    """Return one JSON Schema (2020-12) with ``server`` and ``client`` messages under ``$defs``.

    ``server`` is what the engine sends, ``client`` what it takes.
    """
    (server, client), components = msgspec.json.schema_components(
        [ServerMessage, ClientMessage], ref_template="#/$defs/{name}"
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"tmstream wire protocol {PROTOCOL}",
        "description": "server: what the engine sends; client: what it takes.",
        "anyOf": [{"$ref": "#/$defs/server"}, {"$ref": "#/$defs/client"}],
        "$defs": {"server": server, "client": client, **components},
    }
