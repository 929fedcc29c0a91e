"""What may be handed out, and what it is worth."""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.server.conftest import Join, RunningHub
from tmstream.core.errors import InputError
from tmstream.server.invite import network_name, qr_rows
from tmstream.server.settings import ServerSettings


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (ServerSettings(host="192.168.1.5", insecure_lan=True), "192.168.1.5"),
        (ServerSettings(host="fd00::5", insecure_lan=True), "[fd00::5]"),
        (
            ServerSettings(host="0.0.0.0", insecure_lan=True, allow_hosts=["Exhibit.local"]),
            "exhibit.local",
        ),
    ],
)
def test_others_call_this_machine_by_its_name_in_the_network(
    settings: ServerSettings, name: str
) -> None:
    assert network_name(settings) == name


def test_an_engine_for_this_machine_alone_has_no_such_name() -> None:
    with pytest.raises(InputError, match="only listens to this machine"):
        network_name(ServerSettings())


def test_the_code_is_the_square_that_the_address_makes() -> None:
    rows = qr_rows("http://192.168.1.5:8765/demos/hello/#token=" + "a" * 43)
    assert len({len(row) for row in rows} | {len(rows)}) == 1
    assert set("".join(rows)) == {"0", "1"}
    assert rows[0].startswith("11111110")  # the eye in its corner
    assert rows[6].startswith("1111111010101")  # the timing pattern beside it


def test_what_is_handed_out_never_opens_control(running_hub: RunningHub, join: Join) -> None:
    async def go() -> None:
        async with running_hub() as hub, join(hub, control=True) as studio:
            refused = await studio.ask("viewer_link")
            assert refused["error"]["code"] == "refused"
            assert "only listens to this machine" in refused["error"]["message"]
            made = (await studio.ask("new_code", role="attendant"))["result"]
            origin = f"http://localhost:{hub.port}"
            assert made["url"] == f"{origin}/attendant/#c={made['code']}"
            async with join(hub, origin) as page:
                assert (await page.ask("auth", code=made["code"]))["result"]["role"] == "attendant"
                assert not (await page.ask("viewer_link"))["ok"]
                assert not (await page.ask("auth", code=made["code"]))["ok"]  # once only
        lan = {"host": "0.0.0.0", "insecure_lan": True, "allow_hosts": ["exhibit.local"]}
        async with running_hub(**lan) as hub, join(hub, control=True) as studio:
            link = (await studio.ask("viewer_link"))["result"]
            start = f"http://exhibit.local:{hub.port}/demos/hello/#token="
            assert link["url"].startswith(start)
            assert link["qr"] == qr_rows(link["url"])
            token = re.sub(".*#token=", "", link["url"])
            async with join(hub) as phone:
                assert (await phone.ask("auth", token=token))["result"]["role"] == "viewer"
                assert not (await phone.ask("viewer_link"))["ok"]

    asyncio.run(go())
