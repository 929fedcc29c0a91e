"""A camera as a source: the latest frame, stamped when taken, from a process that may die."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from ..backends.child import command, exactly, new_memory
from ..core.errors import DeviceError
from ..core.node import Types
from ..core.packet import Image, Packet
from ..core.services import Services
from ._camera_child import NEWS, SLOT_BYTES, SLOTS

#: Longest wait for a new frame, for the first one, and for the child to leave by itself.
FRAME_S, FIRST_S, LEAVE_S = 2.0, 10.0, 1.0
#: The same picture for so long is a frozen camera: it is said, and frames go on.
FROZEN_S = 10.0


class _Frame(NamedTuple):
    serial: int
    stamp_us: int
    check: int
    height: int
    width: int
    slot: int


@dataclass
class Camera:
    """Frames of a camera or a stream (`Image`), the latest first, late ones thrown away.

    ``device`` is a number, part of a name ("Logitech"), a path that stays the same
    (``/dev/v4l/by-id/...``) or a stream's address (``rtsp://...``). A camera that gives nothing for
    two seconds is let go and tried again.

        cam: {type: camera, device: 0, width: 640, height: 480, fps: 30}
    """

    gives: ClassVar[Types] = (Image,)
    live: ClassVar[bool] = True
    latest_only: ClassVar[bool] = True

    device: int | str = 0
    width: int = 640
    height: int = 480
    fps: float = 30.0
    _child: _Child | None = field(default=None, init=False, repr=False)
    _services: Services | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.device, int) and self.device < 0:
            raise ValueError("device must not be negative")
        if not (16 <= self.width <= 4096 and 16 <= self.height <= 4096):
            raise ValueError("width and height must lie between 16 and 4096")
        if not 1 <= self.fps <= 240:
            raise ValueError("fps must lie between 1 and 240")

    async def open(self, services: Services) -> None:
        """Start the child and wait for the first frame; raises `DeviceError` with its reason."""
        self._services = services
        device = find_camera(self.device)
        self._child = _Child(self.command(device))
        try:
            await self._child.next(None, FIRST_S)
        except DeviceError:
            await self.close()
            raise

    def command(self, device: str) -> list[str]:
        """Return what starts the child, but for its memory and life line."""
        size = (str(self.width), str(self.height), str(self.fps))
        return command(f"{__package__}._camera_child", device, *size)

    async def packets(self) -> AsyncIterator[Packet[Image]]:
        """Yield frames as they come; raises `DeviceError` after two seconds without one."""
        assert self._child is not None
        assert self._services is not None
        services, child = self._services, self._child
        last: _Frame | None = None
        last_us = -1
        same_since_us, frozen = 0, False
        while True:
            frame = await child.next(last, FRAME_S)
            if last is None or frame.check != last.check:
                same_since_us = frame.stamp_us
            still = frame.stamp_us - same_since_us > FROZEN_S * 1e6
            if still != frozen:
                frozen = still
                services.notice("the camera shows the same picture all the time" if still else None)
            last = frame
            pixels = child.pixels(frame)
            if pixels is None:
                continue
            late_us = time.perf_counter_ns() // 1000 - frame.stamp_us
            last_us = max(last_us + 1, services.clock.now_us() - late_us)
            yield Packet(last_us, Image(pixels))

    async def close(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        if child is not None:
            await asyncio.to_thread(child.end)


class _Child:
    """The living process, its memory, and the news it sent last."""

    def __init__(self, command: list[str]) -> None:
        self._loop = asyncio.get_running_loop()
        self._memory, descriptor, name = new_memory(SLOTS * SLOT_BYTES)
        life, self._life = os.pipe()
        keep = (life,) if descriptor is None else (life, descriptor)
        windows = sys.platform == "win32"
        quiet = {"OPENCV_LOG_LEVEL": "ERROR", "OPENCV_FFMPEG_LOGLEVEL": "8"}
        self._latest: _Frame | None = None
        self._newest = 0  #: serial told last; the loop may hear of it later, when it is busy
        self._reason: str | None = None
        self._news = asyncio.Event()
        # Started by the thread that reads, because the kernel ends a child when the thread that
        # made it does.
        self._started = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None

        def run() -> None:
            try:
                self._process = subprocess.Popen(
                    [*command, name, "-1" if windows else str(life)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=os.environ | quiet,
                    bufsize=0,
                    pass_fds=() if windows else keep,
                )
            except OSError as error:
                self._tell(None, str(error))
                return
            finally:
                for one in keep:
                    os.close(one)
                self._started.set()
            self._read(self._process)

        self._reader = threading.Thread(target=run, name="camera", daemon=True)
        self._reader.start()

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        try:
            while True:
                *told, size = NEWS.unpack(exactly(process.stdout, NEWS.size))
                if size:
                    self._tell(None, exactly(process.stdout, size).decode(errors="replace"))
                    return
                frame = _Frame(*told)
                self._newest = frame.serial
                self._tell(frame, None)
        except (OSError, ValueError):
            self._tell(None, "the camera process ended")

    def _tell(self, frame: _Frame | None, reason: str | None) -> None:
        def settle() -> None:
            self._latest, self._reason = frame or self._latest, self._reason or reason
            self._news.set()

        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(settle)

    async def next(self, last: _Frame | None, patience_s: float) -> _Frame:
        """Return the latest frame, one newer than ``last``."""
        try:
            async with asyncio.timeout(patience_s):
                while True:
                    if self._reason is not None:
                        raise DeviceError(self._reason)
                    if self._latest is not None and self._latest != last:
                        return self._latest
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise DeviceError(f"the camera gave no new frame in {patience_s:g} s") from None

    def pixels(self, frame: _Frame) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]] | None:
        """Return a copy of a frame, or None when it was overwritten meanwhile."""
        shape = (frame.height, frame.width, 3)
        size = frame.height * frame.width * 3
        start = frame.slot * SLOT_BYTES
        made = np.frombuffer(self._memory, np.uint8, size, start).reshape(shape).copy()
        return None if self._newest - frame.serial >= SLOTS - 1 else made

    def end(self) -> None:
        """Let the child leave, insist after a second, and release everything.

        One that hangs in its driver cannot be ended by any signal, and is left behind.
        """
        self._started.wait()
        os.close(self._life)
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(LEAVE_S)
            self._process.kill()
            try:
                self._process.wait(LEAVE_S)
            except subprocess.TimeoutExpired:
                return
            self._reader.join()
            assert self._process.stdout is not None
            self._process.stdout.close()
        self._memory.close()


def cameras() -> dict[str, str]:
    """Return the names of the cameras by device number (Linux; elsewhere nothing is known)."""
    found = {}
    for entry in sorted(Path("/sys/class/video4linux").glob("video*")):
        name = entry / "name"
        if name.is_file():
            found[entry.name.removeprefix("video")] = name.read_text("utf-8", "replace").strip()
    return found


def find_camera(device: int | str) -> str:
    """Return what OpenCV opens: a number, a path or an address; raises `DeviceError`."""
    text = str(device)
    if text.isdigit() or "://" in text or text.startswith(("/", "\\\\", ".")):
        return text
    known = cameras()
    for number, name in known.items():
        if text.lower() in name.lower():
            return number
    there = ", ".join(f"{number}: {name}" for number, name in known.items()) or "none"
    raise DeviceError(f"no camera is called {text!r}; there are {there}")
