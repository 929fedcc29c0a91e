"""A recorded node, once more: what the replayed pipeline reads instead of a device."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from ..core.clock import MonotonicClock
from ..core.packet import Gap, Packet
from ..core.services import Services
from ..store.packets import PAYLOADS
from ..store.recording import Recording as Store


@dataclass
class Recording:
    """Gives again, bit for bit, what the node ``of`` gave while a ``recorder`` listened.

    Example: ``mic: {type: recording, path: takes/evening, of: mic}``

    ``speed`` paces it: 1 is as it was, 0 as fast as the graph can. The packets are the same.
    """

    gives: ClassVar[tuple[type, ...]] = PAYLOADS

    path: str
    of: str
    speed: float = 0.0
    _store: Store | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.speed <= 1000:
            raise ValueError(f"speed must be between 0 and 1000, got {self.speed}")

    async def open(self, services: Services) -> None:
        """Find the recording; raises `InputError` when there is none."""
        self._services = services
        self._store = Store.open(Path(self.path))

    async def packets(self) -> AsyncIterator[Packet[Any]]:
        """Yield what was recorded, from time 0."""
        store = self._store
        assert store is not None, "packets() before open()"
        wall = MonotonicClock()
        start_us = wall.now_us()
        last: Packet[Any] | None = None
        for _, packet in store.packets(self.of):
            if last is not None:
                yield last
                if self.speed:
                    # After it was taken, not before: a source that is silent for an hour must not
                    # hold back the others, which are taken in order of time.
                    due_us = start_us + round(last.t_us / self.speed)
                    await asyncio.sleep(max(0, due_us - wall.now_us()) / 1e6)
            last = packet
            if isinstance(packet.data, Gap) and packet.data.source == self.of:
                last = packet.with_data(Gap(packet.data.reason))  # the engine names us instead
        # The engine tells our own end itself.
        if last is not None and not _is_our_end(last.data):
            yield last
        self._services.notice("; ".join(store.notices) or None)


def _is_our_end(data: Any) -> bool:
    return isinstance(data, Gap) and data.reason == "end" and not data.source
