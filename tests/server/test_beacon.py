"""The health port says how it is, and nothing else."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from tmstream.core.errors import DeviceError
from tmstream.server import beacon
from tmstream.server.beacon import Beacon
from tmstream.server.notify import Supervisor


async def ask(port: int, request: bytes) -> tuple[str, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.decode(), body


def asked(reasons: dict[str, str], *requests: bytes) -> list[tuple[str, bytes]]:
    async def live() -> list[tuple[str, bytes]]:
        beacon = Beacon("127.0.0.1:0", lambda: reasons)
        port = await beacon.start()
        try:
            return [await ask(port, request) for request in requests]
        finally:
            await beacon.stop()

    return asyncio.run(live())


def test_it_says_well_or_what_is_not() -> None:
    get = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    ((head, body),) = asked({}, get)
    assert head.startswith("HTTP/1.1 200")
    assert json.loads(body) == {"ok": True, "engine": "tmstream", "waiting": {}}
    ((head, body),) = asked({"mic": "unplugged"}, get)
    assert head.startswith("HTTP/1.1 503")
    assert json.loads(body)["waiting"] == {"mic": "unplugged"}


@pytest.mark.parametrize(("request_", "status"), [
    (b"POST /health HTTP/1.1\r\n\r\n", "405"),
    (b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", "404"),
    (b"GET /../control.token HTTP/1.1\r\n\r\n", "404"),
    (b"\x00\xff\r\n\r\n", "405"),
    (b"GET /" + b"x" * 100_000 + b"\r\n\r\n", ""),
])  # fmt: skip
def test_there_is_nothing_else(request_: bytes, status: str) -> None:
    ((head, body),) = asked({}, request_)
    assert status in head.partition("\r\n")[0]
    assert body == b""


def test_a_visitor_who_says_nothing_is_shown_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tmstream.server.beacon.PATIENCE_S", 0.05)
    assert asked({}, b"GET") == [("", b"")]


@pytest.mark.parametrize("bad", ["8766", ":8766", "x:", "h:99999", "h:-1"])
def test_a_wrong_address_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="health_listen must be HOST:PORT"):
        Beacon(bad, dict)


def test_a_taken_port_is_a_device_error() -> None:
    async def live() -> None:
        one = Beacon("127.0.0.1:0", dict)
        port = await one.start()
        with pytest.raises(DeviceError, match="cannot listen"):
            await Beacon(f"127.0.0.1:{port}", dict).start()
        await one.stop()

    asyncio.run(live())


def test_systemd_hears_what_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(2)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        Supervisor().tell("READY=1", "STATUS=runs")
        assert systemd.recv(1000) == b"READY=1\nSTATUS=runs"
    gone: Any = Supervisor(str(tmp_path / "notify"))
    gone.tell("WATCHDOG=1")  # nobody listens: nothing happens
    monkeypatch.delenv("NOTIFY_SOCKET")
    assert not Supervisor().present


def test_too_many_silent_visitors_are_sent_away_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beacon, "MAX_VISITORS", 1)

    async def live() -> bytes:
        lamp = Beacon("127.0.0.1:0", dict)
        port = await lamp.start()
        _, silent = await asyncio.open_connection("127.0.0.1", port)
        while not lamp._visitors:
            await asyncio.sleep(0.001)
        reader, second = await asyncio.open_connection("127.0.0.1", port)
        try:
            return await asyncio.wait_for(reader.read(), 1)
        finally:
            for visitor in (silent, second):
                visitor.close()
            while lamp._visitors:
                await asyncio.sleep(0.001)
            await lamp.stop()

    assert asyncio.run(live()) == b"", "closed, without the patience for a first line"
