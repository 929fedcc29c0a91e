"""A stand-in for the engine's one port: pages, /health and a socket that plays `fake.performance`."""

from __future__ import annotations

import asyncio
import json
import mimetypes
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from . import fake

ROOT = Path(__file__).resolve().parents[2]
CLIENT = ROOT / "tmstream" / "web" / "client"
ENCODER = msgspec.json.Encoder()

Answer = Callable[[dict[str, Any]], Any]


class Stand:
    """Serves ``folders`` (URL prefix to folder); every socket gets hello, then what is said or performed."""

    def __init__(
        self, folders: dict[str, Path], *, perform: bool = False, answer: Answer | None = None
    ) -> None:
        self.folders = {"/demos/": ROOT / "demos", **folders}
        self.perform = perform
        self.answer = answer
        self.allow = True  #: False refuses every socket with 403, as for an unknown page
        self.engine = "tmstream"  #: what /health says
        self.received: list[dict[str, Any]] = []
        self.port = 0
        self._sockets: set[ServerConnection] = set()
        self._loop = asyncio.new_event_loop()
        self._stop: asyncio.Future[None] = self._loop.create_future()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Stand:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set_result, None)
        self._thread.join(10)

    def say(self, *said: msgspec.Struct) -> None:
        """Send messages to every socket."""

        async def send() -> None:
            for message in said:
                text = ENCODER.encode(message).decode()
                await asyncio.gather(
                    *(one.send(text) for one in self._sockets), return_exceptions=True
                )

        asyncio.run_coroutine_threadsafe(send(), self._loop).result(5)

    def wait_for_socket(self, seconds: float = 10.0) -> None:
        until = time.monotonic() + seconds
        while not self._sockets:
            assert time.monotonic() < until, "no socket came"
            time.sleep(0.01)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        server: Server
        async with serve(
            self._socket, "127.0.0.1", self.port, process_request=self._request, max_size=2**21
        ) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            self._ready.set()
            await self._stop

    def _request(self, _: ServerConnection, request: Request) -> Response | None:
        path = request.path.partition("?")[0]
        if path == "/ws":
            return None if self.allow else Response(403, "Forbidden", Headers(), b"")
        if path == "/health":
            return self._page(
                json.dumps({"ok": True, "engine": self.engine}).encode(), "application/json"
            )
        for prefix, folder in {"/tmstream.js": CLIENT / "tmstream.js", **self.folders}.items():
            if not path.startswith(prefix):
                continue
            found = folder if folder.is_file() else folder / path.removeprefix(prefix)
            if found.is_dir():
                found = found / "index.html"
            if found.is_file():
                kind = {
                    ".js": "text/javascript",
                    ".mjs": "text/javascript",
                    ".jsonl": "application/jsonl",
                }
                return self._page(
                    found.read_bytes(),
                    kind.get(found.suffix) or mimetypes.guess_type(found.name)[0] or "text/html",
                )
        return Response(HTTPStatus.NOT_FOUND, "Not Found", Headers(), b"")

    def _page(self, body: bytes, kind: str) -> Response:
        headers = Headers(
            [
                ("Content-Type", f"{kind}; charset=utf-8"),
                ("Content-Length", str(len(body))),
                ("Access-Control-Allow-Origin", "*"),
                ("Connection", "close"),
            ]
        )
        return Response(200, "OK", headers, body)

    async def _socket(self, socket: ServerConnection) -> None:
        hello = msgspec.structs.replace(fake.hello(), unix_offset_us=int(time.time() * 1e6))
        await socket.send(ENCODER.encode(hello).decode())
        self._sockets.add(socket)
        performing = asyncio.ensure_future(self._perform(socket)) if self.perform else None
        try:
            async for text in socket:
                if isinstance(text, bytes):
                    self.received.append({"type": "binary", "bytes": len(text), "head": text[:64]})
                    continue
                command = json.loads(text)
                self.received.append(command)
                try:
                    reply = {
                        "type": "reply",
                        "id": command["id"],
                        "ok": True,
                        "result": self.answer(command) if self.answer else None,
                    }
                except Exception as error:  # noqa: BLE001 - the page shall see it
                    reply = {
                        "type": "reply",
                        "id": command["id"],
                        "ok": False,
                        "error": {"code": "input", "message": str(error)},
                    }
                await socket.send(json.dumps(reply))
        finally:
            self._sockets.discard(socket)
            if performing:
                performing.cancel()

    async def _perform(self, socket: ServerConnection) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for t_s, message in fake.performance(600):
            await asyncio.sleep(max(0.0, began + t_s - loop.time()))
            await socket.send(ENCODER.encode(message).decode())
