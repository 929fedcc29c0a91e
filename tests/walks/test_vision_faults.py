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


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_sound_is_undisturbed_and_vision_is_back_within_five_seconds():
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
    killed_at = []

    async def go():
        stop = asyncio.Event()
        house = asyncio.create_task(run(graph.build(parse(PIPELINE), registry), stop=stop))
        began = time.monotonic()
        while not any(kind in (Absent, Landmarks) for _, kind in Notes.came):
            assert time.monotonic() - began < 30, "vision never began"
            await asyncio.sleep(0.05)
        await asyncio.sleep(1)
        (pid,) = landmark_processes()
        os.kill(pid, signal.SIGKILL)
        killed_at.append(time.monotonic())
        await asyncio.sleep(6)
        stop.set()
        await house

    asyncio.run(go())
    (killed,) = killed_at
    seen = [t for t, kind in Notes.came if kind in (Absent, Landmarks)]
    heard = [t for t, kind in Notes.came if kind is Features]
    assert any(kind is Gap and t > killed for t, kind in Notes.came), "the fault was not told"
    back = [t for t in seen if t > killed + 0.3]
    assert back
    assert back[0] - killed < 5
    during = [t for t in heard if killed - 1 < t < killed + 6]
    waits = [b - a for a, b in pairwise(during)]
    assert len(during) > 100  # of 140
    assert max(waits) < 0.5
    assert landmark_processes() == []
