"""The attendant's page is served to phones, sees and hears nothing, and asks for what it may have."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from tmstream.core import messages as m
from tmstream.server import pages, policy
from tmstream.server.policy import Door

DOOR = Door(8765, names=("exhibit.local",))
ROOTS = pages.shipped_roots()


def get(target: str, host: str = "exhibit.local") -> pages.Page:
    return pages.find(ROOTS, DOOR, host, target)


@pytest.mark.parametrize("host", ["localhost", "exhibit.local", "192.168.1.20"])
def test_it_is_served_to_the_network_without_camera_or_microphone(host: str) -> None:
    page = get("/attendant/", host)
    assert page.status == 200
    assert "All is well" not in page.body.decode()  # nothing is claimed before it is known
    assert page.headers["Permissions-Policy"] == "camera=(), microphone=()"
    policy_ = page.headers["Content-Security-Policy"]
    assert policy_.startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in policy_
    assert "ws://exhibit.local:8765" in policy_


def test_the_bare_address_leads_to_it_and_nothing_leads_out() -> None:
    assert get("/attendant").headers["Location"] == "/attendant/"
    assert get("/attendant/", "127.0.0.1").status == 307
    assert get("/attendant/../studio/index.html").status in (404, 400)
    assert get("/attendant/%2e%2e/client/tmstream.js").status == 404


def test_its_script_sends_only_what_an_attendant_may() -> None:
    script = get("/attendant/attendant.js").body.decode()
    sent = set(re.findall(r'ask\("(\w+)"', script))
    assert sent == {"auth", "subscribe", "mark", "set", "restart"}
    tags = {kind.__struct_config__.tag: kind for kind in get_args(m.ClientMessage)}
    for tag in sent:
        assert policy.RANKS[policy.ROLES[tags[tag]]] <= policy.RANKS["attendant"], tag
    assert "innerHTML" not in script
    assert "getUserMedia" not in script
    inline = re.findall(r"<script(?![^>]*src=)|\son\w+=|style=", get("/attendant/").body.decode())
    assert inline == []  # the policy would forbid it
