"""Write a recording beside the loop: bounded in memory, bytes, age, and by the room on the disk."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import msgspec

from ..core.errors import DeviceError
from ..core.packet import Gap, Packet
from . import packets
from .recording import INFO, SUFFIX, Session, frame, segments, sessions
from .records import MIN_FREE_BYTES

log = logging.getLogger(__name__)

CHUNK_S = 1.0  #: what a crash can cost
SEGMENT_BYTES = 32 * 10**6
MAX_WAITING = 4096  #: packets in memory while the disk is slow (about half a minute)
MAX_WAITING_BYTES = 64 * 10**6
CLOSE_S = 4.0


class Tape:
    """One session being written by its own daemon thread, so that a hung disk holds up nobody.

    ``problem`` is what the user should know, or None.
    """

    def __init__(
        self, path: Path, session: Session, *, max_bytes: int, max_age_s: float, exact: bool = True
    ) -> None:
        self.problem: str | None = None
        self._path, self._exact = path, exact
        self._max_bytes, self._max_age_s = max_bytes, max_age_s
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(session.started_unix_us / 1e6))
        try:
            self.folder = _new_folder(path, stamp)
            part = self.folder / f"{INFO}.part"
            part.write_bytes(msgspec.json.format(msgspec.json.encode(session)))
            part.replace(self.folder / INFO)
        except OSError as error:
            raise DeviceError(f"{path}: cannot record there: {error.strerror}") from error
        self._waiting: list[packets.Named] = []
        self._bytes = 0
        self._lost: set[str] = set()  # nodes whose last packet did not fit in memory
        self._missed: set[str] = set()  # nodes whose last packet did not reach the disk
        self._changed = threading.Condition()
        self._closing = self._failing = False
        self._asked = self._served = 0  # how often somebody could not wait for the second's end
        self._file: Any = None
        self._written = 0
        self._segment = 0
        self._began: dict[Path, float] = {}
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    @property
    def full(self) -> bool:
        """Whether `put` would drop a packet."""
        return len(self._waiting) >= MAX_WAITING or self._bytes >= MAX_WAITING_BYTES

    def put(self, node: str, packet: Packet[Any]) -> None:
        """Keep a packet soon; when the disk is too slow it is lost, and a `Gap` tells so."""
        with self._changed:
            if self.full:
                self._lost.add(node)
                self.problem = "the disk is too slow; parts are not recorded"
                return
            if node in self._lost:
                self._lost.discard(node)
                self._waiting.append((node, Packet(packet.t_us, Gap("not recorded"))))
            self._waiting.append((node, Packet(packet.t_us, packet.data)))
            self._bytes += _size(packet)
            if len(self._waiting) >= MAX_WAITING // 8 or self._bytes >= MAX_WAITING_BYTES // 8:
                self._hurry()

    def flush(self) -> None:
        """Write what waits now, not at the end of the second."""
        with self._changed:
            self._hurry()
            mine = self._asked
            self._changed.wait_for(lambda: self._served >= mine, CLOSE_S)

    def _hurry(self) -> None:
        self._asked += 1
        self._changed.notify_all()

    def close(self) -> None:
        """Write what waits, within a deadline."""
        with self._changed:
            self._closing = True
            self._hurry()
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._asked > self._served, CHUNK_S)
                chunk, self._waiting, self._bytes = self._waiting, [], 0
                closing, asked = self._closing, self._asked
            if chunk:
                self._guarded(chunk)
            with self._changed:
                self._served = asked
                self._changed.notify_all()
            if closing:
                self._end_segment()
                return

    def _guarded(self, chunk: list[packets.Named]) -> None:
        nodes = {node for node, _ in chunk}
        try:
            free = shutil.disk_usage(self._path).free
            if free < MIN_FREE_BYTES:
                raise OSError(0, f"only {free / 1e6:.0f} MB are free on this disk")
            told = _with_gaps(chunk, self._missed & nodes)
            self._write(frame(packets.encode(told, exact=self._exact)))
            self._missed -= nodes
            self.problem, self._failing = None, False
        except Exception as error:  # noqa: BLE001 - it says so, and nobody else is held up
            self.problem = f"not recording: {getattr(error, 'strerror', None) or error}"
            if not self._failing:  # a disk may be full for weeks, and the log is on it
                log.warning("%s: %s", self.folder, self.problem)
            self._failing = True
            self._missed |= nodes
            with contextlib.suppress(OSError):
                self._end_segment()  # what follows starts a fresh one, behind nothing torn

    def _write(self, data: bytes) -> None:
        if self._file is None:
            segment = self.folder / f"{self._segment:06d}{SUFFIX}"
            self._segment += 1
            self._file = segment.open("xb", buffering=0)
            self._began[segment] = time.monotonic()
            self._written = 0
        if self._file.write(data) != len(data):
            raise OSError(0, "the disk is full")
        self._written += len(data)
        if self._written >= min(SEGMENT_BYTES, self._max_bytes // 8):
            self._end_segment()
        self._forget()

    def _end_segment(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            try:
                os.fsync(file.fileno())
            finally:
                file.close()

    def _forget(self) -> None:
        """Remove the oldest segments beyond the bounds, never the one being written.

        Our own are aged by the clock that nobody can turn; those of earlier runs by their date.
        """
        found = [one for folder in sessions(self._path) for one in segments(folder)]
        sizes = {one: _bytes_of(one) for one in found}
        total = sum(sizes.values())
        for segment in found[:-1]:
            old = self._age_s(segment) > self._max_age_s
            if not old and total <= self._max_bytes:
                continue
            with contextlib.suppress(OSError):
                segment.unlink()
                total -= sizes[segment]
                if segment.parent != self.folder and not segments(segment.parent):
                    shutil.rmtree(segment.parent, ignore_errors=True)

    def _age_s(self, segment: Path) -> float:
        began = self._began.get(segment)
        if began is not None:
            return time.monotonic() - began
        with contextlib.suppress(OSError):
            return time.time() - segment.stat().st_mtime
        return 0.0


def _with_gaps(chunk: list[packets.Named], missed: set[str]) -> list[packets.Named]:
    """Put a `Gap` before the first packet of each node that missed one."""
    told: list[packets.Named] = []
    for node, packet in chunk:
        if node in missed:
            missed.discard(node)
            told.append((node, Packet(packet.t_us, Gap("not recorded"))))
        told.append((node, packet))
    return told


def _new_folder(path: Path, stamp: str) -> Path:
    """Make a folder that sorts behind those made before it, also within one second."""
    path.mkdir(parents=True, exist_ok=True)
    for i in range(1000):
        with contextlib.suppress(FileExistsError):
            folder = path / f"{stamp}-{i:03d}"
            folder.mkdir()
            return folder
    raise OSError(0, "a thousand recordings began within this second")


def _bytes_of(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0


def _size(packet: Packet[Any]) -> int:
    data = packet.data
    arrays = (getattr(data, name, None) for name in ("samples", "pixels", "points", "vector"))
    return 200 + sum(int(array.nbytes) for array in arrays if array is not None)
