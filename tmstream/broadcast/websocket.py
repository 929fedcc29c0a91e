"""To sketches and pages, through the one hub that all websocket nodes share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..core.packet import Absent, Event, Features, Landmarks, Packet, Presence, Scores, Status
from ..core.services import Services
from ..server.encode import dump, encode_status
from ..server.hub import Hub
from ..store.project import Project
from ._messages import Messages


@dataclass
class WebSocket:
    """Send what arrives to every client that wants it: ``{type: websocket, from: [calm, events]}``.

    Where it listens stands in the pipeline's ``server:`` mapping.
    """

    takes: ClassVar[tuple[type, ...]] = (
        Scores, Event, Landmarks, Presence, Features, Status, Absent,
    )  # fmt: skip

    _services: Services | None = field(init=False, default=None, repr=False)
    _messages: Messages | None = field(init=False, default=None, repr=False)
    _hub: Hub | None = field(init=False, default=None, repr=False)

    async def open(self, services: Services) -> None:
        """Find the hub; the first node to do so also speaks for the engine as a whole."""
        self._services = services
        self._hub = services.get(Hub)
        self._messages = Messages()
        if self._hub.status_from is None:
            self._hub.status_from = self

    async def close(self) -> None:
        """Leave the engine's status to another."""
        if self._hub is not None and self._hub.status_from is self:
            self._hub.status_from = None
        self._hub = None

    async def write(self, packet: Packet[Any]) -> None:
        """Deliver a packet whose giver is not known."""
        assert self._services is not None
        await self.write_from(self._services.node, packet)

    async def write_from(self, giver: str, packet: Packet[Any]) -> None:
        """Encode once, and hand to the hub; never waits for a client."""
        assert self._hub is not None
        assert self._services is not None
        assert self._messages is not None
        if isinstance(packet.data, Status):
            self._write_status(packet.data)
            return
        message = self._messages.of(giver, packet, self._services.clock.now_us())
        if message is not None:
            self._hub.publish(*message)

    def _write_status(self, status: Status) -> None:
        assert self._hub is not None
        assert self._services is not None
        if self._hub.status_from not in (self, None):
            return
        project = self._services.find(Project)
        message = encode_status(
            status,
            clients=self._hub.clients,
            examples=sum(project.spaces().values()) if project else 0,
            locked=bool(project and project.setting("locked", False)),
        )
        self._hub.observe(message)
        self._hub.publish("status", ("", "status", None), dump(message))
