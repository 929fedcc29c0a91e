"""On standard output: one message a line, the same bytes a client gets (``--print``)."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass, field
from typing import Any, BinaryIO, ClassVar

from ..core.packet import Absent, Event, Features, Landmarks, Packet, Presence, Scores, Status
from ..core.services import Services
from ..server.encode import dump
from ._messages import Messages, status_message


@dataclass
class Console:
    """Print every message as one line of JSON: ``{type: console, from: [calm, events]}``.

    When the reader of a pipe goes away (``| head``) or the disk of a file is full, it falls silent
    and the engine goes on.
    """

    takes: ClassVar[tuple[type, ...]] = (
        Scores, Event, Landmarks, Presence, Features, Status, Absent,
    )  # fmt: skip

    _out: BinaryIO | None = field(init=False, default=None, repr=False)
    _services: Services | None = field(init=False, default=None, repr=False)
    _messages: Messages | None = field(init=False, default=None, repr=False)

    async def open(self, services: Services) -> None:
        """Take standard output as it is now."""
        self._services = services
        self._messages = Messages()
        self._out = sys.stdout.buffer

    async def close(self) -> None:
        """Leave standard output open: it is not ours."""
        self._out = None

    async def write(self, packet: Packet[Any]) -> None:
        """Deliver a packet whose giver is not known."""
        assert self._services is not None
        await self.write_from(self._services.node, packet)

    async def write_from(self, giver: str, packet: Packet[Any]) -> None:
        """Print one line."""
        assert self._services is not None
        assert self._messages is not None
        if self._out is None:
            return
        if isinstance(packet.data, Status):
            self._print(dump(status_message(packet.data, self._services)))
            return
        message = self._messages.of(giver, packet, self._services.clock.now_us())
        if message is not None:
            self._print(message.data)

    def _print(self, line: bytes) -> None:
        assert self._out is not None
        assert self._services is not None
        try:
            self._out.write(line + b"\n")
            self._out.flush()
        except OSError as error:
            self._out = None
            if not isinstance(error, BrokenPipeError):
                self._services.notice(f"nothing more is printed: {error.strerror}")
            # Python flushes stdout once more when it exits; that must not fail as well.
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
