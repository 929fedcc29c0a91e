"""Where transforms run: a lane is a kept thread that walks packets through its transforms.

In a graph with a live source, everything fed by one source alone shares that source's lane, and
everything fed by several meets in one more; a slow picture never holds up a sound. A graph of files
has a single lane, so packets are handled in one order and the answer is the same every time.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from ..core.clock import Clock, VirtualClock
from ..core.node import Source, Transform
from ..core.packet import Gap, Ledger, Packet
from .graph import Graph
from .inbox import Closed, Inbox
from .walk import Walk

#: Lanes that are called after no source: no node's name has a dot.
FILES = "files."
MEETING = "meeting."

#: What to do with a packet: `Walk.push` (from a source) or `Walk.enter` (from another lane).
Item = tuple[Callable[[str, Packet[Any]], None], str, Packet[Any]]


def plan(graph: Graph) -> dict[str, str]:
    """Return the lane of every source and transform."""
    slots = [*graph.shaped(Source), *graph.shaped(Transform)]
    if not graph.live:
        return {slot.name: FILES for slot in slots}
    return {s.name: s.origins[0] if len(s.origins) == 1 else MEETING for s in slots}


class Lane:
    """One daemon thread: opens its transforms, walks what comes in, closes them."""

    def __init__(
        self, name: str, walk: Walk, inbox: Inbox[Item], clock: Clock, *, gaps: bool
    ) -> None:
        self.name, self.walk, self.inbox = name, walk, inbox
        self._clock = clock if isinstance(clock, VirtualClock) else None
        self._gaps = gaps  # whether a packet dropped at the door leaves a hole worth telling
        self._loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = self._loop.create_future()
        self.finished: asyncio.Future[None] = self._loop.create_future()
        # A daemon, so that a transform that hangs cannot keep the process alive.
        self._thread = threading.Thread(target=self._run, name=f"lane {name}", daemon=True)

    def start(self) -> None:
        """Start the thread; ``opened`` and ``finished`` tell how it goes."""
        self._thread.start()

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self.walk.open()
            self._tell(self.opened, None)
            try:
                self._work()
            finally:
                self.walk.close()
        except Closed:
            pass
        except BaseException as caught:  # noqa: BLE001 - carried to the loop, which raises it
            error = caught
        self._tell(self.opened, error)
        self._tell(self.finished, error)

    def _work(self) -> None:
        dropped = 0
        while True:
            act, name, packet = self.inbox.get()
            if self._clock is not None:
                self._clock.move_to(packet.t_us)
                # Files are read ahead: how long a packet lay waiting says nothing.
                packet = Packet(packet.t_us, packet.data, Ledger(self._clock.now_us()))
            now_dropped = self.inbox.dropped
            if self._gaps and now_dropped != dropped and not isinstance(packet.data, Gap):
                act(name, Packet(packet.t_us, Gap("late")))
            dropped = now_dropped
            act(name, packet)

    def _tell(self, future: asyncio.Future[None], error: BaseException | None) -> None:
        def settle() -> None:
            if future.done():
                return
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
                future.exception()  # looked at: one that nobody awaits any more is not logged

        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(settle)
