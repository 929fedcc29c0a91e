"""What a visitor meets before there is a socket: is this our address, which page, may it come in.

Every request passes here, in this order: the Host it names (421), ``/ws`` by its Origin (403) and
by the room there is (503), the two addresses for programs, and the files of `pages`.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from . import pages, policy, state
from .metrics import CONTENT_TYPE, Metrics
from .policy import Door
from .settings import ServerSettings
from .sockets import Connection, address_of

log = logging.getLogger(__name__)

REFUSED_AGAIN_S = 10.0  #: how soon the studio is told again of the same refused page


class Entrance:
    """Answers requests; the callables are what it must ask or tell inside the house.

    ``facts()`` is what our own pages may know of the engine's health, ``room(address)`` whether
    one more client from there may enter, ``refused(origin)`` tells that a page was turned away,
    ``offered(path)`` gives the name and content of a file that waits to be fetched.
    """

    def __init__(
        self,
        settings: ServerSettings,
        folder: Path,
        metrics: Metrics,
        *,
        facts: Callable[[], dict[str, object]],
        room: Callable[[str], bool],
        refused: Callable[[str], None],
        offered: Callable[[str], tuple[str, bytes] | None],
    ) -> None:
        self.door = Door(settings.port)
        self._settings, self._folder, self._metrics = settings, folder, metrics
        self._facts, self._room, self._refused, self._offered = facts, room, refused, offered
        self._roots = pages.shipped_roots(settings.sketch)
        self._told_s: dict[str, float] = {}

    def open(self, port: int, *, tls: bool) -> None:
        """Answer to the port that was really taken."""
        self.door = Door(port, tls, self._names(), self._origins())

    def url(self, name: str, path: str = "") -> str:
        """Return the address of a page under one of our names."""
        return f"{self.door.scheme}://{self.door.authorities(name)[-1]}/{path}"

    def allow_origin(self, origin: str) -> str:
        """Let pages of ``origin`` listen, now and after the next start.

        Raises:
            InputError: it is no origin.
        """
        allowed = state.allow_origin(self._folder, origin)
        self._look_again()
        return allowed

    def answer(self, connection: Connection, request: Request) -> Response | None:
        """Decide over one request; None lets the upgrade to a socket go on."""
        method = getattr(request, "method", "GET")
        page = self._page(connection, request)
        if page is None:
            return None
        if page.status >= 400:
            self._metrics.refused.labels(str(page.status)).inc()
        body = b"" if method == "HEAD" else page.body
        length = str(len(page.body))
        headers = Headers({**page.headers, "Content-Length": length, "Connection": "close"})
        return Response(page.status, HTTPStatus(page.status).phrase, headers, body)

    def _page(self, connection: Connection, request: Request) -> pages.Page | None:
        local = address_of(connection, "sockname")
        host = policy.known_host(self.door, request.headers.get_all("Host"), local or None)
        if host is None:
            return pages.text(421, "this is not the address of this engine\n")
        path = request.path.partition("?")[0]
        origins = request.headers.get_all("Origin")
        site = request.headers.get_all("Sec-Fetch-Site")
        ours = not origins and (not site or site in (["same-origin"], ["none"]))
        if path == "/ws":
            return self._admit(connection, origins, host)
        if path == "/health":
            return pages.health(self._facts() if ours else None)
        if path == "/metrics":
            if not (ours and is_loopback(address_of(connection, "peername"))):
                return pages.text(403, "metrics are for programs of this machine\n")
            found = pages.text(200, self._metrics.text().decode())
            return found._replace(headers={**found.headers, "Content-Type": CONTENT_TYPE})
        if path.startswith("/download/") and host == "127.0.0.1":
            # A link of the studio: nobody else's page may follow it.
            return pages.download(self._offered(path) if ours else None)
        byte_range = request.headers.get_all("Range")
        return pages.find(
            self._roots, self.door, host, request.path, byte_range[0] if byte_range else None
        )

    def _admit(self, connection: Connection, origins: list[str], host: str) -> pages.Page | None:
        """Let a socket through, remembering what it may become, or say why not."""
        address = address_of(connection, "peername")
        loopback = is_loopback(address)
        admission = policy.admit(self.door, origins, loopback=loopback, local_host=host)
        if admission is None:
            self._look_again()  # `tmstream allow-origin` may have been used beside this engine
            admission = policy.admit(self.door, origins, loopback=loopback, local_host=host)
        if admission is None:
            self._tell_refused(origins)
            return pages.text(403, "this page is not on the list of pages that may listen\n")
        if not self._room(address):
            return pages.text(503, "too many clients\n")
        connection.admission = admission
        return None

    def _tell_refused(self, origins: list[str]) -> None:
        """Let the studio ask "Let this page listen?", without letting a page flood it."""
        now_s = time.monotonic()
        origin = origins[0][:200] if len(origins) == 1 else ""
        fresh = now_s - self._told_s.get(origin, -REFUSED_AGAIN_S) >= REFUSED_AGAIN_S
        if origin and fresh:
            if len(self._told_s) > 100:
                self._told_s.clear()
            self._told_s[origin] = now_s
            log.warning("a page of %r wanted to listen; tmstream allow-origin lets it", origin)
            self._refused(origin)

    def _look_again(self) -> None:
        self.door = self.door._replace(origins=self._origins())

    def _names(self) -> tuple[str, ...]:
        names = [name.lower() for name in self._settings.allow_hosts]
        with contextlib.suppress(ValueError):
            address = ipaddress.ip_address(self._settings.host)
            if not address.is_loopback and not address.is_unspecified:
                names.append(f"[{address}]" if address.version == 6 else str(address))
        return tuple(names)

    def _origins(self) -> frozenset[str]:
        listed = (policy.normal_origin(one) for one in self._settings.allow_origins)
        return frozenset(listed) | state.allowed_origins(self._folder)


def is_loopback(address: str) -> bool:
    """Tell whether a numeric address is this machine's own."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback
