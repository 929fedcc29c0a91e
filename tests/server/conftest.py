"""A hub on a free port, and what is needed to talk to it without being polite."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tmstream.core import messages as m
from tmstream.core.services import Commands
from tmstream.server.hub import Hub
from tmstream.server.settings import ServerSettings

HELLO = m.Hello(
    version="1.2.3", pipeline="test", project=None, labels=["clap"], active_labels=[],
    spaces=["audio"], streams=["prediction"], role="", unix_offset_us=5,
)  # fmt: skip

#: What a browser sends to open a websocket.
UPGRADE = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}  # fmt: skip

RunningHub = Callable[..., AbstractAsyncContextManager[Hub]]


@pytest.fixture
def running_hub() -> RunningHub:
    """Return a function that starts a hub and stops it again: ``async with running_hub(...)``."""

    @asynccontextmanager
    async def start(commands: Commands | None = None, **settings: Any) -> AsyncIterator[Hub]:
        options: dict[str, Any] = {"port": 0, **settings}
        parsed = msgspec.convert(options, ServerSettings)
        hub = Hub(parsed, commands or Commands(), lambda: HELLO)
        await hub.start()
        try:
            yield hub
        finally:
            await hub.stop()

    return start


class Talk:
    """One websocket client that counts its own ids."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.kinds: list[str] = []  #: of every message that came
        self._id = 0

    async def get(self, kind: str | None = None) -> dict[str, Any]:
        """Return the next message (of this type)."""
        while True:
            message = json.loads(await asyncio.wait_for(self.socket.recv(), 5))
            self.kinds.append(message["type"])
            if kind is None or message["type"] == kind:
                return message

    async def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Send a command and return its reply."""
        self._id += 1
        await self.socket.send(json.dumps({"type": kind, "id": self._id, **fields}))
        while True:
            reply = await self.get("reply")
            if reply["id"] == self._id:
                return reply


Join = Callable[..., AbstractAsyncContextManager[Talk]]


@pytest.fixture
def join() -> Join:
    """Return a function that connects to a hub, with an origin or as a native program."""

    @asynccontextmanager
    async def connected(
        hub: Hub, origin: str | None = None, *, control: bool = False, host: str = "127.0.0.1"
    ) -> AsyncIterator[Talk]:
        async with connect(
            f"ws://{host}:{hub.port}/ws",
            origin=origin,
            compression=None,
            proxy=None,  # type: ignore[arg-type]
        ) as socket:
            talk = Talk(socket)
            await talk.get("hello")
            if control:
                assert (await talk.ask("auth", code=hub.tokens.new_code()))["ok"]
            yield talk

    return connected


Raw = Callable[..., Awaitable[tuple[int, dict[str, str], bytes]]]


@pytest.fixture
def raw() -> Raw:
    """Return a function that sends any request line and headers, and reads the whole answer."""

    async def ask(
        hub: Hub,
        target: str,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        body: str = "",
    ) -> tuple[int, dict[str, str], bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
        wanted = {"Host": f"127.0.0.1:{hub.port}", **(headers or {})}
        lines = [
            f"{method} {target} HTTP/1.1",
            *(f"{key}: {value}" for key, value in wanted.items()),
        ]
        writer.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1"))
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        status, *fields = head.decode("latin-1").strip().split("\r\n")
        found = {k.lower(): v for k, v in (field.split(": ", 1) for field in fields)}
        code = int(status.split()[1])
        rest = b"" if code == 101 else await asyncio.wait_for(reader.read(), 5)
        writer.close()
        return code, found, rest

    return ask
