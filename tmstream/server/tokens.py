"""What opens the door: two tokens in files, one-time codes, and sessions in exchange."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from ..core.errors import InputError
from .policy import Role

V = TypeVar("V")

CODE_LIFE_S = 60.0
SESSION_IDLE_S = 12 * 3600.0
MOST_SESSIONS = 1000  #: the one idle longest makes room
MOST_VISITORS = 1000  #: whose failures are remembered


class Grant(NamedTuple):
    """What a token or code was worth: a role, and the secret to come back with."""

    role: Role
    session: str


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


class Tokens:
    """Keeps digests only, so that no dump of the settings or log line can hold a secret.

    ``now_s`` is a monotonic clock in seconds.
    """

    def __init__(self, folder: Path, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._tokens: dict[bytes, Role] = {
            _digest(read_token(folder, "control")): "control",
            _digest(read_token(folder, "viewer")): "viewer",
        }
        self._codes: dict[bytes, tuple[Role, float]] = {}
        self._sessions: dict[bytes, tuple[Role, float]] = {}

    def new_code(self, role: Role = "control") -> str:
        """Return a code that opens one page once, within a minute."""
        now = self._now_s()
        self._codes = {key: one for key, one in self._codes.items() if one[1] > now}
        code = secrets.token_urlsafe(16)
        self._codes[_digest(code)] = (role, now + CODE_LIFE_S)
        return code

    def trade(self, *, token: str | None = None, code: str | None = None) -> Grant | None:
        """Return what a token, a session or a code is worth; None when it is worth nothing."""
        if code is not None:
            return self._spend(_digest(code))
        if token is None:
            return None
        digest, now = _digest(token), self._now_s()
        role = _look_up(self._tokens, digest)
        if role is not None:
            return self._open(role, now)
        known = _look_up(self._sessions, digest)
        if known is None or known[1] <= now:
            self._sessions.pop(digest, None)
            return None
        self._sessions[digest] = (known[0], now + SESSION_IDLE_S)
        return Grant(known[0], token)

    def _spend(self, digest: bytes) -> Grant | None:
        found = _look_up(self._codes, digest)
        self._codes.pop(digest, None)
        now = self._now_s()
        return self._open(found[0], now) if found is not None and found[1] > now else None

    def _open(self, role: Role, now_s: float) -> Grant:
        while len(self._sessions) >= MOST_SESSIONS:
            del self._sessions[min(self._sessions, key=lambda key: self._sessions[key][1])]
        session = secrets.token_urlsafe(32)
        self._sessions[_digest(session)] = (role, now_s + SESSION_IDLE_S)
        return Grant(role, session)


class Guesses:
    """Counts wrong tokens and codes of each visitor (address and origin) over a minute."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._wrong: dict[tuple[str, str], list[float]] = {}

    def too_many(self, who: tuple[str, str], now_s: float) -> bool:
        """Return whether this visitor must wait."""
        return len(self._recent(who, now_s)) >= self._most

    def wrong(self, who: tuple[str, str], now_s: float) -> None:
        """Note a failure."""
        if len(self._wrong) > MOST_VISITORS:
            self._wrong.clear()
        self._wrong[who] = [*self._recent(who, now_s), now_s]

    def _recent(self, who: tuple[str, str], now_s: float) -> list[float]:
        return [at_s for at_s in self._wrong.get(who, ()) if now_s - at_s < 60.0]


def _look_up(table: dict[bytes, V], digest: bytes) -> V | None:
    """Compare with every key in constant time: how long it takes tells nothing about a secret."""
    found = None
    for key, value in table.items():
        if hmac.compare_digest(key, digest):
            found = value
    return found


def read_token(folder: Path, role: Role) -> str:
    """Return the token kept in ``ROLE.token``; made on first use, readable by its owner alone.

    Raises:
        InputError: the file cannot be read or made.
    """
    path = folder / f"{role}.token"
    try:
        if not path.exists():
            part = folder / f".{role}.token.{secrets.token_hex(4)}"
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(32) + "\n")
            part.replace(path)
        if os.name == "posix" and path.stat().st_mode & 0o077:
            path.chmod(0o600)
        token = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot keep the {role} token in {folder}: {error}") from error
    if len(token) < 32:
        raise InputError(f"{path} holds no token; delete it and a new one is made")
    return token
