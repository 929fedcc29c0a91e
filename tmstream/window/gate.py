"""Only what is loud enough."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..core.node import Types
from ..core.packet import Absent, Audio, Gap, Packet


@dataclass
class Gate:
    """Lets sound pass while it is louder than ``open_db``, and ``hold_s`` longer.

    What is held back becomes `Absent` ("silence"). For embedders of your own: `audio_embedding`
    finds sounds itself, by the noise of the room before them, which a gate keeps from it.

        {type: gate, from: mic, open_db: -45}
    """

    takes: ClassVar[Types] = (Audio, Gap)
    gives: ClassVar[Types] = (Audio, Absent, Gap)

    open_db: float = field(default=-45.0, metadata={"live": True})  #: RMS, dB re full scale
    hold_s: float = field(default=0.3, metadata={"live": True})

    _until_us: int | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if not -120.0 <= self.open_db <= 0.0:
            raise ValueError("open_db must lie between -120 and 0")
        if not 0.0 <= self.hold_s <= 60.0:
            raise ValueError("hold_s must lie between 0 and 60 seconds")

    def process(self, packet: Packet[Any]) -> Iterable[Packet[Any]]:
        """Yield the sound, or that there was none."""
        if isinstance(packet.data, Gap):
            self._until_us = None
            yield packet
            return
        samples = packet.data.samples
        end_us = packet.t_us + round(len(samples) * 1e6 / packet.data.rate_hz)
        power = float(np.mean(np.square(samples, dtype=np.float64))) if samples.size else 0.0
        if power > 10.0 ** (self.open_db / 10.0):
            self._until_us = end_us + round(self.hold_s * 1e6)
        if self._until_us is not None and packet.t_us < self._until_us:
            yield packet
        else:
            yield packet.with_data(Absent("audio", "silence", end_us))
