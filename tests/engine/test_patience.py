"""A device that is away is waited for, ever longer; what is said of it stays true meanwhile."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from tmstream.core.clock import MonotonicClock
from tmstream.core.errors import DeviceError
from tmstream.core.packet import Audio, Gap, Packet
from tmstream.engine import graph as graphs
from tmstream.engine import sources, walk
from tmstream.engine.handout import NodeServices
from tmstream.engine.registry import Registry
from tmstream.engine.restart import Patience
from tmstream.engine.spec import parse
from tmstream.engine.stats import NodeStats

from .conftest import REGISTRY, Ticks, build, run

SEEN: list[tuple[str, str | None]] = []
WAITED_S: list[float] = []


class Noted(Patience):
    """Remembers how long it lets wait."""

    def wait_s(self) -> float:
        WAITED_S.append(super().wait_s())
        return WAITED_S[-1]


class Hasty(Noted):
    """Does not wait at all."""

    def wait_s(self) -> float:
        return 0.0 * super().wait_s()


@dataclass
class Worn(Ticks):
    """A device that gives something, fails twice, gives something, fails, and is well."""

    live: ClassVar[bool] = True

    async def open(self, services: Any) -> None:
        self._services = services
        await super().open(services)

    async def packets(self) -> AsyncIterator[Packet[Audio]]:
        stats, nth = self._services.stats, len(SEEN)
        SEEN.append((stats.state, stats.message))
        if nth == 4:
            self._services.notice("its battery is low")
        if nth not in (1, 2):
            yield Packet(0, Audio(np.zeros((16, 1), np.float32), 16000))
        if nth < 4:
            raise DeviceError("cable out")
        SEEN.append((stats.state, stats.message))


def test_a_device_runs_only_once_it_gives_something(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    SEEN.clear()
    WAITED_S.clear()
    monkeypatch.setattr(sources, "Patience", Hasty)
    graph = graphs.build(
        parse("nodes: {a: {type: worn}, out: {type: keep, from: a}}"),
        Registry({**REGISTRY.known, "worn": Worn}),
    )
    services = NodeServices("a", ("a",), MonotonicClock(), NodeStats(), ())
    entered: list[Any] = []

    async def enter(slot: graphs.Slot, packet: Packet[Any]) -> None:
        entered.append(packet.data)

    asyncio.run(sources.keep_alive(graph.slots["a"], services, enter, services.clock))
    away = ("waiting", "cable out")
    assert [*SEEN] == [("running", None), away, away, away, away, ("running", "its battery is low")]
    assert [type(one) for one in entered] == [Audio, Gap, Gap, Gap, Audio, Gap, Audio]
    assert [*WAITED_S] == [0.5, 1.0, 2.0, 0.5]  # anew once it had given something
    assert caplog.messages == ["a waits: cable out"] * 2  # of each loss once


def test_waits_double_up_to_three_seconds() -> None:
    patience = Patience()
    assert [patience.wait_s() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_a_transform_whose_device_is_away_drops_what_comes_until_it_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    WAITED_S.clear()
    now_ns = [0]
    monkeypatch.setattr(walk, "Patience", Noted)
    monkeypatch.setattr(walk.time, "monotonic_ns", lambda: now_ns[0])
    text = (
        "nodes: {a: {type: ticks}, b: {type: add, from: a, lost_at: 2}, o: {type: keep, from: b}}"
    )
    graph = build(text)
    services = NodeServices("b", ("a",), MonotonicClock(), NodeStats(), ())
    step = walk.Step(graph.slots["b"], services, patient=True)
    step.open()
    sound: Packet[Any] = Packet(0, Audio(np.ones((16, 1), np.float32), 16000))

    def told() -> list[str]:
        return [type(one.data).__name__ for one in step.process(sound)]

    for _ in range(2):  # well, lost; away; well, lost; away: each time as long
        assert told() == ["Audio"]
        assert told() == ["Gap"]
        assert (services.stats.state, services.stats.message) == ("waiting", "worker died")
        before = services.stats.dropped
        now_ns[0] += 499_000_000
        assert told() == []
        assert services.stats.dropped == before + 1
        now_ns[0] += 2_000_000
    assert told() == ["Audio"]
    assert (services.stats.state, services.stats.message) == ("running", None)
    assert [*WAITED_S] == [0.5, 0.5]


def test_a_recorded_block_comes_when_its_last_sample_would_have_been_heard() -> None:
    async def recorded() -> AsyncIterator[Packet[Any]]:
        yield Packet(50_000, Audio(np.zeros((1600, 1), np.float32), 16000))

    async def first() -> Packet[Any]:
        return await anext(sources.paced(recorded(), MonotonicClock()))

    began = MonotonicClock().now_us()
    packet = asyncio.run(first())
    assert packet.t_us - began >= 50_000
    assert MonotonicClock().now_us() - packet.t_us >= 100_000


def test_a_live_house_keeps_pauses_short_and_files_none(monkeypatch: pytest.MonkeyPatch) -> None:
    before_s, seen_s = sys.getswitchinterval(), list[float]()
    original = Ticks.packets

    async def packets(self: Ticks) -> AsyncIterator[Packet[Audio]]:
        seen_s.append(sys.getswitchinterval())
        async for packet in original(self):
            yield packet

    monkeypatch.setattr(Ticks, "packets", packets)
    for more in ("", "\nrealtime: true\n"):
        run("nodes: {a: {type: ticks, n: 1}, out: {type: keep, from: a}}" + more)
    assert seen_s[0] == before_s > seen_s[1]
    assert sys.getswitchinterval() == before_s
