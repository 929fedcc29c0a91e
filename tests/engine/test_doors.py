"""What is late is dropped at the door of a live source, and said; elsewhere nothing is lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from tmstream.core.errors import DeviceError
from tmstream.core.packet import Audio, Gap, Packet, Status
from tmstream.engine import graph as graphs
from tmstream.engine import restart
from tmstream.engine import run as running
from tmstream.engine.registry import Registry
from tmstream.engine.spec import parse

from .conftest import ARRIVED, REGISTRY, Add, Ticks, Watch, firsts, run

BEGAN, RELEASED = threading.Event(), threading.Event()


@dataclass
class Burst(Ticks):
    """A device that gives the rest at once while its lane is busy with the first packet."""

    live: ClassVar[bool] = True
    n: int = 100
    step_us: int = 1
    last_us: ClassVar[int] = 99  #: the packet after which its lane goes on

    async def packets(self) -> AsyncIterator[Packet[Audio]]:
        async for packet in super().packets():
            while packet.t_us and not BEGAN.is_set():
                await asyncio.sleep(0.001)
            yield packet
            if packet.t_us == self.last_us:
                RELEASED.set()


@dataclass
class Pictures(Burst):
    """A device of which only the latest packet is worth something."""

    latest_only: ClassVar[bool] = True


@dataclass
class File(Burst):
    """As quick, but a file: its door holds it back."""

    live: ClassVar[bool] = False
    last_us: ClassVar[int] = 3


@dataclass
class Busy(Add):
    """A transform that is busy with its first packet until the burst is over."""

    def process(self, packet: Packet[Any]) -> Iterable[Packet[Any]]:
        BEGAN.set()
        if isinstance(packet.data, Audio) and packet.data.samples[0, 0] == 0:
            RELEASED.wait(20)
        yield packet


DOORS = Registry(
    {**REGISTRY.known, "burst": Burst, "pictures": Pictures, "file": File, "busy": Busy}
)


def through(kind: str) -> tuple[list[Any], running.House]:
    """Return what came through the door, and the house."""
    BEGAN.clear()
    RELEASED.clear()
    text = f"nodes: {{a: {{type: {kind}}}, b: {{type: busy, from: a}}, out: {{type: keep, from: b}}}}\nrealtime: true\n"

    async def live() -> running.House:
        house = running.House(graphs.build(parse(text), DOORS), ())
        await asyncio.wait_for(house.live(asyncio.Event()), 20)
        return house

    house = asyncio.run(live())
    times = [p.t_us for p in ARRIVED]
    assert times == sorted(times)
    return [
        p.data.reason if isinstance(p.data, Gap) else int(p.data.samples[0, 0]) for p in ARRIVED
    ], house


def test_sound_that_is_late_loses_its_oldest_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "AUDIO_DOOR", 4)
    came, house = through("burst")
    assert came == [0, "late", 96, 97, 98, 99, "end"]
    status = house._services["a"].stats.read(1.0)
    assert (status.dropped, status.rate_hz) == (95, 100.0)


def test_of_pictures_only_the_latest_waits_and_no_hole_is_told() -> None:
    assert through("pictures")[0] == [0, 99, "end"]


def test_of_a_file_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "AUDIO_DOOR", 4)
    assert through("file")[0] == [*range(100), "end"]


def test_the_meeting_lane_ends_after_the_slowest_that_leads_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = """
nodes:
  x: {type: ticks, step_us: 1}
  y: {type: ticks, step_us: 1}
  by: {type: add, from: y}
  m: {type: add, from: [x, by]}
  out: {type: keep, from: m}
realtime: true
"""
    original = Add.process

    def slow(self: Add, packet: Packet[Any]) -> Iterable[Packet[Any]]:
        if self._name == "by":
            threading.Event().wait(0.05)
        return original(self, packet)

    monkeypatch.setattr(Add, "process", slow)
    values = [value for _, value in firsts(run(text))]
    assert sorted(values) == [*map(float, (1, 2, 2, 3, 3, 4, 4, 5, 5, 6))]


def test_a_sink_is_given_what_it_takes_and_no_more() -> None:
    run("nodes: {a: {type: ticks}, out: {type: watch, from: a}}")
    assert {type(p.data) for p in ARRIVED} <= {Audio, Status}


def test_a_fault_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "STATUS_EVERY_S", 0.02)
    monkeypatch.setattr(running, "FAULT_EVERY_S", 0.01)
    monkeypatch.setattr(restart, "FIRST_S", 0.3)
    original = Ticks.packets

    def told() -> list[Any]:
        return [p.data.nodes["a"] for p in ARRIVED if isinstance(p.data, Status)]

    async def packets(self: Ticks) -> AsyncIterator[Packet[Audio]]:
        if not any(one.state == "waiting" for one in told()):
            async for packet in original(self):
                yield packet
            monkeypatch.setattr(running, "STATUS_EVERY_S", 60.0)
            seen = len(told())
            while len(told()) < seen + 2:
                if len(told()) > seen:  # the next is due in a minute
                    raise DeviceError("cable out")
                await asyncio.sleep(0.001)

    monkeypatch.setattr(Ticks, "packets", packets)
    monkeypatch.setattr(Ticks, "live", True, raising=False)
    run("nodes: {a: {type: ticks, n: 1}, out: {type: watch, from: a}}")
    assert (told()[-1].state, told()[-1].message) == ("waiting", "cable out")


def test_what_a_sink_takes_is_told_in_microseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    async def write(self: Watch, packet: Packet[Any]) -> None:
        await asyncio.sleep(0.02)
        ARRIVED.append(packet)

    monkeypatch.setattr(Watch, "write", write)
    monkeypatch.setattr(running, "STATUS_EVERY_S", 0.05)
    run("nodes: {a: {type: ticks, n: 25}, out: {type: watch, from: a}}\nrealtime: true\n")
    medians = [p.data.nodes["out"].p50_us for p in ARRIVED if isinstance(p.data, Status)]
    assert 15_000 < max(medians) < 5_000_000
