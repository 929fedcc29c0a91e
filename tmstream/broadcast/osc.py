"""To whatever understands OSC: Max, Pure Data, SuperCollider, Wekinator's pieces, light desks."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..core.errors import DeviceError
from ..core.packet import Event, Packet, Scores
from ..core.services import Services


@dataclass
class Osc:
    """Send answers as OSC over UDP: ``{type: osc, from: [calm, events], port: 12000}``.

    * ``/wek/outputs f f f ...``: one confidence a label, in the alphabetical order of the labels
    * ``/tm/event label event confidence subject`` (subject is an empty string when there is none)
    * ``/tm/closeness/LABEL f``: a fader, 0..1; see `osc_name` for what becomes of odd labels

    ``only`` picks some of the three. Nothing leaves this machine unless ``host`` says so.
    """

    host: str = "127.0.0.1"
    port: int = 12000
    only: list[str] = field(default_factory=lambda: ["outputs", "events", "closeness"])

    takes: ClassVar[tuple[type, ...]] = (Scores, Event)

    _socket: socket.socket | None = field(init=False, default=None, repr=False)
    _address: tuple[Any, ...] = field(init=False, default=(), repr=False)

    def __post_init__(self) -> None:
        if not 0 < self.port < 65536:
            raise ValueError(f"port: {self.port} is not a port, which has 1 to 65535")
        unknown = set(self.only) - {"outputs", "events", "closeness"}
        if unknown:
            raise ValueError(f"only: {min(unknown)!r} is none of outputs, events, closeness")

    async def open(self, services: Services) -> None:
        """Look the host up once.

        Raises:
            DeviceError: the host has no address.
        """
        loop = asyncio.get_running_loop()
        try:
            # Not on the loop: without a network, looking up takes many seconds.
            found = await loop.getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:  # the latter: no name can be written so
            raise DeviceError(f"osc: no address for {self.host}: {error}") from None
        family, kind, protocol, _, self._address = found[0]
        self._socket = socket.socket(family, kind, protocol)
        self._socket.setblocking(False)

    async def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def write(self, packet: Packet[Any]) -> None:
        """Send the messages of one answer or event."""
        data = packet.data
        if isinstance(data, Event):
            if "events" in self.only:
                self._send("/tm/event", data.label, data.event, data.confidence, data.subject or "")
            return
        if "outputs" in self.only and data.results:
            ordered = sorted(data.results, key=lambda one: one.label)
            self._send("/wek/outputs", *(one.confidence for one in ordered))
        if "closeness" in self.only:
            for one in data.results:
                self._send(f"/tm/closeness/{osc_name(one.label)}", one.closeness)

    def _send(self, address: str, *values: str | float) -> None:
        from pythonosc.osc_message_builder import OscMessageBuilder

        builder = OscMessageBuilder(address)
        for value in values:
            if isinstance(value, str):
                builder.add_arg(value, OscMessageBuilder.ARG_TYPE_STRING)
            else:
                builder.add_arg(float(value), OscMessageBuilder.ARG_TYPE_FLOAT)
        assert self._socket is not None
        try:
            self._socket.sendto(builder.build().dgram, self._address)
        except (BlockingIOError, ConnectionRefusedError):
            pass  # UDP: nobody listens, or the buffer is full; the next message is newer anyway
        except OSError as error:
            raise DeviceError(f"osc: cannot send to {self.host}:{self.port}: {error}") from None


def osc_name(label: str) -> str:
    """Return a label as one part of an OSC address: what OSC 1.0 reserves becomes ``_``."""
    return "".join("_" if one in " #*,/?[]{}" else one for one in label) or "_"
