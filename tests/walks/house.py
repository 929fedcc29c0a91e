"""A whole engine for a test: faulty sources in front, and an eye at the end that forgets nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from benchmarks.faults import FaultyCamera, FaultyMicrophone, FaultyPerson
from tmstream.capture.synthetic import Synthetic
from tmstream.core.packet import Audio, Landmarks, Packet, Scores, Status
from tmstream.core.services import Commands
from tmstream.engine import graph as graphs
from tmstream.engine import run as running
from tmstream.engine.registry import Registry
from tmstream.engine.spec import parse
from tmstream.store.history import History

#: From a microphone (its type and parameters) to an answer that is seen.
LISTENS = """
nodes:
  mic: {type: %s}
  s: {type: audio_embedding, from: mic}
  h: {type: knn, from: s}
  e: {type: events, from: h}
  out: {type: eye, from: h}
"""

#: What arrived, from whom, and when; emptied before each test.
SEEN: list[tuple[float, str, Packet[Any]]] = []


@dataclass
class Eye:
    """Remembers when what arrived."""

    takes: ClassVar[tuple[type, ...]] = (Scores, Landmarks, Audio, Status)

    async def write_from(self, giver: str, packet: Packet[Any]) -> None:
        SEEN.append((time.perf_counter(), giver, packet))

    async def write(self, packet: Packet[Any]) -> None:
        raise AssertionError("the engine names the giver")


def performance() -> Synthetic:
    """Return eight seconds of claps and whistles, which the project `taught` knows."""
    return Synthetic(sounds=["clap", "whistle"], every_s=2.0, seconds=8.0, seed=5)


def registry(**more: Any) -> Registry:
    """Return all nodes there are, the faulty ones, and ``more``."""
    own = {
        "faulty_microphone": FaultyMicrophone,
        "faulty_person": FaultyPerson,
        "faulty_camera": FaultyCamera,
        "eye": Eye,
    }
    return Registry({**Registry.installed().known, **own, **more})


def house(
    text: str,
    *services: object,
    during: Callable[[], Awaitable[None]] | None = None,
    nodes: Registry | None = None,
) -> None:
    """Run a pipeline until it is dry, or until ``during`` has ended."""

    async def live() -> None:
        stop = asyncio.Event()
        graph = graphs.build(parse(text), nodes or registry())
        engine = asyncio.create_task(
            running.run(graph, (Commands(), History(), *services), stop=stop)
        )
        if during is None:
            await engine
            return
        acting = asyncio.create_task(during())
        await asyncio.wait([engine, acting], return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        if engine.done():
            acting.cancel()
        await asyncio.gather(engine, acting)

    asyncio.run(asyncio.wait_for(live(), 60))


async def until(done: Callable[[], object], most_s: float) -> float:
    """Return how long it took until ``done``; fail when it took too long."""
    began = time.perf_counter()
    while not done():
        waited = time.perf_counter() - began
        assert waited < most_s, f"not within {most_s} s"
        await asyncio.sleep(0.01)
    return time.perf_counter() - began


def node_status(name: str) -> Any:
    """Return the last status of a node, None before the first."""
    statuses = [packet.data for _, _, packet in SEEN if isinstance(packet.data, Status)]
    return statuses[-1].nodes[name] if statuses else None


def count(giver: str) -> int:
    """Return how many packets of a node arrived."""
    return sum(one == giver for _, one, _ in SEEN)


def longest_pause_s(giver: str) -> float:
    """Return the longest time between two packets of a node."""
    times = [at for at, one, _ in SEEN if one == giver]
    return float(np.diff(times).max())


def answers() -> list[tuple[int, str]]:
    """Return the labels said, with the start of their evidence."""
    found = [(p.t_us, p.data) for _, _, p in SEEN if isinstance(p.data, Scores)]
    return [(t_us, scores.label) for t_us, scores in found if scores.label is not None]
