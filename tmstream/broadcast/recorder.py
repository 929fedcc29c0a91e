"""Keep what happens, to hear and judge it again: ``tmstream replay``."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from .. import __version__
from ..core.clock import MonotonicClock, VirtualClock, unix_offset_us
from ..core.packet import Audio, Image, Packet
from ..core.services import Services
from ..store.history import History
from ..store.packets import PAYLOADS
from ..store.recording import RunInfo, Session
from ..store.tape import Tape


@dataclass
class Recorder:
    """Writes sound, pictures, landmarks, vectors and decisions into a folder that can be replayed.

    Example: ``tape: {type: recorder, from: [mic, body, events], path: takes/evening}``

    ``path`` is relative to the pipeline's file. The oldest parts go when there are more than
    ``max_gb`` or when they are older than ``max_hours``. Sound is kept bit for bit (about 200 MB an
    hour) unless ``exact: false`` (16 bit FLAC, about a quarter of it). In a ``private`` pipeline
    neither sound nor pictures are ever written.
    """

    takes: ClassVar[tuple[type, ...]] = PAYLOADS
    keeps: ClassVar[bool] = True

    path: str
    max_gb: float = 4.0
    max_hours: float = 72.0
    exact: bool = True
    _tape: Tape | None = field(default=None, init=False, repr=False)
    _private: bool = field(default=False, init=False, repr=False)
    _waits: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.path:
            raise ValueError("path must name a folder")
        if not 0.001 <= self.max_gb <= 10_000:
            raise ValueError(f"max_gb must be between 0.001 and 10000, got {self.max_gb}")
        if not 0.01 <= self.max_hours <= 24 * 3660:
            raise ValueError(f"max_hours must be between 0.01 and 87840, got {self.max_hours}")

    async def open(self, services: Services) -> None:
        """Begin a session; raises `DeviceError` where nothing can be written."""
        self._services = services
        history = services.find(History)
        self._private = history is not None and history.private
        self._waits = isinstance(services.clock, VirtualClock)
        run = services.find(RunInfo) or RunInfo()
        now_us = services.clock.now_us()
        wall = MonotonicClock()
        session = Session(
            now_us, wall.now_us() + unix_offset_us(wall), __version__, run, self._private
        )
        self._tape = Tape(
            beside(run.path, self.path),
            session,
            max_bytes=round(self.max_gb * 1e9),
            max_age_s=self.max_hours * 3600,
            exact=self.exact,
        )

    async def close(self) -> None:
        """Finish writing."""
        if self._tape is not None:
            await asyncio.to_thread(self._tape.close)

    async def write(self, packet: Packet[Any]) -> None:
        """Record a packet of a nameless giver."""
        await self.write_from("", packet)

    async def write_from(self, giver: str, packet: Packet[Any]) -> None:
        """Record a packet of the node ``giver``; a graph of files waits for the disk."""
        tape = self._tape
        assert tape is not None, "write() before open()"
        if self._private and isinstance(packet.data, Audio | Image):
            self._services.notice("private: sound and pictures are not recorded")
            return
        if self._waits and tape.full:
            await asyncio.to_thread(tape.flush)
        tape.put(giver, packet)
        if not self._private:
            self._services.notice(tape.problem)


def beside(pipeline: str, path: str) -> Path:
    """Return ``path``, which is relative to the pipeline's own folder, as an absolute one."""
    return (Path(pipeline).parent / Path(path).expanduser()).absolute()
