"""Devices that are unplugged, freeze and talk nonsense when told to, behind the usual shapes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from tmstream.capture.synthetic import Synthetic
from tmstream.capture.walker import Walker
from tmstream.core.errors import DeviceError
from tmstream.core.packet import Audio, Gap, Image, Landmarks, Packet

from .person import painted

#: As the real devices do it: nothing raises when a cable is pulled, sound just stops coming.
SILENT_S = 2.0

State = Literal["well", "gone", "silent", "zeros", "nan", "frozen"]


@dataclass
class Plug:
    """What happens at the other end of the cable; turned by a test while the engine runs."""

    state: State = "well"
    opened: int = 0  #: how often somebody opened the device
    lost: int = 0  #: how often its loss was noticed
    refused: int = 0  #: how often it could not be opened


PLUGS: dict[str, Plug] = {}


class FastClock:
    """The machine's clock, ``speed`` times as fast."""

    speed: ClassVar[float] = 1.0
    _zero_ns: ClassVar[int] = time.perf_counter_ns()

    def now_us(self) -> int:
        """Return microseconds since an arbitrary instant."""
        return round((time.perf_counter_ns() - self._zero_ns) * self.speed / 1000) + 10**9


@dataclass
class FaultyMicrophone:
    """A microphone in front of the synthetic performer."""

    gives: ClassVar[tuple[type, ...]] = (Audio, Gap)
    live: ClassVar[bool] = True

    plug: str = "mic"
    sounds: list[str] = field(default_factory=lambda: ["clap", "whistle", "hum"])
    seed: int = 0
    _services: Any = field(default=None, init=False, repr=False)

    async def open(self, services: Any) -> None:
        self._services = services
        plug = PLUGS.setdefault(self.plug, Plug())
        if plug.state == "gone":
            plug.refused += 1
            raise DeviceError(f"{self.plug}: no such device")
        plug.opened += 1

    async def packets(self) -> AsyncIterator[Packet[Any]]:
        clock, plug = self._services.clock, PLUGS[self.plug]
        start_us, zeros = clock.now_us(), 0
        inner = Synthetic(sounds=self.sounds, every_s=1.5, seed=self.seed + plug.opened)  # type: ignore[arg-type]
        async for packet in inner.packets():
            due_us = start_us + packet.t_us + 20_000
            await asyncio.sleep(max(0, due_us - clock.now_us()) / 1e6 / FastClock.speed)
            if plug.state in ("gone", "silent"):
                await asyncio.sleep(SILENT_S / FastClock.speed)
                plug.lost += 1
                raise DeviceError(f"{self.plug}: gave no sound for {SILENT_S:.0f} s")
            samples = packet.data.samples
            if plug.state in ("zeros", "nan"):
                samples = np.full_like(samples, np.nan if plug.state == "nan" else 0.0)
            zeros = 0 if samples.any() else zeros + 1
            if zeros == SILENT_S * 50:
                self._services.notice(f"{self.plug}: gives only zeros; is it muted?")
            elif not zeros:
                self._services.notice(None)
            yield Packet(start_us + packet.t_us, Audio(samples, packet.data.rate_hz))


@dataclass
class FaultyPerson:
    """A camera and its landmarks in one, in front of the walker."""

    gives: ClassVar[tuple[type, ...]] = (Landmarks, Gap)
    live: ClassVar[bool] = True

    plug: str = "cam"
    fps: float = 15.0
    nth: int = 1  #: only each nth picture of the walker's is given
    _services: Any = field(default=None, init=False, repr=False)

    async def open(self, services: Any) -> None:
        self._services = services
        plug = PLUGS.setdefault(self.plug, Plug())
        if plug.state == "gone":
            plug.refused += 1
            raise DeviceError(f"{self.plug}: no such device")
        plug.opened += 1

    async def packets(self) -> AsyncIterator[Packet[Any]]:
        clock, plug, frame = self._services.clock, PLUGS[self.plug], 0
        start_us = clock.now_us()
        async for packet in Walker(fps=self.fps, moves=["stand", "t_pose", "arms_up"]).packets():
            due_us = start_us + packet.t_us
            await asyncio.sleep(max(0, due_us - clock.now_us()) / 1e6 / FastClock.speed)
            if plug.state in ("gone", "silent"):
                await asyncio.sleep(SILENT_S / FastClock.speed)
                plug.lost += 1
                raise DeviceError(f"{self.plug}: no new picture for {SILENT_S:.0f} s")
            frame += 1
            if frame % self.nth == 0:
                yield Packet(start_us + packet.t_us, self.seen(packet.data, plug.state))

    def seen(self, person: Landmarks, state: State) -> Any:
        """Return what it gives of the walker: their landmarks, or points that are no numbers."""
        if state == "nan":
            nowhere = np.full_like(person.points, np.nan)
            return Landmarks(nowhere, person.space, person.subject, person.aspect)
        return person


@dataclass
class FaultyCamera(FaultyPerson):
    """A camera in front of the walker, painted: black when muted, and now and then 0 x 0."""

    gives: ClassVar[tuple[type, ...]] = (Image, Gap)
    latest_only: ClassVar[bool] = True

    def seen(self, person: Landmarks, state: State) -> Any:
        """Return the picture of them."""
        if state == "nan":
            return Image(np.zeros((0, 0, 3), np.uint8))
        picture = painted(person.points)
        return Image(np.zeros_like(picture) if state == "zeros" else picture)
