"""Let a checked graph run: lanes, sources and sinks in one task group.

One failure stops the house, in order; a `DeviceError` restarts only its own node. When the sources
are dry, or ``stop`` is set, doors close one after the other: source, lane, meeting lane, sink.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

from ..core.clock import Clock, MonotonicClock, VirtualClock
from ..core.errors import DeviceError
from ..core.node import Sink, Source
from ..core.packet import Gap, Ledger, NodeStatus, Packet, Status
from .graph import Graph, Slot
from .handout import NodeServices
from .inbox import Closed, Inbox, WhenFull
from .lanes import FILES, MEETING, Item, Lane, plan
from .pauses import short_pauses
from .restart import Patience
from .settings import LiveSettings
from .sources import in_order, keep_alive, opened
from .stats import NodeStats
from .walk import Walk

log = logging.getLogger(__name__)

AUDIO_DOOR = 64  #: packets of sound held while a lane is late (about a second)
SINK_DOOR = 1024
ENDING_S = 5.0  #: from "stop" to leaving, whatever hangs
STATUS_EVERY_S = 1.0
FAULT_EVERY_S = 0.1  #: a device that is lost is told so soon


async def run(
    graph: Graph, services: Iterable[object] = (), *, stop: asyncio.Event | None = None
) -> None:
    """Run until every source is dry or ``stop`` is set.

    Raises:
        ExceptionGroup: one node failed; the others were closed.
    """
    await House(graph, tuple(services)).live(stop or asyncio.Event())


class House:
    """A graph while it runs."""

    def __init__(self, graph: Graph, services: tuple[object, ...]) -> None:
        self.graph = graph
        self._wall = MonotonicClock()
        self.clock: Clock = self._wall if graph.live else VirtualClock()
        self._services = {
            name: NodeServices(name, slot.origins, self.clock, NodeStats(), services)
            for name, slot in graph.slots.items()
        }
        self._lane_of = plan(graph)
        self._lanes = {name: self._lane(name) for name in dict.fromkeys(self._lane_of.values())}
        sinks = graph.shaped(Sink)
        policy: WhenFull = "drop_oldest" if graph.live else "block"
        self._sink_doors: dict[str, Inbox[tuple[str, Packet[Any]]]] = {
            sink.name: Inbox(SINK_DOOR, policy) for sink in sinks
        }
        for name, door in self._sink_doors.items():
            self._services[name].stats.dropped_at_door = lambda door=door: door.dropped  # type: ignore[misc]
        self._failures: list[DeviceError] = []  #: of sinks, in a graph of files
        steps = {n: step for lane in self._lanes.values() for n, step in lane.walk.steps.items()}
        LiveSettings(graph, steps).serve(services)

    def _lane(self, name: str) -> Lane:
        members = [n for n, lane in self._lane_of.items() if lane == name]
        sources = [n for n in members if self.graph.slots[n].shape is Source]
        walk = Walk(
            self.graph, [n for n in members if n not in sources], self._services, self._deliver
        )
        factories = [self.graph.slots[n].factory for n in sources]
        latest_only = any(getattr(factory, "latest_only", False) for factory in factories)
        live = any(getattr(factory, "live", False) for factory in factories)
        door: Inbox[Item] = Inbox(
            1 if latest_only and live else AUDIO_DOOR,
            "drop_oldest" if live else "block",
            writers=len(self._lanes_into(name)),
        )
        for source in sources:
            self._services[source].stats.dropped_at_door = lambda: door.dropped
        return Lane(name, walk, door, self.clock, gaps=live and not latest_only)

    def _lanes_into(self, name: str) -> list[str]:
        """Return who writes into a lane: the other lanes, or its one source (or one puller)."""
        others = set(self._lane_of.values()) - {MEETING}
        return sorted(others) if name == MEETING else [FILES]

    def _deliver(self, giver: str, reader: str, packet: Packet[Any]) -> None:
        """Carry a packet out of a lane (called in that lane's thread)."""
        door = self._sink_doors.get(reader)
        if door is not None:
            if isinstance(packet.data, self.graph.slots[reader].takes):
                door.put((giver, packet))
            return
        lane = self._lanes[self._lane_of[reader]]
        lane.inbox.put((lane.walk.enter, reader, packet))

    async def _enter(self, slot: Slot, packet: Packet[Any]) -> None:
        """Carry a packet of a source into its lane."""
        lane = self._lanes[self._lane_of[slot.name]]
        stats = self._services[slot.name].stats
        stats.handled += not isinstance(packet.data, Gap)
        entered = Packet(packet.t_us, packet.data, Ledger(self._wall.now_us()))
        await lane.inbox.aput((lane.walk.push, slot.name, entered))

    async def live(self, stop: asyncio.Event) -> None:
        """Open everything, run, and close everything."""
        lanes = list(self._lanes.values())
        async with asyncio.TaskGroup() as group:
            try:
                ready = [asyncio.Event() for _ in self._sink_doors]
                sinks = [
                    group.create_task(self._sink(self.graph.slots[name], door, event))
                    for (name, door), event in zip(self._sink_doors.items(), ready, strict=True)
                ]
                for event in ready:
                    await event.wait()
                for lane in lanes:
                    lane.start()
                for lane in lanes:
                    await lane.opened
                watch = group.create_task(self._watch(lanes))
                status = group.create_task(self._status())
                with short_pauses() if self.graph.live else nullcontext():
                    sources = group.create_task(self._sources())
                    stopping = group.create_task(stop.wait())
                    await asyncio.wait([sources, stopping], return_when=asyncio.FIRST_COMPLETED)
                    stopping.cancel()
                    await _cancelled(sources)
                    await self._end(lanes, sinks, status)
                    watch.cancel()  # a lane that hangs is left behind
                for error in self._failures:
                    raise error
            finally:
                self._abandon(lanes)

    async def _end(
        self, lanes: list[Lane], sinks: list[asyncio.Task[None]], status: asyncio.Task[None]
    ) -> None:
        """Close door after door, each once those before it are done, within the deadline."""
        try:
            async with asyncio.timeout(ENDING_S if self.graph.live else None):
                for lane in lanes:
                    if lane.name != MEETING:
                        lane.inbox.close()
                for lane in sorted(lanes, key=lambda one: one.name == MEETING):
                    await asyncio.shield(lane.finished)
                    if lane.name != MEETING and MEETING in self._lanes:
                        self._lanes[MEETING].inbox.close()
                status.cancel()
                for door in self._sink_doors.values():
                    door.close()
                if sinks:
                    await asyncio.wait(sinks)
        except TimeoutError:
            status.cancel()
            for task in sinks:
                task.cancel()

    def _abandon(self, lanes: list[Lane]) -> None:
        for lane in lanes:
            lane.inbox.abandon()
        for door in self._sink_doors.values():
            door.abandon()

    async def _watch(self, lanes: list[Lane]) -> None:
        """Raise what a lane raised, and only then."""
        await asyncio.gather(*(asyncio.shield(lane.finished) for lane in lanes))

    async def _sources(self) -> None:
        slots = self.graph.shaped(Source)
        if not self.graph.live:
            await in_order(slots, self._services, self._enter)
            return
        async with asyncio.TaskGroup() as group:
            for slot in slots:
                group.create_task(self._source(slot))

    async def _source(self, slot: Slot) -> None:
        try:
            await keep_alive(slot, self._services[slot.name], self._enter, self.clock)
            self._services[slot.name].notice("has ended")
        finally:
            lane = self._lanes[self._lane_of[slot.name]]
            gap: Packet[Any] = Packet(self.clock.now_us(), Gap("end"))
            lane.inbox.put_now((lane.walk.push, slot.name, gap))

    async def _sink(
        self, slot: Slot, door: Inbox[tuple[str, Packet[Any]]], ready: asyncio.Event
    ) -> None:
        """Write what comes through the door; a sink whose peer fails is opened afresh.

        Not while only files are read: they do not wait for a peer to come back. Whoever else
        listens is given all of them, and then the failure is raised.
        """
        services, patience, lost = self._services[slot.name], Patience(), ""
        while True:
            try:
                async with opened(slot, services) as node:
                    ready.set()
                    named = getattr(node, "write_from", None)
                    while True:
                        giver, packet = await door.aget()
                        began = self._wall.now_us()
                        await (named(giver, packet) if named else node.write(packet))
                        services.stats.took(1000 * (self._wall.now_us() - began))
                        patience.reset()
                        lost = ""
            except Closed:
                return
            except DeviceError as error:
                services.stats.say("waiting" if self.graph.live else "failed", str(error))
                if not self.graph.live:
                    self._failures.append(error)
                    ready.set()
                    await door.drain()
                    return
                if lost != str(error):  # once, however often it is tried again
                    log.warning("%s waits: %s", slot.name, error)
                lost = str(error)
            finally:
                ready.set()
            await asyncio.sleep(patience.wait_s())
            services.stats.message = None

    async def _status(self) -> None:
        """Tell every sink that wants it how all nodes fare: each second, and of a fault at once."""
        doors = [self._sink_doors[s.name] for s in self.graph.shaped(Sink) if Status in s.takes]
        loop, before_us = asyncio.get_running_loop(), self._wall.now_us()
        due_s, told = loop.time() + STATUS_EVERY_S, dict[str, NodeStatus]()
        while True:
            await asyncio.sleep(min(FAULT_EVERY_S, STATUS_EVERY_S))
            if loop.time() >= due_s:
                now_us = self._wall.now_us()
                elapsed_s, before_us = (now_us - before_us) / 1e6, now_us
                told = {n: s.stats.read(elapsed_s) for n, s in self._services.items()}
                due_s = loop.time() + STATUS_EVERY_S
            elif not (lost := {n: s for n, s in told.items() if self._services[n].stats.lost(s)}):
                continue
            else:
                # The rates stay those of a whole second.
                told |= {n: self._services[n].stats.now(s) for n, s in lost.items()}
            for door in doors:
                await door.aput(("", Packet(self.clock.now_us(), Status(dict(told)))))


async def _cancelled(task: asyncio.Task[None]) -> None:
    """Cancel a task until it ends, or the time for endings is over.

    More than once, because a source that awaits with a timeout can lose a cancellation that meets
    an arrival (`asyncio.wait_for` before Python 3.12 does).
    """
    for _ in range(round(ENDING_S)):
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=1.0)
        if done:
            return
