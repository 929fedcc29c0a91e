"""To sketches and pages, through the one hub that all websocket nodes share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..core.packet import (
    Absent,
    Event,
    Features,
    Image,
    Landmarks,
    Packet,
    Presence,
    Scores,
    Status,
)
from ..core.services import Services
from ..server.encode import dump
from ..server.hub import Hub
from ._messages import Messages, status_message

MOST_WIDTH = 640  #: of a picture for a page


@dataclass
class WebSocket:
    """Send what arrives to every client that wants it: ``{type: websocket, from: [calm, events]}``.

    Where it listens stands in the pipeline's ``server:`` mapping. Pictures of a camera among the
    givers reach the studio on this machine, and with ``share_video`` sketches on this machine too;
    ``private: true`` keeps them from both.
    """

    share_video: bool = False
    video_hz: float = 12.0

    takes: ClassVar[tuple[type, ...]] = (
        Scores, Event, Landmarks, Presence, Features, Status, Absent, Image,
    )  # fmt: skip

    _services: Services | None = field(init=False, default=None, repr=False)
    _messages: Messages | None = field(init=False, default=None, repr=False)
    _hub: Hub | None = field(init=False, default=None, repr=False)
    _shown_us: dict[str, int] = field(init=False, default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not 0 < self.video_hz <= 60:
            raise ValueError(f"video_hz: {self.video_hz} is outside 0 to 60")

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
        if isinstance(packet.data, Image):
            self._show(giver, packet)
            return
        message = self._messages.of(giver, packet, self._services.clock.now_us())
        if message is not None:
            self._hub.publish(*message)

    def _show(self, giver: str, packet: Packet[Image]) -> None:
        assert self._hub is not None
        watchers = self._hub.watchers(viewers=self.share_video)
        due_us = self._shown_us.get(giver, -(10**9)) + 1e6 / self.video_hz
        if not watchers or packet.t_us < due_us or self._hub.describe().private:
            return
        self._shown_us[giver] = packet.t_us
        self._hub.show(watchers, giver, packet.t_us, encode_picture(packet.data))

    def _write_status(self, status: Status) -> None:
        assert self._hub is not None
        assert self._services is not None
        if self._hub.status_from not in (self, None):
            return
        message = status_message(status, self._services)
        self._hub.observe(message)
        self._hub.publish("status", ("", "status", None), dump(message))


def encode_picture(image: Image) -> bytes:
    """Return a picture as JPEG, at most 640 pixels wide (2 to 3 ms)."""
    import cv2

    height, width = image.pixels.shape[:2]
    scale = min(1.0, MOST_WIDTH / width)
    size = (round(width * scale), max(1, round(height * scale)))
    bgr = cv2.resize(image.pixels, size, interpolation=cv2.INTER_AREA)[:, :, ::-1]
    _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 75])
    return bytes(jpeg)
