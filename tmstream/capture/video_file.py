"""A film as a source: its frames, at the times the file gives them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from ..core.errors import InputError
from ..core.node import Types
from ..core.packet import Image, Packet
from ..core.services import Services
from ._ahead import read_ahead

MAX_PIXELS = 16_000_000


@dataclass
class VideoFile:
    """Frames of a video file, RGB, turned upright as the file says; the first is at time 0.

    ``start_s`` and ``end_s`` cut a span out (times then still count from the span's beginning);
    ``every`` keeps one frame in so many.

        cam: {type: video_file, path: squats.mp4}
    """

    gives: ClassVar[Types] = (Image,)
    live: ClassVar[bool] = False
    latest_only: ClassVar[bool] = True

    path: str
    start_s: float = 0.0
    end_s: float | None = None
    every: int = 1
    _file: Path = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.start_s < 0:
            raise ValueError("start_s must not be negative")
        if self.end_s is not None and self.end_s <= self.start_s:
            raise ValueError("end_s must be later than start_s")
        if self.every < 1:
            raise ValueError("every must be at least 1")
        self._file = Path(self.path).expanduser()

    async def open(self, services: Services) -> None:
        """Raises `InputError` when there is no such file."""
        if not self._file.is_file():
            raise InputError(f"{self.path}: no such video file")

    async def packets(self) -> AsyncIterator[Packet[Image]]:
        """Yield the frames, read a few ahead."""
        async for packet in read_ahead(self._frames):
            yield packet

    def _frames(self) -> Iterator[Packet[Image]]:
        # Quiet, and set before the library loads: a damaged film must not fill the terminal.
        os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "8")
        import cv2

        film = cv2.VideoCapture(str(self._file))
        try:
            width, height = film.get(cv2.CAP_PROP_FRAME_WIDTH), film.get(cv2.CAP_PROP_FRAME_HEIGHT)
            if not film.isOpened() or width * height <= 0:
                raise InputError(f"{self.path}: cannot be read as a video")
            if width * height > MAX_PIXELS:
                raise InputError(f"{self.path}: {width:.0f} x {height:.0f} is over 16 megapixels")
            frame_us = 1e6 / (film.get(cv2.CAP_PROP_FPS) or 25.0)
            start_us = round(self.start_s * 1e6)
            end_us = float("inf") if self.end_s is None else self.end_s * 1e6
            first_us: float | None = None
            last_us = -1
            index = -1
            while film.grab():
                index += 1
                # Files without times give 0 for every frame: then the frame rate tells.
                told_us = film.get(cv2.CAP_PROP_POS_MSEC) * 1e3
                first_us = told_us if first_us is None else first_us
                file_us = told_us - first_us if told_us > first_us else index * frame_us
                if file_us >= end_us:
                    return
                if file_us < start_us or index % self.every:
                    continue
                done, pixels = film.retrieve()
                if not done:
                    continue
                t_us = max(last_us + 1, round(file_us) - start_us)
                last_us = t_us
                rgb = np.ascontiguousarray(pixels[:, :, ::-1], np.uint8)
                yield Packet(t_us, Image(rgb))
            if last_us < 0:
                raise InputError(f"{self.path}: holds no frame that can be read in that span")
        finally:
            film.release()
