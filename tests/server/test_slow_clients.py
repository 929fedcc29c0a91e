"""Promise P6: whoever does not read costs nobody else anything, and is soon gone."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import os
import random
import socket
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import Server, ServerConnection, broadcast, serve

from tests.server.conftest import Join, RunningHub
from tmstream.core import messages as m
from tmstream.core.services import Commands

#: Frames under way at once: fewer turns of the loop, and every one is answered all the same.
TOGETHER = 10
PAYLOAD = b'{"type":"spectrum","pad":"' + b"x" * 20_000 + b'"}'


class PlainHub:
    """The obvious server: ``websockets.broadcast`` to everybody, buffers as they come."""

    def __init__(self) -> None:
        self._server: Server | None = None
        self._sockets: set[ServerConnection] = set()

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def clients(self) -> int:
        return len(self._sockets)

    async def start(self) -> None:
        async def stay(socket: ServerConnection) -> None:
            self._sockets.add(socket)
            await socket.send('{"type": "hello"}')
            try:
                await socket.wait_closed()
            finally:
                self._sockets.discard(socket)

        self._server = await serve(stay, "127.0.0.1", 0, compression=None)

    def publish(self, kind: str, key: object, data: bytes) -> None:
        broadcast(self._sockets, data.decode())

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()


@asynccontextmanager
async def plain_hub() -> AsyncIterator[PlainHub]:
    hub = PlainHub()
    await hub.start()
    try:
        yield hub
    finally:
        for one in tuple(hub._sockets):
            one.transport.abort()
        await hub.stop()


async def connect_and_never_read(hub: Any) -> socket.socket:
    """Return a socket after its upgrade, whose owner will not read another byte."""
    before = hub.clients
    sock = socket.create_connection(("127.0.0.1", hub.port))
    key = base64.b64encode(os.urandom(16)).decode()
    sock.sendall(
        f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{hub.port}\r\nConnection: Upgrade\r\n"
        f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    while hub.clients == before:
        await asyncio.sleep(0.001)
    sock.setblocking(False)
    return sock


async def check_slow_clients(start: Callable[[], Any], join: Join) -> None:
    """Five who never read beside one who does, at 60 Hz x 20 kB: evicted, and nobody waits."""
    async with start() as hub:
        async with join(hub) as reader:
            seq, peak = 0, 0

            async def tell() -> float:
                """Send one frame of both; return how long the reader waited for it."""
                nonlocal seq, peak
                sent = time.perf_counter()
                hub.publish("spectrum", ("n", "spectrum", None), PAYLOAD)
                hub.publish("event", None, json.dumps({"type": "event", "n": seq}).encode())
                assert (await reader.get("event"))["n"] == seq
                waited = time.perf_counter() - sent
                seq += 1
                peak = max(peak, tracemalloc.get_traced_memory()[0])
                await asyncio.sleep(max(0.0, 1 / 60 - (time.perf_counter() - sent)))
                return waited

            gc.collect()
            tracemalloc.start()
            alone = [await tell() for _ in range(120)]
            dead = [await connect_and_never_read(hub) for _ in range(5)]
            assert hub.clients == 6
            began, delays = time.perf_counter(), []
            cut_off_s = None
            while time.perf_counter() - began < 5 and cut_off_s is None:
                delays.append(await tell())
                if hub.clients == 1:
                    cut_off_s = time.perf_counter() - began
            tracemalloc.stop()
        for sock in dead:
            sock.close()
    assert cut_off_s is not None, "the dead clients are still connected after 5 s"
    # Beside a reader alone: a busy machine must not matter.
    usual, late = (sorted(waits)[int(len(waits) * 0.99)] for waits in (alone, delays))
    assert late < usual + 0.05
    assert peak < 32e6, peak


def test_p6_five_that_never_read_are_cut_off_and_delay_nobody(
    running_hub: RunningHub, join: Join
) -> None:
    asyncio.run(check_slow_clients(running_hub, join))


def check_memory(start: Callable[[], Any], join: Join) -> None:
    """The same with a quarter of a minute's messages, as fast as they can be sent."""

    async def go() -> int:
        async with start() as hub:
            dead = [await connect_and_never_read(hub) for _ in range(5)]
            async with join(hub) as reader:
                gc.collect()
                tracemalloc.start()
                for seq in range(15 * 60):
                    hub.publish("spectrum", ("n", "spectrum", None), PAYLOAD)
                    hub.publish("event", None, json.dumps({"type": "event", "n": seq}).encode())
                    assert (await reader.get("event"))["n"] == seq
                held = tracemalloc.get_traced_memory()[0]
                tracemalloc.stop()
            for sock in dead:
                sock.close()
        return held

    assert asyncio.run(go()) < 32e6, "too much memory"


def test_p6_memory_stays_small_at_any_rate(running_hub: RunningHub, join: Join) -> None:
    check_memory(running_hub, join)


def test_p6_control_a_server_that_keeps_all_for_them_is_found_out(join: Join) -> None:
    with pytest.raises(AssertionError, match="too much memory"):
        check_memory(plain_hub, join)


async def check_stopping(start: Callable[[], Any]) -> None:
    """Stop while five clients have not read for a while."""
    async with start() as hub:
        dead = [await connect_and_never_read(hub) for _ in range(5)]
        for i in range(200):
            hub.publish("event", None, PAYLOAD)
            hub.publish("spectrum", ("n", i), PAYLOAD)
        try:
            await asyncio.wait_for(hub.stop(), 5)
        except TimeoutError:
            raise AssertionError("not stopped within 5 s") from None
        finally:
            for sock in dead:
                sock.close()


@pytest.mark.parametrize("sizes", [[12], [9, 3, 3]], ids=["one", "several"])
def test_long_answers_are_not_held_against_whoever_asked_for_them(
    running_hub: RunningHub, join: Join, sizes: list[int]
) -> None:
    """All examples of a large project are megabytes, and a page has much to do with them."""

    async def go() -> None:
        commands, left = Commands(), iter(sizes)

        async def long(command: m.Command) -> str:
            return "x" * next(left) * 2**20

        commands.route((m.Examples,), long)
        async with running_hub(commands) as hub, join(hub, control=True) as page:
            page.socket.protocol.max_message_size = None
            page.socket.transport.pause_reading()
            for number in range(len(sizes)):
                await page.socket.send(f'{{"type": "examples", "id": {9 + number}}}')
            await asyncio.sleep(1.0)
            assert hub.clients == 1, "cut off while it was busy"
            page.socket.transport.resume_reading()
            for size in sizes:
                assert len((await page.get("reply"))["result"]) == size * 2**20

    asyncio.run(go())


def test_p6_stopping_does_not_wait_for_those_who_never_read(running_hub: RunningHub) -> None:
    asyncio.run(check_stopping(running_hub))


def test_p6_control_a_server_that_waits_for_everybody_is_found_out(join: Join) -> None:
    async def both() -> list[Any]:
        """Side by side, because each takes its five seconds."""
        checks = check_slow_clients(plain_hub, join), check_stopping(plain_hub)
        return await asyncio.gather(*checks, return_exceptions=True)

    evicting, stopping = asyncio.run(both())
    for found, why in ((evicting, "still connected after 5 s"), (stopping, "not stopped within")):
        with pytest.raises(AssertionError, match=why):
            raise found


def test_ten_thousand_frames_of_anything_leave_the_engine_as_it_was(
    running_hub: RunningHub, join: Join
) -> None:
    rng = random.Random(5)
    valid = [
        '{"type": "ping", "id": 1}',
        '{"type": "subscribe", "id": 2, "streams": ["event"], "labels": ["a"], "max_rate_hz": 5}',
        '{"type": "auth", "id": 3, "token": "x"}',
        '{"type": "undo", "id": "é"}',
        '{"type": "record_start", "id": 5, "label": "' + "y" * 500 + '"}',
    ]

    def anything() -> str | bytes:
        text = rng.choice(valid)
        match rng.randrange(6):
            case 0:
                return text
            case 1:
                return rng.randbytes(rng.randrange(900))
            case 2:
                at = rng.randrange(len(text))
                return text[:at] + chr(rng.choice([0, 34, 92, 233, 0x1F600])) + text[at + 1 :]
            case 3:
                return text[: rng.randrange(len(text))]
            case 4:
                return rng.choice("[{") * rng.randrange(1, 900)
            case _:
                return "9" * rng.randrange(1, 900)

    async def go() -> int:
        # Rate limits off: every frame must be looked at.
        limits = {"commands_per_s": 1e9}
        async with running_hub(limits=limits) as hub, join(hub) as talk:
            for batch in range(20):
                if batch == 5:  # whatever is kept once and for all has been made
                    gc.collect()
                    tracemalloc.start()
                for _ in range(500 // TOGETHER):
                    for _ in range(TOGETHER):
                        await talk.socket.send(anything())
                    for _ in range(TOGETHER):
                        assert (await talk.get())["type"] == "reply"
            talk.kinds.clear()  # what the test itself remembers of 10,000 answers
            gc.collect()
            kept, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert (await talk.ask("ping"))["ok"]
            assert hub.clients == 1
        return kept

    assert asyncio.run(go()) < 100_000  # 13 bytes a frame
