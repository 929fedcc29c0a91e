"""Not more often than so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..core.node import Types
from ..core.packet import Embedding, Features, Gap, Image, Landmarks, Packet, Scores

#: Type, space and subject.
Stream = tuple[type, str | None, str | None]


@dataclass
class Rate:
    """Lets at most ``hz`` packets a second pass, by their own times, for each space and subject.

    What is said of a sound or movement counts by the end of its evidence.

    {type: rate, from: cam, hz: 10}
    """

    takes: ClassVar[Types] = (Image, Landmarks, Features, Embedding, Scores, Gap)
    gives: ClassVar[Types] = takes

    hz: float = field(default=10.0, metadata={"live": True})

    _next_us: dict[Stream, float] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0.01 <= self.hz <= 1000.0:
            raise ValueError("hz must lie between 0.01 and 1000")

    def process(self, packet: Packet[Any]) -> Iterable[Packet[Any]]:
        """Yield the packet, or nothing."""
        if isinstance(packet.data, Gap):
            self._next_us.clear()
            yield packet
            return
        data = packet.data
        stream = type(data), getattr(data, "space", None), getattr(data, "subject", None)
        now_us, period_us = getattr(data, "end_us", packet.t_us), 1e6 / self.hz
        # Overdue by a whole period is as good as new: a pause saves nothing up, and who left is
        # forgotten.
        self._next_us = {s: due for s, due in self._next_us.items() if now_us - due < period_us}
        due_us = self._next_us.get(stream, now_us)
        if now_us >= due_us:
            # Counted from when it was due, so that 30 frames a second become 20 and not 15.
            self._next_us[stream] = due_us + period_us
            yield packet
