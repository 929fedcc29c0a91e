"""Overlapping windows of sound, timed by counting samples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..core.node import Types
from ..core.packet import Audio, Float32, Gap, Packet
from ..maths.counting import SampleCount


@dataclass
class Slide:
    """Windows of ``length_s`` every ``hop_s``, however the sound comes cut; none spans a hole.

    {type: slide, from: mic, length_s: 1.0, hop_s: 0.5}
    """

    takes: ClassVar[Types] = (Audio, Gap)
    gives: ClassVar[Types] = (Audio, Gap)

    length_s: float = 1.0
    hop_s: float = 0.5

    _held: Float32 = field(init=False, repr=False)
    _count: SampleCount | None = field(default=None, init=False, repr=False)
    _dropped: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0.001 <= self.length_s <= 60.0:
            raise ValueError("length_s must lie between 0.001 and 60 seconds")
        if not 0.001 <= self.hop_s <= 60.0:
            raise ValueError("hop_s must lie between 0.001 and 60 seconds")

    def process(self, packet: Packet[Any]) -> Iterable[Packet[Any]]:
        """Yield the windows that the new samples complete."""
        if isinstance(packet.data, Gap):
            self._count = None
            yield packet
            return
        audio: Audio = packet.data
        block = packet.t_us, len(audio.samples), audio.rate_hz
        if self._count is None or not self._count.take(*block):
            self._count, self._dropped = SampleCount(*block), 0
            self._held = audio.samples
        else:
            self._held = np.concatenate([self._held, audio.samples])
        length = max(1, round(self.length_s * audio.rate_hz))
        hop = max(1, round(self.hop_s * audio.rate_hz))
        # A hop longer than its window leaves samples out: they are waited for, then dropped.
        while len(self._held) >= max(length, hop):
            window = Audio(self._held[:length], audio.rate_hz)
            yield Packet(self._count.at_us(self._dropped), window, packet.ledger)
            self._held = self._held[hop:]
            self._dropped += hop
