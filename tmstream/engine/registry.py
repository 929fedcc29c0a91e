"""Which node types exist. Reading a name imports nothing; asking for it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ..core.errors import ContractError, UnknownNode
from ..core.node import Types
from .nearest import did_you_mean

Factory = type[Any]


@dataclass(frozen=True)
class Registry:
    """Node types by name: a plain value, made once in ``cli`` and passed down."""

    known: Mapping[str, EntryPoint | Factory]

    @classmethod
    def installed(cls, group: str = "tmstream.nodes") -> Registry:
        """Return every node type that installed packages declare.

        Raises:
            ContractError: two packages claim one name.
        """
        known: dict[str, EntryPoint | Factory] = {}
        for point in entry_points(group=group):
            other = known.get(point.name)
            if isinstance(other, EntryPoint) and other.value != point.value:
                raise ContractError(
                    f"node type {point.name!r} is claimed twice: {other.value} and {point.value}"
                )
            known[point.name] = point
        return cls(known)

    def __getitem__(self, name: str) -> Factory:
        try:
            found = self.known[name]
        except KeyError:
            raise UnknownNode(f"no node type {name!r}{did_you_mean(name, self.known)}") from None
        if not isinstance(found, EntryPoint):
            return found
        try:
            made: Factory = found.load()
        except (ImportError, AttributeError, SyntaxError) as error:
            raise UnknownNode(f"node type {name!r} cannot be loaded: {error}") from error
        if not (isinstance(made, type) and is_dataclass(made)):
            raise UnknownNode(f"node type {name!r} cannot be used: {found.value} is no dataclass")
        return made

    def gives(self, name: str) -> Types:
        """Return the payload types that a node of this type gives; none when it is a sink."""
        return getattr(self[name], "gives", ())
