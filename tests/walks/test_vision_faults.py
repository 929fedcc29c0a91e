"""A landmark process that dies under a running engine: vision comes back, sound never notices."""

import asyncio
import os
import signal
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import pytest

from tests.walks.house import until
from tmstream.backends import landmarker
from tmstream.backends.landmarker import CALL_S
from tmstream.capture.synthetic import Synthetic
from tmstream.capture.walker import Walker
from tmstream.core.packet import Absent, Features, Gap, Landmarks
from tmstream.engine import graph
from tmstream.engine.registry import Registry
from tmstream.engine.run import run
from tmstream.engine.spec import parse
from tmstream.features.body import BodyLandmarks
from tmstream.features.spectrum import Spectrum

PIPELINE = """
realtime: true
nodes:
  mic:  {type: synthetic, sounds: [hum]}
  bars: {type: spectrum, from: mic, hz: 20}
  cam:  {type: walker, picture: true, fps: 15}
  body: {type: body_landmarks, from: cam}
  out:  {type: notes, from: [bars, body]}
"""


@dataclass
class Notes:
    """Writes down what came when."""

    takes: ClassVar[tuple[type, ...]] = (Features, Landmarks, Absent, Gap)
    came: ClassVar[list[tuple[float, type]]] = []

    async def write(self, packet):
        self.came.append((time.monotonic(), type(packet.data)))


def landmark_processes():
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                told = (entry / "cmdline").read_bytes()
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if b"landmarker_worker" in told and parent == os.getpid():
                found.append(int(entry.name))
    return found


def check_faults(*faults):
    """Strike the landmark process: it is told, vision comes back, sound never notices."""
    registry = Registry(
        {
            "synthetic": Synthetic,
            "walker": Walker,
            "spectrum": Spectrum,
            "body_landmarks": BodyLandmarks,
            "notes": Notes,
        }
    )
    Notes.came.clear()
    struck_at = []

    def seen_since(when):
        return [t for t, kind in Notes.came if kind in (Absent, Landmarks) and t > when]

    def told_since(when):
        return [t for t, kind in Notes.came if kind is Gap and t > when]

    async def act():
        await until(lambda: seen_since(0), 30)
        await asyncio.sleep(1)
        for fault in faults:
            (pid,) = landmark_processes()
            os.kill(pid, fault)
            struck_at.append(time.monotonic())
            hung_s = CALL_S if fault == signal.SIGSTOP else 0.0  # only the clock can tell
            await until(lambda: told_since(struck_at[-1]), CALL_S + 1)
            # What was on its way before the fault may still arrive.
            back_s = struck_at[-1] + hung_s + 0.3
            await until(lambda when=back_s: seen_since(when), 5)
        await asyncio.sleep(0.5)

    async def go():
        stop = asyncio.Event()
        house = asyncio.create_task(run(graph.build(parse(PIPELINE), registry), stop=stop))
        try:
            await act()
        finally:
            stop.set()
            await house

    asyncio.run(go())
    during = [t for t, kind in Notes.came if kind is Features and t > struck_at[0] - 1]
    waits = [b - a for a, b in pairwise(during)]
    assert len(during) > 15 * (during[-1] - during[0])  # of 20 a second
    assert max(waits) < 0.5
    assert landmark_processes() == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_p4_sound_is_undisturbed_and_vision_is_back_within_five_seconds():
    check_faults(signal.SIGKILL, signal.SIGSTOP)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_p4_control_a_landmark_process_that_is_not_replaced_is_found_out(monkeypatch):
    begin, started = landmarker._Worker.__init__, []

    def once(self, job):
        if started:
            raise OSError("only once")
        started.append(job)
        begin(self, job)

    monkeypatch.setattr(landmarker._Worker, "__init__", once)
    with pytest.raises(AssertionError, match="not within 5 s"):
        check_faults(signal.SIGKILL)
