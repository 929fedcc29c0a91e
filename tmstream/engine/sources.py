"""Keep sources alive, pace files when anything is live, and pull files in order when nothing is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from ..core.clock import Clock
from ..core.errors import DeviceError
from ..core.packet import Audio, Gap, Packet
from .graph import Slot
from .handout import NodeServices
from .restart import Patience

log = logging.getLogger(__name__)

Enter = Callable[[Slot, Packet[Any]], Awaitable[None]]


@asynccontextmanager
async def opened(slot: Slot, services: NodeServices, *, running: bool = True) -> AsyncIterator[Any]:
    """Hold a fresh source or sink open; ``close`` follows ``open`` whatever happens."""
    node = slot.make()
    try:
        if hasattr(node, "open"):
            await node.open(services)
        services.route(node)
        if running:
            services.stats.say("running", services.stats.message)
        yield node
    finally:
        if hasattr(node, "close"):
            await node.close()


async def keep_alive(slot: Slot, services: NodeServices, enter: Enter, clock: Clock) -> None:
    """Bring a source's packets in until it is dry; start it afresh when its device fails."""
    patience, lost = Patience(), ""
    while True:
        try:
            async with opened(slot, services, running=not lost) as node:
                packets = node.packets()
                if not getattr(node, "live", False):
                    packets = paced(packets, clock)
                async for packet in packets:
                    if lost:
                        # Only now: a device that can be opened may still bring nothing.
                        said = services.stats.message
                        services.stats.say("running", None if said == lost else said)
                        lost = ""
                    patience.reset()
                    await enter(slot, packet)
                return
        except DeviceError as error:
            if lost != str(error):  # once, however often it is tried again
                log.warning("%s waits: %s", slot.name, error)
            lost = str(error)
            services.stats.say("waiting", lost)
            await enter(slot, Packet(clock.now_us(), Gap(lost)))
        await asyncio.sleep(patience.wait_s())


async def paced(packets: AsyncIterator[Packet[Any]], clock: Clock) -> AsyncIterator[Packet[Any]]:
    """Let a recorded stream happen now: each packet when its last sample would have been heard."""
    start_us = clock.now_us()
    async for packet in packets:
        data = packet.data
        length_s = len(data.samples) / data.rate_hz if isinstance(data, Audio) else 0.0
        due_us = start_us + packet.t_us + round(length_s * 1e6)
        await asyncio.sleep(max(0, due_us - clock.now_us()) / 1e6)
        yield Packet(start_us + packet.t_us, data)


async def in_order(slots: list[Slot], services: dict[str, NodeServices], enter: Enter) -> None:
    """Pull packets from all files by (``t_us``, order in the YAML) until all are dry."""
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(opened(s, services[s.name])) for s in slots]
        streams = [node.packets() for node in nodes]
        heads: list[Packet[Any] | None] = [await anext(stream, None) for stream in streams]
        while True:
            waiting = [(head.t_us, i) for i, head in enumerate(heads) if head is not None]
            if not waiting:
                return
            t_us, i = min(waiting)
            packet = heads[i]
            assert packet is not None
            await enter(slots[i], packet)
            heads[i] = await anext(streams[i], None)
            if heads[i] is None:
                await enter(slots[i], Packet(t_us, Gap("end")))
