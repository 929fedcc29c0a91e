"""Push packets through transforms by plain calls, depth first. One walk belongs to one thread."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from typing import Any

from msgspec import structs

from ..core.clock import Clock, MonotonicClock, VirtualClock, WorkClock
from ..core.errors import DeviceError
from ..core.node import Types
from ..core.packet import Absent, Audio, Embedding, Gap, Image, Landmarks, Ledger, Packet, Scores
from ..core.services import Commands, Embedders
from ..store.history import History
from ..store.project import Project
from .graph import Graph, Slot
from .handout import NodeServices, find
from .restart import Patience

log = logging.getLogger(__name__)

#: Carries a packet out of a lane: giver, reader, packet.
Deliver = Callable[[str, str, Packet[Any]], None]

_ALWAYS = (Gap, Absent)
#: How often a mismatch is looked at again: it may be mended while the engine runs.
COMPARE_EVERY_S = 2.0
_KEPT_RAW = (Audio, Image, Landmarks)


class Step:
    """One transform at its place: opened, fed, and replaced when its device fails."""

    def __init__(self, slot: Slot, services: NodeServices, *, patient: bool) -> None:
        self.slot, self.takes, self.stats = slot, slot.takes, services.stats
        self.node: Any = None
        self._services = services
        self._patience = Patience()
        self._patient = patient
        self._embeds = Embedding in slot.gives
        self._embedders = services.find(Embedders)
        if (commands := services.find(Commands)) is not None:
            commands.expect(getattr(slot.factory, "handles", ()))
        if self._embedders is not None and self._embeds:
            self._embedders.expect(getattr(slot.make(), "space", None))
        self._compare_at_s: dict[str, float] = {}
        self._foreign: set[str] = set()  #: spaces whose examples another embedder made
        self._retry_ns = 0

    def open(self) -> None:
        """Make and open the node; a `DeviceError` is kept for the next attempt."""
        node = self.slot.make()
        if hasattr(node, "open"):
            try:
                node.open(self._services)
            except DeviceError as error:
                self._wait(node, error)
                return
            except BaseException:
                _close(node)
                raise
        self.node = node
        self._services.route(node)
        if self._embeds and isinstance(space := getattr(node, "space", None), str):
            self._compare(space)
        self.stats.say("running", self.stats.message)

    def process(self, packet: Packet[Any]) -> Iterable[Packet[Any]]:
        """Return what the node makes of ``packet``; while its device is away, nothing."""
        if self.node is None:
            if time.monotonic_ns() < self._retry_ns:
                self.stats.dropped += 1
                return ()
            self.stats.message = None
            self.open()
            if self.node is None:
                return ()
        began = time.perf_counter_ns()
        try:
            made = list(self.node.process(packet))
        except DeviceError as error:
            self._wait(self.node, error)
            return (Packet(packet.t_us, Gap(str(error))),)
        self.stats.took(time.perf_counter_ns() - began)
        self._patience.reset()
        for one in made:
            if isinstance(one.data, Embedding):
                self._compare(one.data.space)
        return made

    def _compare(self, space: str) -> None:
        """Say so while a space's examples were made by another embedder than this one."""
        now_s = time.monotonic()
        if now_s < self._compare_at_s.get(space, now_s):
            return
        project, maker = self._services.find(Project), getattr(self.node, "fingerprint", None)
        if self._embedders is not None:
            self._embedders.tell(space, maker)
        taught = None if project is None else project.setting(f"space:{space}")
        foreign = project is not None and taught is not None and maker not in (None, taught)
        if foreign and project is not None and space in project.spaces():
            line = (
                f"the examples of {space!r} were made by another embedder; "
                f"run: tmstream reembed {project.path}"
            )
            if space not in self._foreign:
                log.warning("%s", line)
            self._foreign.add(space)
            self._services.notice(line)
        elif space in self._foreign:  # embedded again meanwhile, or forgotten
            self._foreign.discard(space)
            self._services.notice(None)
        self._compare_at_s[space] = now_s + COMPARE_EVERY_S if foreign else math.inf

    def close(self) -> None:
        """Close the node, if it is open."""
        node, self.node = self.node, None
        if node is not None:
            _close(node)

    def _wait(self, node: Any, error: DeviceError) -> None:
        self.node = None
        _close(node)
        if not self._patient:
            raise error
        self.stats.say("waiting", str(error))
        self._retry_ns = time.monotonic_ns() + round(self._patience.wait_s() * 1e9)


class Walk:
    """The transforms of one lane, and the doors to everything outside it."""

    def __init__(
        self,
        graph: Graph,
        members: Iterable[str],
        services: Mapping[str, NodeServices],
        deliver: Deliver,
    ) -> None:
        patient = graph.live
        self.steps = {n: Step(graph.slots[n], services[n], patient=patient) for n in members}
        clock = next(iter(services.values())).clock if services else None
        # What the ledger is written by: the engine's clock, which a graph of files has to help.
        self._wall: Clock = (
            WorkClock(clock) if isinstance(clock, VirtualClock) else MonotonicClock()
        )
        self._deliver = deliver
        self._history = find(next(iter(services.values())).all, History) if services else None
        self._origins = {n: slot.origins for n, slot in graph.slots.items()}
        self._readers: dict[str, list[tuple[str, Types, Step | None]]] = {
            giver: [(r, graph.slots[r].takes, self.steps.get(r)) for r in readers]
            for giver, readers in graph.readers.items()
        }

    def push(self, giver: str, packet: Packet[Any]) -> None:
        """Hand a packet of ``giver`` to its readers, and what they make of it to theirs."""
        data = packet.data
        if self._history is not None and isinstance(data, _KEPT_RAW):
            self._history.tap(giver, packet)
        if isinstance(data, _ALWAYS) and not data.source and len(self._origins[giver]) == 1:
            packet = packet.with_data(structs.replace(data, source=self._origins[giver][0]))
        for reader, takes, step in self._readers[giver]:
            wanted = isinstance(data, takes)
            if step is None:
                if wanted or isinstance(data, _ALWAYS):
                    self._deliver(giver, reader, packet)
            elif wanted:
                for made in step.process(packet):
                    self.push(reader, self._entered(made, packet.ledger))
            elif isinstance(data, _ALWAYS):
                self.push(reader, packet)

    def enter(self, reader: str, packet: Packet[Any]) -> None:
        """Take a packet that another lane hands to ``reader``, one of ours."""
        step = self.steps[reader]
        if isinstance(packet.data, step.takes):
            for made in step.process(packet):
                self.push(reader, self._entered(made, packet.ledger))
        else:
            self.push(reader, packet)

    def _entered(self, made: Packet[Any], ledger: Ledger | None) -> Packet[Any]:
        """Return ``made`` with its line in the latency ledger filled in."""
        data, had = made.data, made.ledger or ledger
        if had is None:
            return made
        if isinstance(data, Embedding) and had.embedded_us is None:
            had = Ledger(had.captured_us, self._wall.now_us())
        elif isinstance(data, Scores) and had.scored_us is None:
            had = Ledger(had.captured_us, had.embedded_us, self._wall.now_us())
        return made if made.ledger is had else Packet(made.t_us, data, had)

    def open(self) -> None:
        """Open every transform; those already open are closed again when one fails."""
        try:
            for step in self.steps.values():
                step.open()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close every transform, last first, also when one fails to."""
        with ExitStack() as stack:
            for step in self.steps.values():
                stack.callback(step.close)


def _close(node: Any) -> None:
    if hasattr(node, "close"):
        node.close()
