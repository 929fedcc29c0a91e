"""Log-mel frames, for those who bring their own embedder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..core.node import Types
from ..core.packet import Audio, Features, Gap, Packet
from ..maths.counting import SampleCount
from ..maths.mel import PowerStream, audible, decibels, hann, mel_filters


@dataclass
class LogMel:
    """A frame of ``bands`` mel powers in dB every ``hop`` samples, each over ``n_fft`` samples.

    As ``librosa.power_to_db(librosa.feature.melspectrogram(..., center=False), top_db=None)``. The
    sound's own rate is kept; several channels are mixed. Windows that overlap (`Slide`) are each
    taken by itself.

        {type: logmel, from: mic, bands: 40}
    """

    takes: ClassVar[Types] = (Audio, Gap)
    gives: ClassVar[Types] = (Features, Gap)

    n_fft: int = 512
    hop: int = 160
    bands: int = 40
    low_hz: float = 0.0
    high_hz: float | None = None  #: half the sampling rate when not given

    _stream: PowerStream = field(init=False, repr=False)
    _count: SampleCount | None = field(default=None, init=False, repr=False)
    _frames: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        if not 32 <= self.n_fft <= 16384:
            raise ValueError("n_fft must lie between 32 and 16384")
        if not 1 <= self.hop <= self.n_fft:
            raise ValueError("hop must lie between 1 and n_fft")
        if not 1 <= self.bands <= 512:
            raise ValueError("bands must lie between 1 and 512")
        if self.low_hz < 0:
            raise ValueError("low_hz must not be negative")
        if self.high_hz is not None and self.high_hz <= self.low_hz:
            raise ValueError("high_hz must be above low_hz")

    def process(self, packet: Packet[Any]) -> Iterable[Packet[Any]]:
        """Yield the frames that the new samples complete, as one packet."""
        if isinstance(packet.data, Gap):
            self._count = None
            yield packet
            return
        audio: Audio = packet.data
        block = packet.t_us, len(audio.samples), audio.rate_hz
        if self._count is None or not self._count.take(*block):
            high_hz = min(self.high_hz or audio.rate_hz / 2, audio.rate_hz / 2)
            low_hz = min(self.low_hz, high_hz / 2)
            weights = mel_filters(audio.rate_hz, self.n_fft, self.bands, low_hz, high_hz)
            self._stream = PowerStream(hann(self.n_fft, self.n_fft), self.hop, weights)
            self._count, self._frames = SampleCount(*block), 0
        made = self._stream.push(audible(audio.samples))
        if len(made):
            t_us = self._count.at_us(self._frames * self.hop)
            self._frames += len(made)
            yield Packet(t_us, Features(decibels(made), self.hop / audio.rate_hz), packet.ledger)
