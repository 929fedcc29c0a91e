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

from tests.server.conftest import Join, RunningHub
from tmstream.server.hub import Hub

PAYLOAD = b'{"type":"spectrum","pad":"' + b"x" * 20_000 + b'"}'


async def connect_and_never_read(hub: Hub) -> socket.socket:
    """Return a socket after its upgrade, whose owner will not read another byte."""
    sock = socket.create_connection(("127.0.0.1", hub.port))
    key = base64.b64encode(os.urandom(16)).decode()
    sock.sendall(
        f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{hub.port}\r\nConnection: Upgrade\r\n"
        f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    while hub.clients == 0:
        await asyncio.sleep(0.001)
    sock.setblocking(False)
    return sock


def test_five_that_never_read_are_cut_off_and_delay_nobody(
    running_hub: RunningHub, join: Join
) -> None:
    async def go() -> None:
        async with running_hub() as hub:
            dead = [await connect_and_never_read(hub) for _ in range(5)]
            async with join(hub) as reader:
                while hub.clients < 6:
                    await asyncio.sleep(0.001)
                gc.collect()
                tracemalloc.start()
                began, seq, delays, peak = time.perf_counter(), 0, [], 0
                cut_off_s = None
                while time.perf_counter() - began < 4.5 and cut_off_s is None:
                    sent = time.perf_counter()
                    hub.publish("spectrum", ("n", "spectrum", None), PAYLOAD)
                    hub.publish("event", None, json.dumps({"type": "event", "n": seq}).encode())
                    assert (await reader.get("event"))["n"] == seq
                    delays.append(time.perf_counter() - sent)
                    seq += 1
                    peak = max(peak, tracemalloc.get_traced_memory()[0])
                    if hub.clients == 1:
                        cut_off_s = time.perf_counter() - began
                    await asyncio.sleep(max(0.0, 1 / 60 - (time.perf_counter() - sent)))
                tracemalloc.stop()
            for sock in dead:
                sock.close()
        delays.sort()
        assert cut_off_s is not None, "the dead clients are still connected"
        assert cut_off_s < 5
        assert delays[int(len(delays) * 0.99)] < 0.05
        assert peak < 32e6, peak

    asyncio.run(go())


def test_stopping_does_not_wait_for_those_who_never_read(running_hub: RunningHub) -> None:
    async def go() -> float:
        async with running_hub() as hub:
            dead = [await connect_and_never_read(hub) for _ in range(5)]
            for i in range(40):
                hub.publish("event", None, PAYLOAD)
                hub.publish("spectrum", ("n", i), PAYLOAD)
            began = time.perf_counter()
            await hub.stop()
            took_s = time.perf_counter() - began
            for sock in dead:
                sock.close()
        return took_s

    assert asyncio.run(go()) < 5


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

    async def go() -> list[int]:
        sizes = []
        # Rate limits off: every frame must be looked at.
        limits = {"commands_per_s": 1e9}
        async with running_hub(limits=limits) as hub, join(hub) as talk:
            tracemalloc.start()
            for batch in range(20):
                for _ in range(500):
                    await talk.socket.send(anything())
                    reply = await talk.get()
                    assert reply["type"] == "reply"
                if batch in (4, 19):
                    gc.collect()
                    sizes.append(tracemalloc.get_traced_memory()[0])
            tracemalloc.stop()
            assert (await talk.ask("ping"))["ok"]
            assert hub.clients == 1
        return sizes

    early, late = asyncio.run(go())
    assert late - early < 500_000, (early, late)
