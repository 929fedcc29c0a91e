from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tmstream.server.settings import ServerSettings


def parse(**fields: Any) -> ServerSettings:
    return msgspec.convert(fields, ServerSettings)


def test_nothing_said_is_this_machine_alone() -> None:
    settings = parse()
    assert (settings.port, settings.host, settings.loopback) == (8765, "127.0.0.1", True)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"port": 70_000}, "<= 65535.*\\$.port"),
        ({"port": "8765"}, "\\$.port"),
        ({"prot": 1}, "unknown field `prot`"),
        ({"host": "0.0.0.0"}, "^host: 0.0.0.0 lets the network in"),
        ({"host": "exhibit.local"}, "^host: exhibit.local lets the network in"),
        ({"tls_cert": "a.pem"}, "^tls_cert: "),
        ({"tls_key": "a.pem"}, "^tls_cert: "),
        ({"allow_origins": ["https://*"]}, "^allow_origins: "),
        ({"limits": {"clients": 0}}, "\\$.limits.clients"),
        ({"limits": {"client": 1}}, "unknown field `client`"),
    ],
)
def test_what_does_not_hold_is_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        parse(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"host": "0.0.0.0", "insecure_lan": True},
        {"host": "192.168.1.5", "tls_cert": "a.pem", "tls_key": "b.pem"},
        {"host": "::1"},
        {"host": "localhost"},
        {"host": "127.0.0.2"},
        {"allow_origins": ["null", "https://preview.p5js.org"]},
    ],
)
def test_what_holds_is_taken(fields: dict[str, Any]) -> None:
    parse(**fields)
