"""What the engine costs for each node and packet, beside a bare call and asyncio.Queue."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tmstream.core.packet import Audio, Packet
from tmstream.engine import graph
from tmstream.engine.registry import Registry
from tmstream.engine.run import run
from tmstream.engine.spec import parse

from .measure import Row, alternately, us

PACKETS, NODES = 4000, 6
BLOCK = Audio(np.zeros((160, 1), np.float32), 16000)


@dataclass
class Blocks:
    gives: ClassVar[tuple[type, ...]] = (Audio,)

    async def packets(self) -> AsyncIterator[Packet[Audio]]:
        for i in range(PACKETS):
            yield Packet(i, BLOCK)


@dataclass
class Same:
    takes: ClassVar[tuple[type, ...]] = (Audio,)
    gives: ClassVar[tuple[type, ...]] = (Audio,)

    def process(self, packet: Packet[Audio]) -> Iterable[Packet[Audio]]:
        yield packet.with_data(packet.data)


@dataclass
class Nowhere:
    takes: ClassVar[tuple[type, ...]] = (Audio,)

    async def write(self, packet: Packet[Any]) -> None:
        pass


REGISTRY = Registry({"blocks": Blocks, "same": Same, "nowhere": Nowhere})


def _pipeline() -> str:
    chain = ["n0: {type: blocks}"]
    chain += [f"n{i}: {{type: same, from: n{i - 1}}}" for i in range(1, NODES + 1)]
    return "nodes:\n  " + "\n  ".join([*chain, f"out: {{type: nowhere, from: n{NODES}}}"])


def through_the_engine() -> None:
    asyncio.run(run(graph.build(parse(_pipeline()), REGISTRY)))


def bare_calls() -> None:
    nodes = [Same() for _ in range(NODES)]
    for i in range(PACKETS):
        packets: list[Packet[Audio]] = [Packet(i, BLOCK)]
        for node in nodes:
            packets = [made for packet in packets for made in node.process(packet)]


def asyncio_queues() -> None:
    """The same chain as tasks joined by asyncio.Queue: what a graph engine commonly does."""

    async def stage(node: Same, before: asyncio.Queue[Any], after: asyncio.Queue[Any]) -> None:
        while (packet := await before.get()) is not None:
            for made in node.process(packet):
                await after.put(made)
        await after.put(None)

    async def chain() -> None:
        queues: list[asyncio.Queue[Any]] = [asyncio.Queue(64) for _ in range(NODES + 1)]
        async with asyncio.TaskGroup() as group:
            for before, after in itertools.pairwise(queues):
                group.create_task(stage(Same(), before, after))

            async def feed() -> None:
                for i in range(PACKETS):
                    await queues[0].put(Packet(i, BLOCK))
                await queues[0].put(None)

            group.create_task(feed())
            while await queues[-1].get() is not None:
                pass

    asyncio.run(chain())


def rows() -> Iterator[Row]:
    """Yield cost per node and packet, everything in: source, ledger, statistics and sink."""
    hops = PACKETS * (NODES + 2)
    ours, bare, queues = (
        t / hops for t in alternately(through_the_engine, bare_calls, asyncio_queues)
    )
    yield Row(
        "engine, a node and packet",
        us(ours),
        f"bare call {us(bare)}",
        ours / bare,
        "<= 8 us",
        ours <= 8e-6,
    )
    yield Row(
        "engine against tasks joined by asyncio.Queue",
        us(ours),
        f"asyncio.Queue {us(queues)}",
        ours / queues,
        "(shown)",
        True,
    )
