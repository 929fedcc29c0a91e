"""What the websocket and the console share: which packets become messages, which are no news."""

from __future__ import annotations

from typing import Any

from ..core.messages import StatusMessage
from ..core.packet import Absent, Packet, Scores, Status, same_source
from ..core.services import Services
from ..server.encode import Outgoing, encode, encode_status
from ..server.hub import Hub
from ..store.project import Project

#: How often an unchanging absence is said again, and how long an answer of another sense stands
#: against it.
SILENT_US = 1_000_000


class Messages:
    """Turns packets into messages; the same absence is told once, then once a second.

    An `Absent` is handed on by every node it passes, so it may arrive several times; and one that
    `smooth` has already answered for is no news. Nor is an empty picture while a sound is answered:
    to a client both are what is said of nobody in particular, and the label would flicker. It is
    told in the name of whoever gives answers of its sense.
    """

    def __init__(self) -> None:
        self._answerers: dict[str, str] = {}  # of each sense; the latest last
        #: The latest answer about a subject: its sense and source, and when its evidence ended.
        self._answered: dict[str | None, tuple[str, str, int]] = {}
        self._absent: dict[tuple[str, str | None], tuple[str, int]] = {}

    def of(self, giver: str, packet: Packet[Any], now_us: int) -> Outgoing | None:
        """Return the message of a packet of node ``giver``, or None without news in it."""
        data = packet.data
        if isinstance(data, Scores):
            self._hear(giver, data)
        if isinstance(data, Absent):
            if not self._is_news(data):
                return None
            latest = next(reversed(self._answerers.values()), giver)
            giver = self._answerers.get(_sense(data.space), latest)
        return encode(giver, packet, now_us)

    def _hear(self, giver: str, scores: Scores) -> None:
        sense = _sense(next(iter(scores.spaces), ""))  # the first space is the one that spoke
        if len(self._answered) > 1000:  # people come and go for months
            self._answered.clear()
        self._answerers.pop(sense, None)
        self._answerers[sense] = giver
        self._answered[scores.subject] = sense, scores.source, scores.end_us
        ended = (sense, scores.subject)
        self._absent = {k: one for k, one in self._absent.items() if (_sense(k[0]), k[1]) != ended}

    def _is_news(self, absent: Absent) -> bool:
        sense, source, answered_us = self._answered.get(absent.subject, ("", "", -SILENT_US))
        since_us = absent.end_us - answered_us
        same = sense == _sense(absent.space) and same_source(source, absent.source)
        if since_us <= 0 or (not same and since_us < SILENT_US):
            return False
        key = (absent.space, absent.subject)
        reason, said_us = self._absent.get(key, ("", 0))
        if reason == absent.reason and absent.end_us - said_us < SILENT_US:
            return False
        if len(self._absent) > 1000:
            self._absent.clear()
        self._absent[key] = (absent.reason, absent.end_us)
        return True


def _sense(space: str) -> str:
    """Return what a space looks at or listens to: ``body`` of ``body.upper``."""
    return space.partition(".")[0]


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
