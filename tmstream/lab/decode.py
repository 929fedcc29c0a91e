"""Samples as packets: sounds with their surroundings, pictures, films, rows of landmarks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.errors import InputError
from ..core.packet import Audio, Float32, Image, Landmarks, Packet, UInt8
from .samples import Sample

MOST_SECONDS = 600.0
#: What is heard around a span, so that the segmenter meets its sounds as it would live.
AROUND_S = 1.0
BLOCK_S = 0.25


@dataclass(frozen=True)
class Sound:
    """A piece of a recording; times in seconds from the piece's beginning.

    ``samples`` is float32 (n, channels) at ``rate_hz``; ``offset_s`` is where the piece begins in
    the file. Only what sounds between ``from_s`` and ``until_s`` was asked for.
    """

    samples: Float32
    rate_hz: int
    offset_s: float
    from_s: float
    until_s: float

    def blocks(self) -> list[Packet[Audio]]:
        """Return the piece as the packets of a stream from time 0."""
        size = max(1, round(BLOCK_S * self.rate_hz))
        return [
            Packet(
                round(at * 1e6 / self.rate_hz), Audio(self.samples[at : at + size], self.rate_hz)
            )
            for at in range(0, len(self.samples), size)
        ]


def sound(sample: Sample) -> Sound:
    """Read a sound file, or a span of one with what is around it.

    Raises:
        InputError: it is missing, damaged, empty, longer than ten minutes, or ends before the span.
    """
    import soundfile

    try:
        with soundfile.SoundFile(sample.file) as file:
            rate_hz, length_s = file.samplerate, file.frames / file.samplerate
            start_s = max(0.0, (sample.start_s or 0.0) - AROUND_S)
            end_s = length_s if sample.end_s is None else min(length_s, sample.end_s + AROUND_S)
            if sample.start_s is None and sample.end_s is None:
                start_s = 0.0
            if end_s - start_s > MOST_SECONDS:
                raise InputError(f"{sample}: longer than {MOST_SECONDS:.0f} s; give start and end")
            file.seek(min(file.frames, round(start_s * rate_hz)))
            count = max(0, round((end_s - start_s) * rate_hz))
            samples = file.read(count, dtype="float32", always_2d=True)
    except (OSError, RuntimeError, ValueError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        why = " ".join(str(error).split()).rpartition(": ")[2]
        raise InputError(f"{sample}: cannot be decoded ({why})") from error
    if not len(samples):
        raise InputError(f"{sample}: holds no sound" + _past(sample, length_s))
    from_s = 0.0 if sample.start_s is None else sample.start_s - start_s
    until_s = len(samples) / rate_hz if sample.end_s is None else sample.end_s - start_s
    return Sound(samples, rate_hz, start_s, from_s, until_s)


def _past(sample: Sample, length_s: float) -> str:
    return f" there; the file has {length_s:.1f} s" if sample.start_s is not None else ""


def picture(sample: Sample) -> UInt8:
    """Read a picture, uint8 (h, w, 3) RGB; raises `InputError`."""
    from ..backends.pictures import decode_picture

    if not sample.file.is_file():
        raise InputError(f"{sample}: no such file")
    return decode_picture(sample.file)


def each_frame(sample: Sample, use: Callable[[Packet[Image]], Any]) -> None:
    """Read a film, or a span of one, frame by frame; raises `InputError`."""
    from ..capture.video_file import VideoFile

    film = VideoFile(str(sample.file), sample.start_s or 0.0, sample.end_s)

    async def read() -> None:
        if not sample.file.is_file():
            raise InputError(f"{sample}: no such file")
        async for packet in film.packets():
            if packet.t_us > MOST_SECONDS * 1e6:
                raise InputError(f"{sample}: longer than {MOST_SECONDS:.0f} s; give start and end")
            use(packet)

    asyncio.run(read())


def landmarks(sample: Sample) -> Landmarks:
    """Return a row of a table as landmarks of a picture that just holds them.

    Tables come in pixels, in shares of the picture, or relative to a wrist: scaled evenly, and
    moved into the middle of a square, they keep their shape. Visibility above 1 is per cent.

    Raises:
        InputError: a number is missing or not finite, or all points are one.
    """
    assert sample.points is not None
    points = np.array(sample.points, np.float32)
    if not np.isfinite(points).all():
        raise InputError(f"{sample}: a coordinate is missing or not a finite number")
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    size = float((high - low).max())
    if not size > 0:
        raise InputError(f"{sample}: all its points are at one place")
    points[:, :2] = (points[:, :2] - (low + high) / 2) * (0.8 / size) + 0.5
    points[:, 2] *= 0.8 / size
    if points[:, 3].max() > 1.5:
        points[:, 3] /= 100.0
    points[:, 3] = points[:, 3].clip(0.0, 1.0)
    return Landmarks(points, "body" if sample.kind == "body" else "hand", "1")
