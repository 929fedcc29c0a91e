"""Who may do what at the open door: every origin, role, message and token, and what is logged."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import typing
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.server.conftest import UPGRADE, Join, Raw, RunningHub
from tests.server.test_policy import OPEN_TO, ORIGINS, sample
from tmstream.core import messages as m
from tmstream.core.services import Commands
from tmstream.server import policy
from tmstream.server.state import allow_origin, state_folder
from tmstream.server.tokens import Tokens, read_token


def test_p7_every_origin_at_the_socket_and_what_a_token_can_make_of_it(
    running_hub: RunningHub, raw: Raw, join: Join
) -> None:
    async def go() -> None:
        async with running_hub(allow_origins=["https://preview.p5js.org"]) as hub:
            for origins, highest in ORIGINS.items():
                mine = [origin.replace("8765", str(hub.port)) for origin in origins]
                if highest is None:
                    headers = {**UPGRADE, **({"Origin": mine[0]} if len(mine) == 1 else {})}
                    if len(mine) == 2:
                        headers |= {"Origin": mine[0], "origin": mine[1]}
                    assert (await raw(hub, "/ws", headers=headers))[0] == 403, mine
                    continue
                async with join(hub, *mine) as talk:
                    reply = await talk.ask("auth", token=read_token(hub.folder, "control"))
                    assert reply["result"]["role"] == highest, mine
                    assert (await talk.ask("undo"))["error"]["code"] == (
                        "refused" if highest == "control" else "not_allowed"
                    )

    asyncio.run(go())


def check_every_message(running_hub: RunningHub, join: Join) -> None:
    """Every message of every role reaches its handler only if it may."""
    here = {m.Auth, m.Ping, m.Subscribe, m.Simulate, m.NewCode, m.ViewerLink, m.AllowOrigin}
    kinds: list[type[m.Command]] = list(typing.get_args(m.ClientMessage))
    obeyed: list[m.Command] = []

    async def handler(command: m.Command) -> dict[str, Any]:
        obeyed.append(command)
        return {"done": True}

    commands = Commands()
    commands.route(set(kinds) - here, handler)

    async def go() -> None:
        async with running_hub(commands, limits={"commands_per_s": 1000}) as hub:
            for role in ("viewer", "attendant", "control"):
                async with join(hub) as talk:
                    code = hub.tokens.new_code(role)
                    assert (await talk.ask("auth", code=code))["result"]["role"] == role
                    for kind in kinds:
                        command = sample(kind)
                        fields = {
                            n: getattr(command, n) for n in kind.__struct_fields__ if n != "id"
                        }
                        obeyed.clear()
                        reply = await talk.ask(kind.__struct_config__.tag, **fields)
                        allowed = role == "control" or allowed_by_hand(role, command)
                        code = reply.get("error", {}).get("code")
                        assert (code == "not_allowed") == (not allowed), (role, kind)
                        assert len(obeyed) == (allowed and kind not in here), (role, kind)

    asyncio.run(go())


def allowed_by_hand(role: str, command: m.Command) -> bool:
    """What `test_policy` writes out a second time, and what an attendant may say of a sound."""
    tag = type(command).__struct_config__.tag
    if role == "attendant" and isinstance(command, m.Mark):
        return command.label is None
    if role == "attendant" and isinstance(command, m.Set):
        return command.param == "strictness"
    return tag in OPEN_TO[role]


def test_p7_every_message_of_every_role_reaches_its_handler_only_if_it_may(
    running_hub: RunningHub, join: Join
) -> None:
    check_every_message(running_hub, join)


@pytest.mark.parametrize("kind", [m.RecordStart, m.DeleteExamples, m.Clip, m.Unlock])
def test_p7_control_a_message_that_gets_through_is_found_out(
    kind: type[m.Command], running_hub: RunningHub, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(policy.ROLES, kind, "viewer")
    with pytest.raises(AssertionError):
        check_every_message(running_hub, join)


def test_guessing_tokens_is_slowed_down(running_hub: RunningHub, join: Join) -> None:
    async def go() -> None:
        async with running_hub() as hub:
            async with join(hub) as talk:
                codes = [
                    (await talk.ask("auth", token="x" * 43))["error"]["code"] for _ in range(7)
                ]
                assert codes == ["wrong_token"] * 5 + ["too_many"] * 2
                right = read_token(hub.folder, "control")
                assert (await talk.ask("auth", token=right))["error"]["code"] == "too_many"
            studio = f"http://127.0.0.1:{hub.port}"
            async with join(hub, studio) as talk:  # another origin is not locked out with it
                assert (await talk.ask("auth", token=read_token(hub.folder, "control")))["ok"]

    asyncio.run(go())


def test_a_viewer_token_gives_no_more_and_a_session_survives_a_reconnect(
    running_hub: RunningHub, join: Join
) -> None:
    async def go() -> None:
        async with running_hub() as hub:
            async with join(hub) as talk:
                reply = await talk.ask("auth", token=read_token(hub.folder, "viewer"))
                assert reply["result"]["role"] == "viewer"
            async with join(hub) as talk:
                first = await talk.ask("auth", code=hub.tokens.new_code())
            async with join(hub) as talk:
                again = await talk.ask("auth", token=first["result"]["session"])
                assert again["result"] == first["result"]

    asyncio.run(go())


def test_an_unknown_page_is_refused_told_to_control_alone_and_let_in_by_it(
    running_hub: RunningHub, join: Join
) -> None:
    page = "https://openprocessing.example"

    async def go() -> None:
        async with running_hub() as hub, join(hub) as viewer, join(hub, control=True) as studio:
            for _ in range(3):
                with pytest.raises(InvalidStatus):
                    async with join(hub, page):
                        pass
            assert await studio.get("origin_refused") == {"type": "origin_refused", "origin": page}
            assert (await studio.ask("allow_origin", origin=page))["result"] == {"origin": page}
            async with join(hub, page) as talk:
                assert (await talk.ask("ping"))["ok"]
            await viewer.ask("ping")
            assert viewer.kinds == ["hello", "reply"], "a viewer was told of the refusal"
            assert studio.kinds.count("origin_refused") == 1, "the studio was told more than once"
        async with running_hub() as hub, join(hub, page):
            pass  # remembered

    asyncio.run(go())


def test_a_page_allowed_beside_a_running_engine_may_listen(
    running_hub: RunningHub, join: Join
) -> None:
    async def go() -> None:
        async with running_hub() as hub:
            allow_origin(state_folder(), "http://localhost:5500/")
            async with join(hub, "http://localhost:5500"):
                pass

    asyncio.run(go())


def check_log(
    running_hub: RunningHub, join: Join, raw: Raw, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "websockets.client")  # the other side's log, not ours
    caplog.set_level(logging.DEBUG)  # last: it sets the level of what is captured, too
    secrets: list[str] = []

    async def go() -> None:
        async with running_hub() as hub:
            control, viewer = (read_token(hub.folder, role) for role in ("control", "viewer"))
            code = hub.studio_url().partition("#c=")[2]
            async with join(hub) as talk:
                session = (await talk.ask("auth", token=control))["result"]["session"]
                made = (await talk.ask("new_code"))["result"]["code"]
                await talk.ask("auth", token="wrong" + control)
                await talk.socket.send(control)
            await raw(hub, f"/?token={control}")
            await raw(
                hub, f"/ws?token={control}", headers={**UPGRADE, "Origin": "https://a.example"}
            )
            secrets.extend([control, viewer, code, session, made])

    asyncio.run(go())
    assert all(len(secret) > 20 for secret in secrets)
    assert not [secret for secret in secrets if secret in caplog.text], "a secret in the log"
    assert "https://a.example" in caplog.text, "the log was not looked at"
    assert "DEBUG" in caplog.text, "only the loud part of the log was looked at"


def test_p7_the_log_of_it_all_holds_no_secret(
    running_hub: RunningHub, join: Join, raw: Raw, caplog: pytest.LogCaptureFixture
) -> None:
    check_log(running_hub, join, raw, caplog)


def test_p7_control_a_door_that_logs_what_it_is_shown_is_found_out(
    running_hub: RunningHub,
    join: Join,
    raw: Raw,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trade = Tokens.trade

    def chatty(self: Tokens, **shown: Any) -> Any:
        logging.getLogger("tmstream.server").debug("shown %s", shown)
        return trade(self, **shown)

    monkeypatch.setattr(Tokens, "trade", chatty)
    with pytest.raises(AssertionError, match="a secret in the log"):
        check_log(running_hub, join, raw, caplog)


def test_a_token_in_the_address_opens_nothing(running_hub: RunningHub) -> None:
    async def go() -> None:
        async with running_hub() as hub:
            token = read_token(hub.folder, "control")
            address = f"ws://127.0.0.1:{hub.port}/ws?token={token}"
            async with connect(address, compression=None, proxy=None) as socket:
                assert json.loads(await socket.recv())["role"] == "viewer"

    asyncio.run(go())


def own_address() -> str:
    """Return this machine's address in its network; nothing is sent to learn it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError as error:
            pytest.skip(f"this machine is in no network ({error})")
        return str(probe.getsockname()[0])


def test_from_the_network_nothing_is_told_without_a_token(running_hub: RunningHub) -> None:
    host = own_address()

    async def go() -> None:
        async with running_hub(host="0.0.0.0", insecure_lan=True) as hub:
            address = f"ws://{host}:{hub.port}/ws"
            origin: Any = f"http://{host}:{hub.port}"
            async with connect(address, origin=origin, compression=None, proxy=None) as client:
                hello = json.loads(await client.recv())
                assert (hello["role"], hello["labels"], hello["version"]) == ("none", [], "")
                hub.publish("event", None, b'{"type":"event"}', "clap")
                await client.send('{"type": "subscribe", "id": 1, "streams": ["event"]}')
                assert json.loads(await client.recv())["error"]["code"] == "not_allowed"
                token = read_token(hub.folder, "viewer")
                await client.send(json.dumps({"type": "auth", "id": 2, "token": token}))
                assert json.loads(await client.recv())["result"]["role"] == "viewer"
                assert json.loads(await client.recv())["labels"] == ["clap"]
                control = read_token(hub.folder, "control")
                await client.send(json.dumps({"type": "auth", "id": 3, "token": control}))
                assert json.loads(await client.recv())["result"]["role"] == "attendant"

    asyncio.run(go())


def test_what_the_network_may_not(running_hub: RunningHub, join: Join) -> None:
    """No picture leaves this machine, and one address does not take every place."""

    async def go() -> None:
        async with (
            running_hub(limits={"clients_per_address": 1}) as hub,
            join(hub, control=True) as talk,
        ):
            await talk.ask("subscribe", streams=["video"])
            (client,) = hub._clients.values()
            assert hub.watchers(viewers=True) == [client]
            client.address = "10.0.0.9"
            assert hub.watchers(viewers=True) == []
            rooms = [hub._has_room(a) for a in ("10.0.0.9", "10.0.0.8", "127.0.0.1")]
            assert rooms == [False, True, True]

    asyncio.run(go())
