"""On standard output: one message a line, the same bytes a client gets (``--print``)."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, TypeAlias

from ..core.packet import Absent, Event, Features, Landmarks, Packet, Presence, Scores, Status
from ..core.services import Services
from ..server.encode import dump
from ._messages import Messages, status_message

Write: TypeAlias = Callable[[memoryview], int]

#: Until a pipe that its reader keeps from blocking is asked again whether it has room.
FULL_S = 0.01


@dataclass
class Console:
    """Print every message as one line of JSON: ``{type: console, from: [calm, events]}``.

    When the reader of a pipe goes away (``| head``) or the disk of a file is full, it falls silent
    and the engine goes on; so it does while a reader (``| less``, a window in which text is marked)
    takes nothing.
    """

    takes: ClassVar[tuple[type, ...]] = (
        Scores, Event, Landmarks, Presence, Features, Status, Absent,
    )  # fmt: skip

    _printer: Printer | None = field(init=False, default=None, repr=False)
    _services: Services | None = field(init=False, default=None, repr=False)
    _messages: Messages | None = field(init=False, default=None, repr=False)

    async def open(self, services: Services) -> None:
        """Take standard output as it is now."""
        self._services = services
        self._messages = Messages()
        sys.stdout.flush()
        self._printer = Printer(_standard_output())

    async def close(self) -> None:
        """Leave standard output open: it is not ours."""
        if self._printer is not None:
            self._printer.close()
            self._printer = None

    async def write(self, packet: Packet[Any]) -> None:
        """Deliver a packet whose giver is not known."""
        assert self._services is not None
        await self.write_from(self._services.node, packet)

    async def write_from(self, giver: str, packet: Packet[Any]) -> None:
        """Print one line."""
        assert self._services is not None
        assert self._messages is not None
        if self._printer is None:
            return
        if isinstance(packet.data, Status):
            line = dump(status_message(packet.data, self._services))
        else:
            message = self._messages.of(giver, packet, self._services.clock.now_us())
            if message is None:
                return
            line = message.data
        try:
            await self._printer.write(line + b"\n")
        except OSError as error:
            await self.close()
            if not isinstance(error, BrokenPipeError):
                self._services.notice(f"nothing more is printed: {error.strerror}")
            # Python flushes stdout once more when it exits; that must not fail as well.
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Printer:
    """Writes in a thread of its own, by what takes bytes and returns how many it took.

    A reader that takes nothing holds up that thread, never the loop nor the end of the process.
    """

    def __init__(self, out: Write) -> None:
        self._out, self._loop = out, asyncio.get_running_loop()
        self._lines: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]] | None]
        self._lines = queue.SimpleQueue()
        threading.Thread(target=self._work, name="console", daemon=True).start()

    async def write(self, line: bytes) -> None:
        """Return once all of it is taken; raises OSError."""
        done: asyncio.Future[None] = self._loop.create_future()
        self._lines.put((line, done))
        await done

    def close(self) -> None:
        """Write no more than what was given."""
        self._lines.put(None)

    def _work(self) -> None:
        while (given := self._lines.get()) is not None:
            line, done = given
            failed = None
            try:
                _write(self._out, line)
            except OSError as error:
                failed = error
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(_settle, done, failed)


def _settle(done: asyncio.Future[None], error: OSError | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)


def _standard_output() -> Write:
    """Return its descriptor's `os.write`, where it has one.

    Not through sys.stdout: its lock, held by a thread that is stuck, would end Python in a crash.
    """
    try:
        return partial(os.write, sys.stdout.fileno())
    except io.UnsupportedOperation:  # another program runs us, and keeps what we say
        return sys.stdout.buffer.write


def _write(out: Write, line: bytes) -> None:
    rest = memoryview(line)
    while rest:
        try:
            rest = rest[out(rest) :]
        except BlockingIOError:
            time.sleep(FULL_S)
