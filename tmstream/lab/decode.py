"""Samples as packets: sounds with their surroundings, pictures, films, rows of landmarks."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from typing import Any

import numpy as np

from ..backends.pictures import decode_picture
from ..core.errors import InputError
from ..core.packet import Audio, Image, Landmarks, Packet, UInt8
from .sample import Sample, Sound

MOST_SECONDS = 600.0
#: What is heard around a span, so that the segmenter meets its sounds as it would live.
AROUND_S = 1.0


def sound(sample: Sample) -> Sound:
    """Read a sound file, or a span of one with what is around it.

    Raises:
        InputError: it is missing, damaged, empty, longer than ten minutes, or ends before the span.
    """
    from ..capture.audio_file import AudioFile

    whole = sample.start_s is None and sample.end_s is None
    start_s = max(0.0, (sample.start_s or 0.0) - AROUND_S)
    end_s = None if sample.end_s is None else sample.end_s + AROUND_S
    file = AudioFile(
        str(sample.file), block_s=1.0, start_s=start_s, end_s=end_s, longest_s=MOST_SECONDS
    )
    if not whole:
        # A span may be cut out of a recording of any length.
        file.longest_s = None

    async def read() -> list[Packet[Audio]]:
        await file.open(None)  # type: ignore[arg-type]
        return [packet async for packet in file.packets()]

    packets = asyncio.run(read())
    blocks = [packet.data.samples for packet in packets]
    samples = np.concatenate(blocks) if blocks else np.zeros((0, 1), np.float32)
    length_s = len(samples) / file.rate_hz
    from_s = (sample.start_s or 0.0) - start_s
    if not len(samples) or length_s <= from_s:
        raise InputError(f"{sample}: holds no sound" + ("" if whole else " there"))
    if length_s > MOST_SECONDS:
        raise InputError(f"{sample}: longer than {MOST_SECONDS:.0f} s")
    until_s = length_s if sample.end_s is None else sample.end_s - start_s
    return Sound(samples, file.rate_hz, start_s, from_s, until_s)


def sound_of(data: bytes) -> Sound:
    """Read a kept sound; raises `InputError` when it is damaged."""
    import soundfile

    try:
        samples, rate_hz = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as error:
        raise InputError(f"a clip cannot be decoded ({error})") from error
    return Sound(samples, rate_hz, 0.0, 0.0, len(samples) / rate_hz)


def picture(sample: Sample) -> UInt8:
    """Read a picture, uint8 (h, w, 3) RGB; raises `InputError`."""
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
    return Landmarks(points, sample.kind, "1")
