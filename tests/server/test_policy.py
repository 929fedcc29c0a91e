"""Who may come in and who may do what: every case of the tables, nothing left out."""

from __future__ import annotations

import itertools
import typing
from collections.abc import Sequence
from typing import Any

import pytest

from tmstream.core import messages as m
from tmstream.core.errors import InputError
from tmstream.server import policy
from tmstream.server.policy import Admission, Door

DOOR = Door(8765, origins=frozenset({"https://preview.p5js.org"}))
TLS = Door(443, tls=True, names=("exhibit.local",))
COMMANDS: list[type[m.Command]] = list(typing.get_args(m.ClientMessage))
SAMPLES: dict[str, Any] = {
    "token": None, "streams": [], "label": "a", "seconds": 1.0, "ids": [], "to": "b", "labels": [],
    "name": "n", "node": "n", "param": "tau_s", "value": 1, "seq": 1, "example": "x",
    "origin": "https://a.example", "bytes": 1, "uploads": [], "job": 1,
}  # fmt: skip


def sample(kind: type[m.Command], **fields: Any) -> m.Command:
    needed = {name: SAMPLES[name] for name in kind.__struct_fields__ if name in SAMPLES}
    return kind(id=1, **{**needed, **fields})


def test_the_table_is_closed_over_the_messages() -> None:
    assert set(policy.ROLES) == set(COMMANDS)


#: Written out a second time on purpose: whoever opens something must say so here as well.
OPEN_TO = {
    "none": {"auth", "ping"},
    "viewer": {"auth", "ping", "subscribe"},
    "attendant": {"auth", "ping", "subscribe", "restart"},
}


def check_role(role: policy.Role, kind: type[m.Command]) -> None:
    tag = kind.__struct_config__.tag
    allowed = role == "control" or tag in OPEN_TO[role]
    assert policy.may(role, sample(kind)) == allowed, f"{role} and {tag}"


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__struct_config__.tag)
@pytest.mark.parametrize("role", list(policy.RANKS))
def test_p7_each_message_for_each_role(role: policy.Role, kind: type[m.Command]) -> None:
    check_role(role, kind)


CONTROL_ONLY = [kind for kind, role in policy.ROLES.items() if role == "control"]


@pytest.mark.parametrize("kind", CONTROL_ONLY, ids=lambda kind: kind.__struct_config__.tag)
def test_p7_control_each_hole_in_the_table_is_found(
    kind: type[m.Command], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(policy.ROLES, kind, "viewer")
    with pytest.raises(AssertionError, match=f"viewer and {kind.__struct_config__.tag}"):
        check_role("viewer", kind)


def test_an_attendant_may_say_that_was_wrong_and_set_the_strictness_alone() -> None:
    assert policy.may("attendant", sample(m.Mark, label=None))
    assert not policy.may("attendant", sample(m.Mark, label="clap"))
    assert policy.may("attendant", sample(m.Set, param="strictness"))
    assert not policy.may("viewer", sample(m.Mark, label=None))
    assert not policy.may("viewer", sample(m.Set, param="strictness"))


def test_what_is_not_in_the_table_nobody_may_send() -> None:
    assert not any(policy.may(role, m.Hello) for role in policy.RANKS)


OUR_HOSTS = {"127.0.0.1:8765": "127.0.0.1", "localhost:8765": "localhost", "[::1]:8765": "[::1]"}
FOREIGN_HOSTS = [
    "", "127.0.0.1", "localhost", "127.0.0.1:80", "127.0.0.1:87650", "127.0.0.2:8765", "evil.example",
    "evil.example:8765", "localhost.evil.example:8765", "127.0.0.1:8765.evil.example", "[::2]:8765",
    "127.0.0.1:8765@evil.example", "0.0.0.0:8765", "192.168.1.5:8765", "127.1:8765", "2130706433:8765",
]  # fmt: skip


def check_host(host: str) -> None:
    assert policy.known_host(DOOR, [host], "127.0.0.1") == OUR_HOSTS.get(host)
    assert policy.known_host(DOOR, [host.upper()]) == OUR_HOSTS.get(host)
    assert policy.known_host(DOOR, [host, host]) is None


@pytest.mark.parametrize("host", [*OUR_HOSTS, *FOREIGN_HOSTS])
def test_p7_each_host(host: str) -> None:
    check_host(host)


#: Ways to compare a Host that look right, and a host that each of them lets in.
CARELESS_HOSTS = {
    "prefix": (lambda wanted, own: own.startswith(wanted[:9]), "127.0.0.1:8765.evil.example"),
    "name alone": (lambda wanted, own: wanted.split(":")[0] == own.split(":")[0], "127.0.0.1:80"),
    "contains": (lambda wanted, own: own.split(":")[0] in wanted, "localhost.evil.example:8765"),
}


@pytest.mark.parametrize("careless", list(CARELESS_HOSTS))
def test_p7_control_a_careless_comparison_of_hosts_is_found_out(
    careless: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    same, host = CARELESS_HOSTS[careless]

    def known(door: Door, hosts: Sequence[str], local: str | None = None) -> str | None:
        return next((name for own, name in OUR_HOSTS.items() if same(hosts[0], own)), None)

    monkeypatch.setattr(policy, "known_host", known)
    with pytest.raises(AssertionError):
        check_host(host)


def test_host_must_be_there() -> None:
    assert policy.known_host(DOOR, []) is None


def test_a_default_port_may_be_left_out_and_a_name_may_be_added() -> None:
    assert policy.known_host(TLS, ["exhibit.local"]) == "exhibit.local"
    assert policy.known_host(TLS, ["exhibit.local:443"]) == "exhibit.local"
    assert policy.known_host(TLS, ["exhibit.local:8765"]) is None


def test_the_address_a_visitor_used_is_ours_but_no_other() -> None:
    assert policy.known_host(DOOR, ["192.168.1.5:8765"], "192.168.1.5") == "192.168.1.5"
    assert policy.known_host(DOOR, ["192.168.1.6:8765"], "192.168.1.5") is None
    assert policy.known_host(DOOR, ["[fe80::1]:8765"], "fe80::1%eth0") == "[fe80::1]"


STUDIO, SKETCH, LISTED, REFUSED = "control", "attendant", "viewer", None
ORIGINS = {
    (): STUDIO,  # a native program: a token decides
    ("http://127.0.0.1:8765",): STUDIO,
    ("http://localhost:8765",): SKETCH,
    ("http://[::1]:8765",): SKETCH,
    ("https://preview.p5js.org",): LISTED,
    ("https://127.0.0.1:8765",): REFUSED,
    ("http://127.0.0.1",): REFUSED,
    ("http://127.0.0.1:3000",): REFUSED,
    ("http://127.0.0.1:8765/",): REFUSED,
    ("http://127.0.0.1:8765.evil.example",): REFUSED,
    ("http://localhost:8765@evil.example",): REFUSED,
    ("https://evil.example",): REFUSED,
    ("https://preview.p5js.org.evil.example",): REFUSED,
    ("http://preview.p5js.org",): REFUSED,
    ("https://PREVIEW.p5js.org",): REFUSED,
    ("null",): REFUSED,
    ("",): REFUSED,
    ("file://",): REFUSED,
    ("http://127.0.0.1:8765", "http://127.0.0.1:8765"): REFUSED,
}


def check_origin(origins: tuple[str, ...], loopback: bool) -> None:
    highest = ORIGINS[origins]
    expected = Admission("viewer" if loopback else "none", highest) if highest else None  # type: ignore[arg-type]
    assert policy.admit(DOOR, origins, loopback=loopback) == expected


@pytest.mark.parametrize(("origins", "loopback"), list(itertools.product(ORIGINS, (True, False))))
def test_p7_each_origin(origins: tuple[str, ...], loopback: bool) -> None:
    check_origin(origins, loopback)


FOREIGN_ORIGINS = [origins for origins, highest in ORIGINS.items() if highest is REFUSED]


@pytest.mark.parametrize("origins", FOREIGN_ORIGINS)
def test_p7_control_a_door_that_lets_a_page_in_is_found_out(
    origins: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "admit", lambda *_, **__: Admission("viewer", "viewer"))
    with pytest.raises(AssertionError):
        check_origin(origins, True)


def test_a_sketch_page_under_the_machines_address_is_our_own_and_never_gets_control() -> None:
    origin = ["http://192.168.1.5:8765"]
    admission = policy.admit(DOOR, origin, loopback=False, local_host="192.168.1.5")
    assert admission == Admission("none", "attendant")
    assert policy.admit(DOOR, origin, loopback=False, local_host="localhost") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://preview.p5js.org", "https://preview.p5js.org"),
        (" HTTPS://Preview.P5js.org/ ", "https://preview.p5js.org"),
        ("http://localhost:5500", "http://localhost:5500"),
        ("https://a.example:443", "https://a.example"),
        ("http://a.example:80", "http://a.example"),
        ("http://[::1]:5500", "http://[::1]:5500"),
        ("null", "null"),
    ],
)
def test_an_origin_is_written_as_browsers_do(text: str, expected: str) -> None:
    assert policy.normal_origin(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "a.example", "https://", "https://a/b", "https://a?b", "*", "https://*.example", "ftp://a",
     "https://a:0", "https://a:99999", "https://a:x", "https://a b", "https://u@a", "https://a\nb"],
)  # fmt: skip
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        policy.normal_origin(text)
