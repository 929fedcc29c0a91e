"""A recording as a source: wav, flac, ogg, mp3, and whatever else libsndfile reads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from ..backends.resample import Mono
from ..core.errors import InputError
from ..core.node import Types
from ..core.packet import Audio, Packet
from ..core.services import Services
from ._ahead import read_ahead

READ_S = 0.5  #: seconds decoded at once


@dataclass
class AudioFile:
    """The sound of a file, mixed to one channel, at ``rate_hz``, from time 0 in even blocks.

    ``start_s`` and ``end_s`` cut a span out; times then count from the span's beginning.
    ``longest_s`` refuses longer files, for samples that are handed in by strangers.

        mic: {type: audio_file, path: take.flac}
    """

    gives: ClassVar[Types] = (Audio,)
    live: ClassVar[bool] = False

    path: str
    rate_hz: int = 16000
    block_s: float = 0.02
    start_s: float = 0.0
    end_s: float | None = None
    longest_s: float | None = None
    _file: Path = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 4000 <= self.rate_hz <= 192_000:
            raise ValueError("rate_hz must lie between 4000 and 192000")
        if not 0.001 <= self.block_s <= 10.0:
            raise ValueError("block_s must lie between 0.001 and 10 seconds")
        if not self.start_s >= 0:
            raise ValueError("start_s must not be negative")
        if self.end_s is not None and not self.end_s > self.start_s:
            raise ValueError("end_s must be later than start_s")
        if self.longest_s is not None and not self.longest_s > 0:
            raise ValueError("longest_s must be positive")
        self._file = Path(self.path).expanduser()

    async def open(self, services: Services) -> None:
        """Raises `InputError` when there is no such file."""
        if not self._file.is_file():
            raise InputError(f"{self.path}: no such sound file")

    async def packets(self) -> AsyncIterator[Packet[Audio]]:
        """Yield the blocks, decoded a few ahead."""
        async for packet in read_ahead(self._blocks, depth=8):
            yield packet

    def _blocks(self) -> Iterator[Packet[Audio]]:
        block = max(1, round(self.block_s * self.rate_hz))
        held = np.empty(0, np.float32)
        given = 0
        for samples in self._mono():
            held = np.concatenate([held, samples])
            whole = len(held) // block * block
            for at in range(0, whole, block):
                yield self._packet(held[at : at + block], given)
                given += block
            held = held[whole:].copy()
        if len(held):
            yield self._packet(held, given)
        elif not given:
            raise InputError(f"{self.path}: holds no sound in that span")

    def _packet(self, samples: np.ndarray, given: int) -> Packet[Audio]:
        t_us = round(given * 1e6 / self.rate_hz)
        return Packet(t_us, Audio(samples.reshape(-1, 1), self.rate_hz))

    def _mono(self) -> Iterator[np.ndarray]:
        """Yield the span's samples, one channel at ``rate_hz``, as they are decoded."""
        # Imported here: a pipeline of pictures needs no libsndfile.
        import soundfile

        try:
            with soundfile.SoundFile(self._file) as file:
                seconds = file.frames / file.samplerate
                if self.longest_s is not None and seconds > self.longest_s:
                    raise InputError(f"{self.path}: {seconds:.0f} s is over {self.longest_s:.0f} s")
                mono = Mono(file.samplerate, self.rate_hz)
                start = min(round(self.start_s * file.samplerate), file.frames)
                end = file.frames if self.end_s is None else round(self.end_s * file.samplerate)
                file.seek(start)
                left = min(end, file.frames) - start
                while left > 0:
                    size = min(left, max(1, round(READ_S * file.samplerate)))
                    samples = file.read(size, dtype="float32", always_2d=True)
                    if not len(samples):
                        break
                    left -= len(samples)
                    yield mono.push(samples)
                yield mono.push(np.zeros((0, 1), np.float32), last=True)
        except soundfile.LibsndfileError as error:
            reason = str(error).rpartition(": ")[2].strip().rstrip(".")
            raise InputError(f"{self.path}: cannot be read as sound ({reason})") from error
