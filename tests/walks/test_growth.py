"""P11: nothing grows, shown in small by what ``make soak`` measures in large."""

from __future__ import annotations

import asyncio
import mmap
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.faults import PLUGS, FaultyMicrophone
from benchmarks.gauge import Sample, Verdict, children, growth, judge_samples, look
from tests.walks.house import count, house, registry, until
from tmstream.core.packet import Packet
from tmstream.engine import restart

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="measures through /proc")

TWO = """
nodes:
  mic: {type: faulty_microphone}
  cam: {type: faulty_person, fps: 30}
  out: {type: eye, from: cam}
"""
RESTARTS = 40


def check_flat(table: list[Verdict]) -> None:
    """What both forms, the short and the long, must show."""
    grown = [f"{row.what}: {row.found}" for row in table if not row.met]
    assert not grown, f"grown: {grown}"


def day(**growth: float) -> list[Sample]:
    """Return half an hour of measures in which some fields grow by this much."""
    rng = np.random.default_rng(0)
    quiet = Sample(0.0, 150.0, 12, 30, 3, 400.0, 250.0)
    noise = {"held_mb": 0.5, "children_mb": 1.0, "eye_mb": 1.0}
    made = []
    for at in range(1800):
        values = quiet._asdict() | {"at_s": float(at)}
        for name, most in growth.items():
            values[name] += most * at / 1800
        for name, spread in noise.items():
            values[name] += rng.normal(0, spread)
        for name in ("threads", "files", "processes"):
            values[name] = round(values[name])
        made.append(Sample(**values))
    return made


def test_p11_a_flat_day_is_called_flat() -> None:
    check_flat(judge_samples(day(), 16.0))


@pytest.mark.parametrize(("field", "growth", "row"), [
    ("held_mb", 40, "memory grown"), ("eye_mb", 40, "landmark process grown"),
    ("threads", 30, "threads"), ("files", 30, "files"), ("processes", 6, "processes"),
])  # fmt: skip
def test_p11_control_the_soak_calls_a_growing_day_grown(field: str, growth: int, row: str) -> None:
    table = judge_samples(day(**{field: growth}), 16.0)
    with pytest.raises(AssertionError, match=row):
        check_flat(table)
    assert sum(not one.met for one in table) == 1


@pytest.mark.parametrize("begins", [0.15, 0.5, 0.85])
@pytest.mark.parametrize("takes", [0.0, 0.02, 1.0])
@pytest.mark.parametrize("most", [4.0, 40.0])
def test_p11_growth_is_told_in_full_at_once_or_bit_by_bit(
    begins: float, takes: float, most: float
) -> None:
    part = np.arange(150) / 150
    begins = begins if takes < 1 else 0.0
    grown = most * ((part - begins) / max(takes, 1e-9)).clip(0, 1)
    noise = np.random.default_rng(1).normal(0, 0.3, 150)
    assert growth(200 + grown + noise) == pytest.approx(most, rel=0.13, abs=0.3)
    assert growth(200 - grown + noise) < 0


class Leaky(FaultyMicrophone):
    """Leaves something behind each time it is opened."""

    leave: Callable[[], object]

    async def packets(self) -> AsyncIterator[Packet[Any]]:
        type(self).leave()
        async for packet in super().packets():
            yield packet


def check_restarts(monkeypatch: pytest.MonkeyPatch, **nodes: Any) -> None:
    """Lose a device forty times and measure each time."""
    monkeypatch.setattr(restart.Patience, "wait_s", lambda self: 0.01)
    monkeypatch.setattr("benchmarks.faults.SILENT_S", 0.01)
    samples: list[Sample] = []
    tasks: list[int] = []

    async def act() -> None:
        await until(lambda: count("cam") > 5, 10)
        plug = PLUGS["mic"]
        for i in range(RESTARTS):
            opened, lost = plug.opened, plug.lost
            plug.state = "silent"
            await until(lambda n=lost: plug.lost > n, 5)
            plug.state = "well"
            await until(lambda n=opened: plug.opened > n, 5)
            samples.append(look(0.0)._replace(at_s=float(i)))
            tasks.append(len(asyncio.all_tasks()))

    house(TWO, during=act, nodes=registry(**nodes))
    assert PLUGS["mic"].opened > RESTARTS
    early, late = tasks[RESTARTS // 2], tasks[-1]
    left = Verdict("tasks", f"{early} -> {late}", "+1", late <= early + 1)
    check_flat([*judge_samples(samples, 1.0), left])


def test_p11_forty_restarts_of_a_device_leave_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    check_restarts(monkeypatch)


def test_p11_control_what_forty_restarts_leave_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Any] = []
    end = threading.Event()

    def leave() -> None:
        # Pages of its own: memory that earlier tests gave back would hide the growth.
        kept.append(mmap.mmap(-1, 2_000_000))
        kept[-1].write(os.urandom(2_000_000))
        kept.append(threading.Thread(target=end.wait))
        kept[-1].start()
        kept.append(Path(os.devnull).open())  # noqa: SIM115 - left open on purpose
        kept.append(subprocess.Popen(["true"]))  # dead, and nobody waits for it
        kept.append(asyncio.ensure_future(asyncio.Event().wait()))

    monkeypatch.setattr(Leaky, "leave", staticmethod(leave), raising=False)
    before = set(children())
    try:
        with pytest.raises(AssertionError, match="grown") as found:
            check_restarts(monkeypatch, faulty_microphone=Leaky)
    finally:
        end.set()
        for one in kept:
            if isinstance(one, threading.Thread):
                one.join()
            elif isinstance(one, subprocess.Popen):
                one.wait()
            elif hasattr(one, "close"):
                one.close()
    for what in ("memory grown", "threads: ", "files: ", "processes: ", "tasks: "):
        assert what in str(found.value)
    assert set(children()) <= before
