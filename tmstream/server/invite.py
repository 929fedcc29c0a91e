"""Addresses to hand out: one that lets phones in this network watch, one for an attendant."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..core.errors import InputError
from .policy import Role
from .settings import ServerSettings
from .tokens import Tokens, read_token

#: TEST-NET-1 (RFC 5737): never routed to anybody. Connecting a datagram socket sends nothing; it
#: only asks the system which of its own addresses it would use.
_ELSEWHERE = ("192.0.2.1", 9)


class Invitations:
    """Makes addresses; ``url(name, path)`` is how a page is called under one of our names."""

    def __init__(
        self, settings: ServerSettings, tokens: Tokens, url: Callable[[str, str], str], folder: Path
    ) -> None:
        self._settings, self._tokens, self._url, self._folder = settings, tokens, url, folder

    def of(self, role: Role) -> dict[str, str]:
        """Return a one-time ``code`` and the ``url`` of the page on this machine that takes it."""
        code = self._tokens.new_code(role)
        if role == "control":
            return {"code": code, "url": self._url("127.0.0.1", f"#c={code}")}
        page = f"attendant/#c={code}" if role == "attendant" else self._sketch
        return {"code": code, "url": self._url("localhost", page)}

    def for_phones(self) -> dict[str, Any]:
        """Return the ``url`` at which this network may watch, and its ``qr`` code.

        It holds the viewer token, which can never become more.

        Raises:
            InputError: this engine does not listen to the network.
        """
        name = network_name(self._settings)
        url = self._url(name, f"{self._sketch}#token={read_token(self._folder, 'viewer')}")
        return {"url": url, "qr": qr_rows(url)}

    @property
    def _sketch(self) -> str:
        return "sketch/" if self._settings.sketch is not None else "demos/hello/"


def network_name(settings: ServerSettings) -> str:
    """Return the name under which others in the network reach this engine.

    Raises:
        InputError: it only listens to this machine, or its address cannot be told.
    """
    if settings.loopback:
        raise InputError(
            "this engine only listens to this machine; to let phones watch, give server.host an "
            "address of the network, with tls_cert and tls_key or insecure_lan: true"
        )
    if settings.allow_hosts:
        return settings.allow_hosts[0].lower()
    address = ipaddress.ip_address(settings.host)
    if not address.is_unspecified:
        return f"[{address}]" if address.version == 6 else str(address)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.connect(_ELSEWHERE)
            return str(asking.getsockname()[0])
    except OSError:
        raise InputError(
            "this machine's address in the network cannot be told; name it in server.allow_hosts"
        ) from None


def qr_rows(text: str) -> list[str]:
    """Return a QR code as rows of 0 and 1, without the quiet border (ISO/IEC 18004, level M)."""
    import segno

    return ["".join(map(str, row)) for row in segno.make_qr(text, error="m").matrix]
