"""Write docs/nodes.md and docs/messages.md from the code: ``python docs/reference.py``."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from pathlib import Path

import msgspec

from tmstream.core import messages
from tmstream.engine import params
from tmstream.engine.registry import Registry

HERE = Path(__file__).parent
ROOMS = ("capture", "window", "features", "embed", "head", "decide", "broadcast")


def nodes_page() -> str:
    """Return every built-in node type, room by room, with its parameters."""
    registry = Registry.installed()
    ours = {
        n: registry[n]
        for n in sorted(registry.known)
        if registry[n].__module__.startswith("tmstream.")
    }
    page = [
        "# Nodes",
        "",
        "Made from the code by `docs/reference.py`. *Live*: can be changed while running.",
    ]
    for room in ROOMS:
        page += ["", f"## {room}"]
        for name, factory in ours.items():
            if factory.__module__.split(".")[1] == room:
                page += ["", *_node(name, factory)]
    return "\n".join(page) + "\n"


def _node(name: str, factory: type) -> list[str]:
    lines = [f"### {name}", "", inspect.cleandoc(factory.__doc__ or "")]
    takes, gives = (_types(getattr(factory, side, ())) for side in ("takes", "gives"))
    flow = [f"takes {takes}"] if takes else []
    flow += [f"gives {gives}"] if gives else []
    lines += ["", "; ".join(flow)] if flow else []
    hints = typing.get_type_hints(factory)
    found = params.parameters(factory)
    if found:
        lines += ["", "| parameter | type | default | live |", "|---|---|---|---|"]
        for key, field in found.items():
            live = "yes" if params.is_live(factory, key) else ""
            lines.append(f"| `{key}` | {_hint(hints[key])} | {_default(field)} | {live} |")
    return lines


def _types(kinds: tuple[type, ...]) -> str:
    return ", ".join(kind.__name__ for kind in kinds)


def _hint(hint: object) -> str:
    text = hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)
    for name, short in (("tmstream.core.messages.", ""), ("typing.", ""), ("|", "or")):
        text = text.replace(name, short)
    return text.replace("NoneType", "None")


def _default(field: dataclasses.Field[object]) -> str:
    if field.default is not dataclasses.MISSING:
        return f"`{field.default!r}`"
    if field.default_factory is not dataclasses.MISSING:
        return f"`{field.default_factory()!r}`"
    return "required"


def messages_page() -> str:
    """Return every message of protocol 1, with its fields."""
    page = [
        "# Messages",
        "",
        "Protocol 1, made from `tmstream/core/messages.py` by `docs/reference.py`.",
    ]
    sides = [("From the server", messages.ServerMessage), ("To the server", messages.ClientMessage)]
    for title, union in sides:
        page += ["", f"## {title}"]
        for struct in typing.get_args(union):
            page += [
                "",
                f"### {struct.__struct_config__.tag}",
                "",
                inspect.cleandoc(struct.__doc__ or ""),
            ]
            page += _fields(struct)
    page += ["", "## Parts"]
    for struct in _parts(messages.ServerMessage):
        page += [
            "",
            f"### {struct.__name__}",
            "",
            inspect.cleandoc(struct.__doc__ or ""),
            *_fields(struct),
        ]
    return "\n".join(page) + "\n"


def _parts(union: object) -> list[type[msgspec.Struct]]:
    """Return what messages are made of, in the order in which they name it."""
    found: dict[type[msgspec.Struct], None] = {}

    def look(hint: object) -> None:
        for one in typing.get_args(hint):
            look(one)
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct) and hint not in found:
            found[hint] = None
            for field in typing.get_type_hints(hint).values():
                look(field)

    for message in typing.get_args(union):
        for field in typing.get_type_hints(message).values():
            look(field)
    return list(found)


def _fields(struct: type[msgspec.Struct]) -> list[str]:
    hints = typing.get_type_hints(struct)
    fields = msgspec.structs.fields(struct)
    if not fields:
        return []
    lines = ["", "| field | type | default |", "|---|---|---|"]
    for field in fields:
        given = field.default if field.default is not msgspec.NODEFAULT else field.default_factory
        default = "" if field.required else f"`{given() if callable(given) else given!r}`"
        lines.append(f"| `{field.name}` | {_hint(hints[field.name])} | {default} |")
    return lines


PAGES = {"nodes.md": nodes_page, "messages.md": messages_page}

if __name__ == "__main__":
    for name, write in PAGES.items():
        (HERE / name).write_text(write(), "utf-8")
