"""Who may come in, and who may do what: pure functions over one closed table.

* ``Host`` must be one of our own names, on every route: a rebound DNS name is not (421).
* ``Origin`` of a socket must be one of our own pages or a listed one (403). No origin at all is a
  native program. Only the studio's origin, or a native program, can ever be given control.
* Which message needs which role stands in `ROLES`; what is not there, nobody may send.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from ..core import messages as m
from ..core.errors import InputError

#: ``none`` came from the network and has shown no token yet: it gets no data at all.
Role: TypeAlias = Literal["none", "viewer", "attendant", "control"]
RANKS: dict[Role, int] = {"none": 0, "viewer": 1, "attendant": 2, "control": 3}

#: The least role that may send each message. Closed: a test keeps it equal to ``ClientMessage``.
ROLES: dict[type, Role] = {
    m.Auth: "none",
    m.Ping: "none",
    m.Subscribe: "viewer",
    m.Mark: "attendant",
    m.Set: "attendant",
    m.Restart: "attendant",
    m.RecordStart: "control",
    m.RecordStop: "control",
    m.DeleteExamples: "control",
    m.RenameLabel: "control",
    m.DeleteLabel: "control",
    m.ActiveLabels: "control",
    m.Lock: "control",
    m.Unlock: "control",
    m.Undo: "control",
    m.Redo: "control",
    m.Snapshot: "control",
    m.Restore: "control",
    m.ListSnapshots: "control",
    m.Evaluate: "control",
    m.Neighbours: "control",
    m.Examples: "control",
    m.Clip: "control",
    m.Relabel: "control",
    m.Simulate: "control",
    m.AllowOrigin: "control",
    m.NewCode: "control",
    m.ViewerLink: "control",
    m.Upload: "control",
    m.TeachFiles: "control",
    m.Augment: "control",
    m.Export: "control",
    m.Calibrate: "control",
    m.Lint: "control",
    m.Job: "control",
    m.StopJob: "control",
}

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\]")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Door(NamedTuple):
    """What this engine answers to."""

    port: int
    tls: bool = False
    names: tuple[str, ...] = ()  #: further host names, lower case
    origins: frozenset[str] = frozenset()  #: pages of others that may listen

    @property
    def scheme(self) -> str:
        """Return ``http`` or ``https``."""
        return "https" if self.tls else "http"

    def authorities(self, name: str) -> tuple[str, ...]:
        """Return how ``name`` may stand in a Host header or an origin."""
        full = f"{name}:{self.port}"
        return (full, name) if self.port == _DEFAULT_PORTS[self.scheme] else (full,)

    @property
    def studio_origins(self) -> frozenset[str]:
        """Return the only origins that can be given control."""
        return frozenset(f"{self.scheme}://{one}" for one in self.authorities("127.0.0.1"))

    @property
    def sketch_origins(self) -> frozenset[str]:
        """Return the origins of the sketches and demos served here."""
        names = ("localhost", "[::1]", *self.names)
        return frozenset(f"{self.scheme}://{one}" for n in names for one in self.authorities(n))


class Admission(NamedTuple):
    """A visitor's role on arrival, and the highest a token can give it."""

    role: Role
    highest: Role


def known_host(door: Door, hosts: Sequence[str], local_address: str | None = None) -> str | None:
    """Return the host name asked for, or None when it is not ours (421).

    ``local_address`` is this end of the connection: a numeric address cannot be rebound, so a
    visitor who used it is meant for us.
    """
    if len(hosts) != 1:
        return None
    names = ["127.0.0.1", "localhost", "[::1]", *door.names]
    if local_address:
        address = ipaddress.ip_address(local_address.partition("%")[0])
        names.append(f"[{address}]" if address.version == 6 else str(address))
    wanted = hosts[0].strip().lower()
    return next((name for name in names if wanted in door.authorities(name)), None)


def admit(
    door: Door, origins: Sequence[str], *, loopback: bool, local_host: str | None = None
) -> Admission | None:
    """Return what a socket with these ``Origin`` headers may be, or None to refuse it (403).

    ``local_host`` is the checked name it asked for: a sketch page served under the machine's
    address in the network is our own page.
    """
    first: Role = "viewer" if loopback else "none"
    if not origins:
        return Admission(first, "control")
    if len(origins) > 1:
        return None
    origin = origins[0]
    if origin in door.studio_origins:
        return Admission(first, "control")
    own = {f"{door.scheme}://{one}" for one in door.authorities(local_host or "localhost")}
    if origin in door.sketch_origins or origin in own:
        return Admission(first, "attendant")
    if origin in door.origins:
        return Admission(first, "viewer")
    return None


def may(role: Role, command: Any) -> bool:
    """Return whether ``role`` may send ``command``: a message, or its type."""
    kind = command if isinstance(command, type) else type(command)
    needed = ROLES.get(kind)
    if needed is None or RANKS[role] < RANKS[needed]:
        return False
    if role == "attendant" and isinstance(command, m.Mark):
        return command.label is None  # "that was wrong"; teaching needs control
    if role == "attendant" and isinstance(command, m.Set):
        return command.param == "strictness"
    return True


def lesser(one: Role, other: Role) -> Role:
    """Return the role that may do less."""
    return min(one, other, key=RANKS.__getitem__)


def normal_origin(text: str) -> str:
    """Return ``text`` as a browser writes the origin of a page.

    Raises:
        InputError: it is no origin. ``null`` (a page opened from a file) is taken as it is.
    """
    wanted = text.strip().lower().rstrip("/")
    if wanted == "null":
        return wanted
    scheme, _, authority = wanted.partition("://")
    name, colon, port = (
        authority.rpartition(":")
        if re.search(r":\d*$", authority)
        else (
            authority,
            "",
            "",
        )
    )
    if scheme not in _DEFAULT_PORTS or not _NAME.fullmatch(name) or (colon and not port):
        raise InputError(f"{text!r} is not the origin of a page; write it like https://name:port")
    if port and not 0 < int(port) < 65536:
        raise InputError(f"{text!r} names a port that does not exist")
    if not port or int(port) == _DEFAULT_PORTS[scheme]:
        return f"{scheme}://{name}"
    return f"{scheme}://{name}:{int(port)}"
