"""One client, without a socket: what it may do, what it wants to hear, what waits for it.

`Session.receive` turns a text frame into a command or into the reply that refuses it.
`Session.offer` and `Session.release` decide which messages go out when: a state message
(predictions, landmarks, ...) waiting for a slow client is replaced by the next of its kind, while
events and replies keep their order. Time is handed in, in seconds.
"""

from __future__ import annotations

import typing
import unicodedata
from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple

import msgspec

from ..core import messages as m
from .policy import Admission, Role, lesser, may
from .settings import Limits

#: Message types a client can subscribe to.
STREAMS = ("prediction", "event", "landmarks", "presence", "spectrum", "status", "video")

_commands = msgspec.json.Decoder(m.ClientMessage)


class _Named(msgspec.Struct):
    """What can be told about a message that is not understood."""

    id: int | str | None = None
    type: Any = None


_named = msgspec.json.Decoder(_Named)


class _Paced(NamedTuple):
    """A state that waits for its time."""

    due_s: float
    data: bytes
    kind: str
    label: str | None


class Refused(Exception):
    """A frame was not taken; ``reply`` says why."""

    def __init__(self, command_id: int | str | None, code: str, message: str) -> None:
        super().__init__(message)
        self.reply = m.Reply(id=command_id, ok=False, error=m.ErrorPart(code, message))


class Bucket:
    """Lets ``rate_hz`` things a second through on average, and a second's worth at once."""

    def __init__(self, rate_hz: float, now_s: float) -> None:
        self._rate_hz = rate_hz
        self._full = max(1.0, rate_hz)
        self._level = self._full
        self._at_s = now_s

    def take(self, now_s: float) -> bool:
        """Return whether one more may pass now."""
        refilled = self._level + (now_s - self._at_s) * self._rate_hz
        self._level, self._at_s = min(self._full, refilled), now_s
        if self._level < 1.0:
            return False
        self._level -= 1.0
        return True


class Session:
    """One client's rights, subscription and backlog."""

    def __init__(self, limits: Limits, admission: Admission, now_s: float) -> None:
        self.limits = limits
        self.role: Role = admission.role
        self.highest: Role = admission.highest
        #: True while every message simply goes out: nothing chosen, nothing waiting.
        self.plain = self.role != "none"
        self._bucket = Bucket(limits.commands_per_s, now_s)
        self._streams: frozenset[str] | None = None
        self._labels: frozenset[str] | None = None
        self._pause_s = 0.0
        self._told: set[Hashable] = set()  # states of which a label was told last
        self._sent_s: dict[Hashable, float] = {}
        self._waiting: dict[Hashable, bytes] = {}  # in the order in which it will go out
        self._paced: dict[Hashable, _Paced] = {}
        self._waiting_bytes = 0
        self._number = 0
        self._moved_s = now_s

    @property
    def message_bytes(self) -> int:
        """Return the largest frame this client may send."""
        if self.role == "control":
            return max(self.limits.media_bytes, self.limits.message_bytes)
        return self.limits.viewer_message_bytes

    def receive(self, text: str, now_s: float) -> m.Command:
        """Return the command in a text frame.

        Raises:
            Refused: too many, too long, not understood or not allowed; it holds the reply.
        """
        if len(text) > self.limits.message_bytes:
            raise Refused(
                None, "too_long", f"a command has at most {self.limits.message_bytes} bytes"
            )
        try:
            command: m.Command = _commands.decode(text)
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            named = self._name(text)
            self._pay(named.id, now_s)
            raise Refused(named.id, "bad_message", _explain(named, error)) from None
        self._pay(command.id, now_s)
        if not may(self.role, command):
            kind = type(command).__struct_config__.tag
            raise Refused(
                command.id,
                "not_allowed",
                f"{kind!r} is not for a client with the role {self.role!r}",
            )
        return command

    def promote(self, role: Role) -> Role:
        """Take a role that a token was worth, as far as this visitor's origin allows."""
        self.role = lesser(role, self.highest)
        self._replan()
        return self.role

    def subscribe(self, command: m.Subscribe) -> dict[str, Any]:
        """Choose what to hear; returns what was chosen.

        Raises:
            Refused: a stream that does not exist, or a rate that is no rate.
        """
        unknown = sorted(set(command.streams) - set(STREAMS))
        if unknown:
            known = ", ".join(STREAMS)
            raise Refused(command.id, "bad_message", f"no stream {unknown[0]!r}; there are {known}")
        rate_hz = command.max_rate_hz
        if rate_hz is not None and not 0.0 < rate_hz <= 1000.0:
            raise Refused(command.id, "bad_message", "max_rate_hz is above 0, and at most 1000")
        self._streams = frozenset(command.streams)
        labels = command.labels
        self._labels = None if labels is None else frozenset(map(_same_label, labels))
        self._pause_s = 0.0 if rate_hz is None else 1.0 / rate_hz
        self._told.clear()
        self._paced = {k: p for k, p in self._paced.items() if self._wants(p.kind, k, p.label)}
        self._replan()
        return {"streams": sorted(self._streams), "labels": labels, "max_rate_hz": rate_hz}

    def offer(
        self,
        kind: str,
        key: Hashable | None,
        data: bytes,
        label: str | None,
        now_s: float,
        *,
        blocked: bool,
    ) -> bytes | None:
        """Return ``data`` when it may be written now; else it waits, or is not wanted.

        ``key`` names a state of which only the latest counts; None queues. ``blocked`` says that
        the socket still holds earlier bytes.
        """
        if not self._wants(kind, key, label):
            return None
        if key is not None and self._pause_s and not self._due(key, now_s):
            self._paced[key] = _Paced(self._sent_s[key] + self._pause_s, data, kind, label)
            return None
        if not blocked and not self._waiting:
            return data
        self._hold(key, data)
        return None

    def release(self, now_s: float) -> list[bytes]:
        """Return what may go out now that the socket is empty, in order."""
        for key in [key for key, one in self._paced.items() if one.due_s <= now_s]:
            self._sent_s[key] = now_s
            self._hold(key, self._paced.pop(key).data)
        held = list(self._waiting.values())
        self._waiting.clear()
        self._waiting_bytes = 0
        self._moved_s = now_s
        self._replan()
        return held

    @property
    def watches(self) -> bool:
        """Return whether pictures were asked for; they never come unasked."""
        return self._streams is not None and "video" in self._streams

    @property
    def empty(self) -> bool:
        """Return whether nothing waits for the socket."""
        return not self._waiting

    def hold(self, data: bytes) -> None:
        """Keep a message to this client alone (a reply) until the socket is empty."""
        self._hold(None, data)

    @property
    def has_paced(self) -> bool:
        """Return whether a message waits for its time rather than for the socket."""
        return bool(self._paced)

    def moved(self, now_s: float) -> None:
        """Note that the client has read something."""
        self._moved_s = now_s

    def too_slow(self, now_s: float, *, blocked: bool, socket_bytes: int) -> bool:
        """Return whether this client reads so slowly that it must be cut off."""
        if not blocked:
            self._moved_s = now_s
            return False
        if socket_bytes + self._waiting_bytes > self.limits.buffer_bytes:
            return True
        return now_s - self._moved_s > self.limits.stall_s

    def _pay(self, command_id: int | str | None, now_s: float) -> None:
        if not self._bucket.take(now_s):
            rate = self.limits.commands_per_s
            raise Refused(command_id, "too_many", f"at most {rate:g} messages a second")

    @staticmethod
    def _name(text: str) -> _Named:
        try:
            return _named.decode(text)
        except (msgspec.MsgspecError, RecursionError, ValueError):
            return _Named()

    def _wants(self, kind: str, key: Hashable | None, label: str | None) -> bool:
        if self.role == "none":
            return False
        # What is no stream (a page was refused ...) cannot be chosen, and is always told.
        if self._streams is not None and kind in STREAMS and kind not in self._streams:
            return False
        if self._labels is None or kind not in ("prediction", "event"):
            return True
        chosen = label is None or _same_label(label) in self._labels
        if key is None:
            return chosen
        # The first answer away from a chosen label is told too: else the client believes it still.
        wanted = chosen or key in self._told
        if chosen and label is not None:
            self._told.add(key)
        else:
            self._told.discard(key)
        return wanted

    def _due(self, key: Hashable, now_s: float) -> bool:
        if key in self._sent_s and now_s < self._sent_s[key] + self._pause_s:
            return False
        self._paced.pop(key, None)
        if len(self._sent_s) > 10_000:  # subjects come and go for months
            self._sent_s.clear()
        self._sent_s[key] = now_s
        return True

    def _hold(self, key: Hashable | None, data: bytes) -> None:
        if key is None:
            self._number += 1
            key = self._number
        self._waiting_bytes += len(data) - len(self._waiting.pop(key, b""))
        self._waiting[key] = data
        self.plain = False

    def _replan(self) -> None:
        self.plain = (
            self.role != "none"
            and self._streams is None
            and self._labels is None
            and not self._waiting
        )


def _same_label(text: str) -> str:
    """Labels are compared after NFC."""
    return unicodedata.normalize("NFC", text)


def _explain(named: _Named, error: Exception) -> str:
    known = {kind.__struct_config__.tag for kind in _kinds()}
    if isinstance(named.type, str):
        if named.type not in known:
            return f"no message of type {named.type[:40]!r}"
        if named.id is None:
            return f"{named.type!r} needs an id"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return str(error)[:300]


def _kinds() -> Iterable[type[m.Command]]:
    return typing.get_args(m.ClientMessage)
