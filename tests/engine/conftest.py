"""Small nodes to build graphs from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pytest

from tmstream.core.errors import DeviceError
from tmstream.core.packet import Audio, Embedding, Features, Gap, Packet, Status
from tmstream.engine import graph as graphs
from tmstream.engine import run as running
from tmstream.engine.registry import Registry
from tmstream.engine.spec import parse

JOURNAL: list[str] = []
ARRIVED: list[Packet[Any]] = []


@dataclass
class Ticks:
    """``n`` packets of sound, one every ``step_us``."""

    gives: ClassVar[tuple[type, ...]] = (Audio,)
    n: int = 5
    step_us: int = 10_000
    first_us: int = 0

    async def open(self, services: Any) -> None:
        JOURNAL.append(f"open {services.node}")
        self._name = services.node

    async def close(self) -> None:
        JOURNAL.append(f"close {self._name}")

    async def packets(self) -> AsyncIterator[Packet[Audio]]:
        for i in range(self.n):
            t_us = self.first_us + i * self.step_us
            yield Packet(t_us, Audio(np.full((16, 1), i, np.float32), 16000))


@dataclass
class Flaky(Ticks):
    """A device: gives one packet, fails, and is well after ``failures`` failures."""

    live: ClassVar[bool] = True
    failures: int = 1
    failed: ClassVar[list[int]] = []

    async def packets(self) -> AsyncIterator[Packet[Audio]]:
        async for packet in super().packets():
            yield packet
            if len(self.failed) < self.failures:
                self.failed.append(1)
                raise DeviceError("cable out")


@dataclass
class Add:
    """Adds ``amount`` to every sample."""

    takes: ClassVar[tuple[type, ...]] = (Audio, Gap)
    gives: ClassVar[tuple[type, ...]] = (Audio,)
    amount: float = field(default=1.0, metadata={"live": True})
    fail_at: int | None = None
    lost_at: int | None = None
    _seen: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.amount < 0:
            raise ValueError(f"amount must not be negative, got {self.amount}")

    def open(self, services: Any) -> None:
        JOURNAL.append(f"open {services.node}")
        self._name = services.node

    def close(self) -> None:
        JOURNAL.append(f"close {self._name}")

    def process(self, packet: Packet[Any]) -> Iterable[Packet[Any]]:
        if isinstance(packet.data, Gap):
            yield packet
            return
        self._seen += 1
        if self._seen == self.fail_at:
            raise RuntimeError("a bug")
        if self._seen == self.lost_at:
            raise DeviceError("worker died")
        yield packet.with_data(Audio(packet.data.samples + np.float32(self.amount), 16000))


@dataclass
class Embed:
    """One number a packet."""

    takes: ClassVar[tuple[type, ...]] = (Audio,)
    gives: ClassVar[tuple[type, ...]] = (Embedding,)
    fingerprint: ClassVar[str] = "this one"
    space: ClassVar[str] = "level"

    def process(self, packet: Packet[Audio]) -> Iterable[Packet[Embedding]]:
        yield packet.with_data(Embedding(packet.data.samples[0], "level", packet.t_us + 1000))


@dataclass
class Keep:
    """Remembers what arrives."""

    takes: ClassVar[tuple[type, ...]] = (Audio, Embedding, Features, Gap)
    lost_at: int | None = None
    _seen: int = field(default=0, init=False, repr=False)

    async def open(self, services: Any) -> None:
        JOURNAL.append(f"open {services.node}")
        self._name = services.node
        if self.lost_at == 0:
            raise DeviceError("peer gone")

    async def close(self) -> None:
        JOURNAL.append(f"close {self._name}")

    async def write(self, packet: Packet[Any]) -> None:
        self._seen += 1
        if self._seen == self.lost_at:
            raise DeviceError("peer gone")
        ARRIVED.append(packet)


@dataclass
class Watch:
    """Remembers statuses."""

    takes: ClassVar[tuple[type, ...]] = (Audio, Status)

    async def write(self, packet: Packet[Any]) -> None:
        ARRIVED.append(packet)


@dataclass
class Witness(Keep):
    """Remembers who gave what."""

    async def write_from(self, giver: str, packet: Packet[Any]) -> None:
        ARRIVED.append((giver, packet))  # type: ignore[arg-type]


@dataclass
class Diary(Keep):
    """Keeps what it takes."""

    keeps: ClassVar[bool] = True


REGISTRY = Registry(
    {
        "ticks": Ticks,
        "flaky": Flaky,
        "add": Add,
        "embed": Embed,
        "keep": Keep,
        "watch": Watch,
        "diary": Diary,
        "witness": Witness,
    }
)


@pytest.fixture(autouse=True)
def _clean() -> None:
    JOURNAL.clear()
    ARRIVED.clear()
    Flaky.failed.clear()


def build(text: str) -> graphs.Graph:
    return graphs.build(parse(text), REGISTRY)


WALK = """
nodes:
  a:   {type: ticks}
  b:   {type: add, from: a}
  out: {type: keep, from: [b, a]}
"""


def run(text: str, *services: object, stop_after_s: float | None = None) -> list[Packet[Any]]:
    async def live() -> None:
        stop = asyncio.Event()
        if stop_after_s is not None:
            asyncio.get_running_loop().call_later(stop_after_s, stop.set)
        await running.run(build(text), services, stop=stop)

    asyncio.run(asyncio.wait_for(live(), 20))
    return ARRIVED


def firsts(packets: list[Packet[Any]]) -> list[tuple[int, float]]:
    return [(p.t_us, float(p.data.samples[0, 0])) for p in packets if isinstance(p.data, Audio)]
