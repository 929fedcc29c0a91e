"""The last moments of a body or hand, side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..core.node import Types
from ..core.packet import Absent, Features, Gap, Landmarks, Packet

Key = tuple[str, str | None]


@dataclass
class Stack:
    """The last ``count`` landmarks of each subject as one row each: ``(count, points * 4)``.

    {type: stack, from: body, count: 30}
    """

    takes: ClassVar[Types] = (Landmarks, Absent, Gap)
    gives: ClassVar[Types] = (Features, Absent, Gap)

    count: int = 30

    _rows: dict[Key, deque[Packet[Landmarks]]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if not 2 <= self.count <= 1000:
            raise ValueError("count must lie between 2 and 1000")

    def process(self, packet: Packet[Any]) -> Iterable[Packet[Any]]:
        """Yield the stack that ends with this packet, once it is full."""
        data = packet.data
        if isinstance(data, Gap):
            self._rows.clear()
            yield packet
            return
        if isinstance(data, Absent):
            # Nobody there, or one of them gone: a newcomer must not continue their past.
            for key in [k for k in self._rows if data.subject in (None, k[1])]:
                del self._rows[key]
            yield packet
            return
        rows = self._rows.setdefault((data.space, data.subject), deque(maxlen=self.count))
        rows.append(packet)
        if len(rows) == self.count:
            first_us = rows[0].t_us
            hop_s = (packet.t_us - first_us) / 1e6 / (self.count - 1)
            values = np.stack([row.data.points.reshape(-1) for row in rows])
            yield Packet(first_us, Features(values, hop_s), packet.ledger)
