"""The pipeline's ``server:`` mapping, checked before a socket opens."""

from __future__ import annotations

import ipaddress
from typing import Annotated

import msgspec
from msgspec import Meta

from ..core.errors import InputError
from .policy import normal_origin

Count = Annotated[int, Meta(ge=1)]


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much one client, or all of them, may ask of the engine."""

    clients: Count = 200
    clients_per_address: Count = 20  #: off loopback; on this machine everybody has one address
    commands_per_s: Annotated[float, Meta(gt=0)] = 20.0  #: malformed ones count as well
    failed_auths_per_minute: Count = 5  #: for each address and origin
    viewer_message_bytes: Count = 1024
    message_bytes: Count = 64 * 1024
    media_bytes: Count = 1024 * 1024  #: one picture or sound block of a browser; control only
    buffer_bytes: Count = 256 * 1024  #: held for a client that reads too slowly; then it is cut off
    stall_s: Annotated[float, Meta(gt=0)] = 3.0  #: how long a client may read nothing at all


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the engine listens, and to whom.

    Anything but loopback needs TLS or ``insecure_lan``, and every visitor from there a token.

    Raises:
        ValueError: a field does not hold; the message starts with its name.
    """

    port: Annotated[int, Meta(ge=0, le=65535)] = 8765  #: 0 takes a free one
    host: str = "127.0.0.1"
    allow_origins: list[str] = []  #: pages that may listen, e.g. ``https://preview.p5js.org``
    allow_hosts: list[str] = []  #: further names of this machine, e.g. ``exhibit.local``
    tls_cert: str | None = None  #: PEM files
    tls_key: str | None = None
    insecure_lan: bool = False
    sketch: str | None = None  #: a folder served at ``/sketch/``
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        for origin in self.allow_origins:
            try:
                normal_origin(origin)
            except InputError as error:
                raise ValueError(f"allow_origins: {error}") from None
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert: a certificate and its key (tls_key) belong together")
        if not (self.loopback or self.tls_cert or self.insecure_lan):
            raise ValueError(
                f"host: {self.host} lets the network in; give tls_cert and tls_key, "
                "or accept that anyone there can read along with insecure_lan: true"
            )

    @property
    def loopback(self) -> bool:
        """Return whether only programs of this machine can connect."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"
