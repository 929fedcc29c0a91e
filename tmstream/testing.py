"""Run one node alone, with fake services. For our tests, and for plug-in authors'."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterable
from typing import Any, TypeVar

from .core.clock import VirtualClock
from .core.errors import ContractError
from .core.node import Sink, Source, Transform
from .core.packet import Absent, Embedding, Gap, Landmarks, Packet, Scores

S = TypeVar("S")


class FakeClock(VirtualClock):
    """A clock that tests turn by hand."""

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        self.move_to(self.now_us() + round(seconds * 1e6))


class FakeServices:
    """Services made of the objects it is given: ``FakeServices(hub, project)``."""

    def __init__(
        self, *services: object, node: str = "node", sources: tuple[str, ...] = ()
    ) -> None:
        self.node = node
        self.sources = sources
        self.clock = FakeClock()
        self.notices: list[str | None] = []
        self._services = services

    def get(self, kind: type[S]) -> S:
        """Return the service of this type; raises `ContractError` when there is none."""
        found = self.find(kind)
        if found is None:
            raise ContractError(f"{self.node}: this pipeline runs without a {kind.__name__}")
        return found

    def find(self, kind: type[S]) -> S | None:
        """Return the service of this type, or None."""
        return next((one for one in self._services if isinstance(one, kind)), None)

    def notice(self, message: str | None) -> None:
        """Remember what the node said."""
        self.notices.append(message)


def opened(node: Any, *services: object) -> Any:
    """Return a transform after ``open``, as the engine would hand it packets."""
    if hasattr(node, "open"):
        node.open(FakeServices(*services))
    return node


def feed(node: Transform, *packets: Packet[Any]) -> list[Packet[Any]]:
    """Return all that ``node`` makes of ``packets``; Gap and Absent pass by who ignores them."""
    made: list[Packet[Any]] = []
    for packet in packets:
        if isinstance(packet.data, node.takes):
            made.extend(node.process(packet))
        elif isinstance(packet.data, Gap | Absent):
            made.append(packet)
    return made


def check_declared(node: Any) -> None:
    """Assert what every node declares: its shape, and payload types as tuples."""
    shapes = [shape for shape in (Source, Transform, Sink) if isinstance(node, shape)]
    assert len(shapes) == 1, f"{type(node).__name__} is {len(shapes)} of Source, Transform, Sink"
    for name in ("takes", "gives"):
        types = getattr(type(node), name, ())
        assert isinstance(types, tuple), f"{name} must be a tuple of payload types"
        assert all(isinstance(kind, type) for kind in types)
    assert type(node).__doc__, "a node says what it does in its docstring"


def check_transform(make: Any, packets: Iterable[Packet[Any]]) -> list[Packet[Any]]:
    """Assert the promises of every Transform and return what it made.

    ``make()`` returns a fresh, opened node; it is called twice. Promised: the input is untouched,
    the same input gives the same output, time never runs backwards within a stream and subject,
    only declared payloads come out, and `Gap` and `Absent` are handed on.
    """
    packets = list(packets)
    before = pickle.dumps(packets)
    node = make()
    first, second = feed(node, *packets), feed(make(), *copy.deepcopy(packets))
    assert pickle.dumps(packets) == before, "process() changed its input"
    assert pickle.dumps(first) == pickle.dumps(second), "process() is not deterministic"
    check_order(first)
    allowed = (*node.gives, Gap, Absent)
    for made in first:
        assert isinstance(made.data, allowed), f"gave an undeclared {type(made.data).__name__}"
    gaps = sum(isinstance(packet.data, Gap) for packet in packets)
    assert sum(isinstance(made.data, Gap) for made in first) == gaps, "swallowed or invented a Gap"
    return first


def check_order(packets: Iterable[Packet[Any]]) -> None:
    """Assert that time (``end_us`` where there is one) never runs backwards in a stream."""
    latest: dict[Any, int] = {}
    for packet in packets:
        data = packet.data
        stream = (type(data), getattr(data, "space", None), getattr(data, "subject", None))
        now = data.end_us if isinstance(data, Embedding | Scores | Absent) else packet.t_us
        strict = isinstance(data, Landmarks)
        last = latest.get(stream)
        assert last is None or now > last or (now == last and not strict), "time ran backwards"
        latest[stream] = now
