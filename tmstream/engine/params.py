"""A node's parameters: its public dataclass fields, checked against their types by msgspec."""

from __future__ import annotations

import dataclasses
import math
import re
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec

from ..core.words import nearest
from .nearest import did_you_mean


class ParamError(ValueError):
    """A parameter is wrong; ``name`` says which, the text says why."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(why)
        self.name = name


def parameters(factory: type) -> dict[str, dataclasses.Field[Any]]:
    """Return the YAML parameters of a node type: its fields that take part in ``__init__``."""
    return {f.name: f for f in dataclasses.fields(factory) if f.init}


def is_live(factory: type, name: str) -> bool:
    """Tell whether a parameter may be changed while its node runs."""
    found = parameters(factory).get(name)
    return found is not None and bool(found.metadata.get("live"))


def convert(factory: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``values`` with the types the node declares.

    Raises:
        ParamError: an unknown name, a wrong type, or a number that is not finite.
    """
    known = parameters(factory)
    for name, value in values.items():
        if name not in known:
            raise ParamError(name, f"unknown parameter{did_you_mean(name, known)}")
        if not _finite(value):
            raise ParamError(name, f"must be a finite number, got {value!r}")
    for name, found in known.items():
        if name not in values and _required(found):
            raise ParamError(name, "is required")
    try:
        made = msgspec.convert(dict(values), _struct(factory))
    except msgspec.ValidationError as error:
        raise _explained(error, factory, values) from None
    return {name: getattr(made, name) for name in values}


def build(factory: type, values: Mapping[str, Any]) -> Any:
    """Return a fresh node.

    Raises:
        ParamError: a value is refused by its type or by the node itself.
    """
    typed = convert(factory, values)
    try:
        return factory(**typed)
    except (TypeError, ValueError) as error:
        text = str(error)
        first = text.split(" ", 1)[0].strip(":")
        name = first if first in typed else ""
        raise ParamError(name, text.removeprefix(f"{name}: ") if name else text) from error


def _required(found: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return found.default is missing and found.default_factory is missing


@cache
def _struct(factory: type) -> type[msgspec.Struct]:
    hints = typing.get_type_hints(factory)
    fields = [(name, hints[name], None) for name in parameters(factory)]
    return msgspec.defstruct(
        f"{factory.__name__}Parameters", fields, forbid_unknown_fields=True, kw_only=True
    )


def _finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    return all(map(_finite, value)) if isinstance(value, list) else True


def _explained(
    error: msgspec.ValidationError, factory: type, values: Mapping[str, Any]
) -> ParamError:
    text, _, path = str(error).partition(" - at ")
    name = re.split(r"[.\[`]", path.strip("`").removeprefix("$."))[0] if path else ""
    got = values.get(name)
    words = _words(typing.get_type_hints(factory).get(name))
    wrong = [one for one in (got if isinstance(got, list) else [got]) if one not in words]
    if words and wrong:
        near = nearest(wrong[0], words) if isinstance(wrong[0], str) else ""
        return ParamError(name, f"must be one of {', '.join(words)}, got {wrong[0]!r}{near}")
    why = text[:1].lower() + text[1:].replace("`", "")
    if isinstance(got, str):
        why += "" if repr(got) in why else f" {got!r}"
        unit = name.rpartition("_")[2]
        if unit in ("hz", "s", "us", "db") and any(char.isdigit() for char in got):
            why += f"; write a plain number, in {unit}"
    return ParamError(name, why)


def _words(hint: Any) -> list[str]:
    """Return the words that a parameter of this type may be, or be a list of."""
    parts = [part for part in typing.get_args(hint) if part is not type(None)]
    if typing.get_origin(hint) is typing.Literal:
        return [one for one in parts if isinstance(one, str)]
    return _words(parts[0]) if len(parts) == 1 else []  # it may be something else than a word
