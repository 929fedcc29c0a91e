"""What the websocket and the console share: which packets become messages, which are no news."""

from __future__ import annotations

from typing import Any

from ..core.messages import StatusMessage
from ..core.packet import Absent, Packet, Scores, Status
from ..core.services import Services
from ..server.encode import Outgoing, encode, encode_status
from ..server.hub import Hub
from ..store.project import Project

SILENT_US = 1_000_000  #: how often an unchanging absence is said again


class Messages:
    """Turns packets into messages; the same absence is told once, then once a second.

    An `Absent` is handed on by every node it passes, so it may arrive several times; and one that
    `smooth` has already answered for is no news. It is told in the name of whoever gives answers.
    """

    def __init__(self) -> None:
        self._answerer: str | None = None
        self._answered_us: dict[str | None, int] = {}
        self._absent: dict[tuple[str, str | None], tuple[str, int]] = {}

    def of(self, giver: str, packet: Packet[Any], now_us: int) -> Outgoing | None:
        """Return the message of a packet of node ``giver``, or None without news in it."""
        data = packet.data
        if isinstance(data, Absent) and not self._is_news(data):
            return None
        if isinstance(data, Scores):
            if len(self._answered_us) > 1000:  # people come and go for months
                self._answered_us.clear()
            self._answerer = giver
            self._answered_us[data.subject] = data.end_us
            self._absent = {key: one for key, one in self._absent.items() if key[1] != data.subject}
        if isinstance(data, Absent):
            giver = self._answerer or giver
        return encode(giver, packet, now_us)

    def _is_news(self, absent: Absent) -> bool:
        key = (absent.space, absent.subject)
        reason, said_us = self._absent.get(key, ("", 0))
        if absent.end_us <= self._answered_us.get(absent.subject, -1):
            return False
        if reason == absent.reason and absent.end_us - said_us < SILENT_US:
            return False
        if len(self._absent) > 1000:
            self._absent.clear()
        self._absent[key] = (absent.reason, absent.end_us)
        return True


def status_message(status: Status, services: Services) -> StatusMessage:
    """Return the engine's state, with what its hub and its project know."""
    hub, project = services.find(Hub), services.find(Project)
    described = hub.describe() if hub else None
    return encode_status(
        status,
        clients=hub.clients if hub else 0,
        examples=project.count() if project else 0,
        locked=bool(project and project.setting("locked", False)),
        live=described.live if described else [],
        active_labels=described.active_labels if described else [],
    )
