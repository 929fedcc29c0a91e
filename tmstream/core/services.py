"""What the engine hands a node in ``open``: how a sink meets the server, and a head its examples.

Services are found by their type, so ``core`` knows none of them and no room imports another:
``services.get(Hub)``, ``services.get(Project)``, ``services.get(Commands)``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

from .clock import Clock
from .errors import InputError

S = TypeVar("S")

#: How long a command waits for its node to open: models load, a device may be slow.
PATIENCE_S = 10.0

Handler = Callable[[Any], Awaitable[Any]]


class Services(Protocol):
    """The part of the house that one node may use."""

    node: str  #: this node's name in the pipeline
    sources: tuple[str, ...]  #: names of the source nodes upstream of it
    clock: Clock  #: the clock its packets are stamped with

    def get(self, kind: type[S]) -> S:
        """Return the one service of this type.

        Raises:
            ContractError: this pipeline runs without it.
        """
        ...

    def find(self, kind: type[S]) -> S | None:
        """Return the service of this type, or None."""
        ...

    def notice(self, message: str | None) -> None:
        """Show a line in this node's status (what is wrong, what to do) until it is taken back.

        May be called from any thread.
        """
        ...


class Embedders:
    """Which spaces a pipeline embeds, and what makes the vectors of each.

    The engine fills it from the embedding nodes' own words (``space``, ``fingerprint``); the head
    reads it while it teaches. ``pipeline``: what a project keeps, to embed alike later. Any thread.
    """

    def __init__(self, pipeline: str | None = None) -> None:
        self.pipeline = pipeline
        self._makers: dict[str, str | None] = {}
        self._all_said = True

    def expect(self, space: str | None) -> None:
        """Note that a node embeds this space; None when it does not say which."""
        if space is None:
            self._all_said = False
        else:
            self._makers.setdefault(space, None)

    def tell(self, space: str, maker: str | None) -> None:
        """Note the fingerprint of what makes a space's vectors, when its node knows it."""
        self._makers[space] = maker

    def maker(self, space: str) -> str | None:
        """Return the fingerprint of what makes a space's vectors, or None."""
        return self._makers.get(space)

    @property
    def spaces(self) -> frozenset[str] | None:
        """Return every space that is embedded; None when some node does not say."""
        return frozenset(self._makers) if self._all_said and self._makers else None


class Commands:
    """Carries a command (a struct of `core.messages`) to whoever handles it."""

    def __init__(self) -> None:
        self._handlers: dict[type, Handler] = {}
        #: Types whose node is not open yet. Nodes open in their lanes' threads, so these are no
        #: futures of the loop.
        self._opening: dict[type, Future[None]] = {}

    def expect(self, kinds: Iterable[type]) -> None:
        """Note that a node which is not open yet will handle these: `dispatch` waits for it."""
        for kind in kinds:
            self._opening.setdefault(kind, Future())

    def route(self, kinds: Iterable[type], handler: Handler) -> None:
        """Send commands of these types to ``handler``; a second route replaces the first.

        May be called from any thread.
        """
        for kind in kinds:
            self._handlers[kind] = handler
            if (opening := self._opening.pop(kind, None)) is not None:
                opening.set_result(None)

    def handled(self) -> frozenset[type]:
        """Return the command types somebody handles."""
        return frozenset(self._handlers)

    async def dispatch(self, command: Any) -> Any:
        """Return the handler's result, plain data ready for JSON.

        Raises:
            InputError: nobody handles it here (yet), or it was refused.
        """
        kind = type(command)
        if kind not in self._handlers and (opening := self._opening.get(kind)) is not None:
            await asyncio.wait([asyncio.wrap_future(opening)], timeout=PATIENCE_S)
        handler = self._handlers.get(kind)
        if handler is None:
            tag = kind.__struct_config__.tag
            if kind in self._opening:
                raise InputError(f"the node that handles {tag!r} is not ready yet; see its status")
            raise InputError(f"this pipeline has no node that handles {tag!r}")
        return await handler(command)
