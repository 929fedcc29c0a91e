"""A port that says how the engine fares, and nothing else: for a monitor elsewhere in the network.

It answers ``GET /health`` with 200 when all is well, and with 503 and the reasons when not. It
reads one short request and closes; no message, no page and no picture can be had from it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping

from ..core.errors import DeviceError

MAX_REQUEST = 2048
PATIENCE_S = 3.0
MAX_VISITORS = 16

#: Node to what is wrong with it; empty when all is well.
Reasons = Callable[[], Mapping[str, str]]


class Beacon:
    """Listens on ``address`` (``HOST:PORT``) from `start` to `stop`."""

    def __init__(self, address: str, reasons: Reasons) -> None:
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit() or not 0 <= int(port) <= 65535:
            raise ValueError(f"health_listen must be HOST:PORT, got {address!r}")
        self._host, self._port, self._reasons = host.strip("[]"), int(port), reasons
        self._server: asyncio.Server | None = None
        self._visitors = 0

    async def start(self) -> int:
        """Listen, and return the port; raises `DeviceError` when it is taken."""
        try:
            self._server = await asyncio.start_server(
                self._meet, self._host, self._port, limit=MAX_REQUEST
            )
        except OSError as error:
            raise DeviceError(
                f"health_listen: cannot listen on {self._host}:{self._port}: {error.strerror}"
            ) from error
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._visitors += 1
        try:
            if self._visitors <= MAX_VISITORS:
                async with asyncio.timeout(PATIENCE_S):
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(self._answer(head.split(b"\r\n", 1)[0]))
                    await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self._visitors -= 1
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _answer(self, request: bytes) -> bytes:
        method, _, rest = request.partition(b" ")
        if method not in (b"GET", b"HEAD"):
            return _response("405 Method Not Allowed", {}, b"")
        if rest.split(b" ")[0].split(b"?")[0] not in (b"/health", b"/"):
            return _response("404 Not Found", {}, b"")
        wrong = dict(self._reasons())
        body = json.dumps({"ok": not wrong, "engine": "tmstream", "waiting": wrong}).encode()
        kind = {"Content-Type": "application/json; charset=utf-8"}
        status = "503 Service Unavailable" if wrong else "200 OK"
        return _response(status, kind, b"" if method == b"HEAD" else body, len(body))


def _response(
    status: str, headers: Mapping[str, str], body: bytes, length: int | None = None
) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Connection: close", "X-Content-Type-Options: nosniff"]
    lines += [
        "Cache-Control: no-store",
        f"Content-Length: {len(body) if length is None else length}",
    ]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body
