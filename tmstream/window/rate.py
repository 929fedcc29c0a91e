"""Not more often than so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..core.node import Types
from ..core.packet import Embedding, Features, Gap, Image, Landmarks, Packet, Scores


@dataclass
class Rate:
    """Lets at most ``hz`` packets a second pass, by their own times, for each subject.

    {type: rate, from: cam, hz: 10}
    """

    takes: ClassVar[Types] = (Image, Landmarks, Features, Embedding, Scores, Gap)
    gives: ClassVar[Types] = takes

    hz: float = field(default=10.0, metadata={"live": True})

    _next_us: dict[tuple[type, str | None], float] = field(
        default_factory=dict, init=False, repr=False
    )

    def __post_init__(self) -> None:
        if not 0.01 <= self.hz <= 1000.0:
            raise ValueError("hz must lie between 0.01 and 1000")

    def process(self, packet: Packet[Any]) -> Iterable[Packet[Any]]:
        """Yield the packet, or nothing."""
        if isinstance(packet.data, Gap):
            self._next_us.clear()
            yield packet
            return
        key = (type(packet.data), getattr(packet.data, "subject", None))
        due_us = self._next_us.get(key, float(packet.t_us))
        if packet.t_us < due_us:
            return
        # Counted from when it was due, so that 30 frames a second become 20 and not 15; but a pause
        # saves nothing up.
        period_us = 1e6 / self.hz
        late = packet.t_us - due_us >= period_us
        self._next_us[key] = (packet.t_us if late else due_us) + period_us
        yield packet
