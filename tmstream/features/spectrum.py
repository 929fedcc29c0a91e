"""A spectrum for the eye: a few bands and a level, as often as a screen can show them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..core.node import Types
from ..core.packet import Audio, Features, Gap, Packet
from ..maths.counting import SampleCount
from ..maths.mel import PowerStream, audible, decibels, hann, mel_filters


@dataclass
class Spectrum:
    """``bands`` mel bands in dB and the level, at most ``hz`` times a second.

    A sine of full scale has the level -3 dB; a band shows the power within it.

        {type: spectrum, from: mic, bands: 32, hz: 20}
    """

    takes: ClassVar[Types] = (Audio, Gap)
    gives: ClassVar[Types] = (Features, Gap)

    bands: int = 32
    hz: float = 20.0
    low_hz: float = 60.0
    high_hz: float = 8000.0
    least_db: float = -100.0

    _stream: PowerStream = field(init=False, repr=False)
    _count: SampleCount | None = field(default=None, init=False, repr=False)
    _hop: int = field(default=0, init=False, repr=False)
    _frames: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        if not 1 <= self.bands <= 256:
            raise ValueError("bands must lie between 1 and 256")
        if not 0.5 <= self.hz <= 100.0:
            raise ValueError("hz must lie between 0.5 and 100")
        if not 0 <= self.low_hz < self.high_hz:
            raise ValueError("low_hz must lie between 0 and high_hz")
        if not -200.0 <= self.least_db <= 0.0:
            raise ValueError("least_db must lie between -200 and 0")

    def process(self, packet: Packet[Any]) -> Iterable[Packet[Any]]:
        """Yield one frame for every ``1 / hz`` seconds that are complete."""
        if isinstance(packet.data, Gap):
            self._count = None
            yield packet
            return
        audio: Audio = packet.data
        block = packet.t_us, len(audio.samples), audio.rate_hz
        if self._count is None or not self._count.take(*block):
            self._count, self._frames = SampleCount(*block), 0
            self._begin(audio.rate_hz)
        for power in self._stream.push(audible(audio.samples)):
            t_us = self._count.at_us(self._frames * self._hop)
            self._frames += 1
            db = np.maximum(decibels(power), np.float32(self.least_db))
            shown = Features(db[None, 1:], self._hop / audio.rate_hz, float(db[0]))
            yield Packet(t_us, shown, packet.ledger)

    def _begin(self, rate_hz: int) -> None:
        self._hop = max(1, round(rate_hz / self.hz))
        # As long as a frame is shown, in a power of two: nothing between two frames goes unseen.
        n_fft = 1 << max(8, (self._hop - 1).bit_length())
        window = hann(n_fft, n_fft)
        # Parseval: twice the one-sided power over (length * window energy) is the mean square.
        scale = np.float32(2.0 / (n_fft * float((window**2).sum())))
        high_hz = min(self.high_hz, rate_hz / 2)
        triangles = mel_filters(rate_hz, n_fft, self.bands, min(self.low_hz, high_hz / 2), high_hz)
        peaks = np.maximum(triangles.max(axis=0), np.float32(1e-9))
        level = np.ones((n_fft // 2 + 1, 1), np.float32)
        self._stream = PowerStream(window, self._hop, np.hstack([level, triangles / peaks]) * scale)
