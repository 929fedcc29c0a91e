"""What one node is given when it opens: the implementation of `core.services.Services`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from ..core.clock import Clock
from ..core.errors import ContractError
from ..core.services import Commands
from .stats import NodeStats

S = TypeVar("S")


@dataclass(frozen=True)
class NodeServices:
    """The services of one node, found by type."""

    node: str
    sources: tuple[str, ...]
    clock: Clock
    stats: NodeStats
    all: tuple[object, ...]

    def get(self, kind: type[S]) -> S:
        """Return the service of this type; raises `ContractError` when there is none."""
        found = self.find(kind)
        if found is None:
            raise ContractError(f"nodes.{self.node}: this pipeline runs without a {kind.__name__}")
        return found

    def find(self, kind: type[S]) -> S | None:
        """Return the service of this type, or None."""
        return find(self.all, kind)

    def notice(self, message: str | None) -> None:
        """Show a line in the node's status until it is taken back."""
        self.stats.message = message

    def route(self, node: Any) -> None:
        """Send the commands that ``node`` handles to it (a fresh node replaces the one before)."""
        commands = self.find(Commands)
        if commands is not None and hasattr(node, "handle"):
            commands.route(node.handles, node.handle)


def find(services: Iterable[object], kind: type[S]) -> S | None:
    """Return the first service of this type, or None."""
    return next((one for one in services if isinstance(one, kind)), None)
