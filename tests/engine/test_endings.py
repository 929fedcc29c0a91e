"""A house ends in order: when it is told to, when one node fails, and when one hangs."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import time
from collections.abc import AsyncIterator

import pytest

from tmstream.core.packet import Audio, Packet
from tmstream.engine import run as running

from .conftest import JOURNAL, WALK, Add, Embed, Ticks, run


def test_open_and_close_pair_in_order() -> None:
    run(WALK)
    assert JOURNAL == ["open out", "open b", "open a", "close a", "close b", "close out"]


def test_one_failure_stops_the_house_and_closes_everything() -> None:
    text = WALK.replace("from: a}", "from: a, fail_at: 2}").replace("ticks}", "ticks, n: 100000}")
    with pytest.raises(ExceptionGroup) as caught:
        run(text)
    assert caught.group_contains(RuntimeError, match="a bug")
    assert sorted(JOURNAL) == sorted(
        f"{w} {n}" for w in ("open", "close") for n in ("a", "b", "out")
    )


def test_stop_ends_an_endless_source() -> None:
    run(WALK.replace("ticks}", "ticks, n: 1000000000}"), stop_after_s=0.1)
    assert JOURNAL[-3:] == ["close a", "close b", "close out"]


def test_a_lane_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = threading.Event()
    monkeypatch.setattr(running, "ENDING_S", 1.0)
    monkeypatch.setattr(Add, "process", lambda self, packet: [packet] * hangs.wait(20))
    began = time.monotonic()
    run(WALK.replace("ticks}", "ticks, n: 100000}") + "realtime: true\n", stop_after_s=0.2)
    assert time.monotonic() - began < 4
    assert "close out" in JOURNAL
    hangs.set()


def test_a_transform_that_cannot_open_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Embed, "open", lambda self, services: 1 / 0, raising=False)
    text = "nodes: {a: {type: ticks}, b: {type: add, from: a}, e: {type: embed, from: b}, out: {type: keep, from: e}}"
    with pytest.raises(ExceptionGroup) as caught:
        run(text)
    assert caught.group_contains(ZeroDivisionError)
    assert "close b" in JOURNAL
    del caught
    gc.collect()
    assert caplog.messages == []


def test_a_transform_that_cannot_close_keeps_no_other_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Embed, "close", lambda self: 1 / 0, raising=False)
    text = "nodes: {a: {type: ticks}, b: {type: add, from: a}, e: {type: embed, from: b}, out: {type: keep, from: e}}"
    with pytest.raises(ExceptionGroup):
        run(text)
    assert "close b" in JOURNAL


def test_a_source_that_swallows_one_cancellation_still_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = Ticks.packets

    async def deaf(self: Ticks) -> AsyncIterator[Packet[Audio]]:
        async for packet in original(self):
            yield packet
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await asyncio.sleep(60)

    monkeypatch.setattr(Ticks, "packets", deaf)
    began = time.monotonic()
    run(WALK, stop_after_s=0.2)
    assert time.monotonic() - began < 4
    assert JOURNAL[-3:] == ["close a", "close b", "close out"]
