"""The door as a stranger meets it: raw requests, every host, route and method; every origin."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import shutil
import socket
import ssl
import subprocess
import typing
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.server.conftest import Join, Raw, RunningHub
from tests.server.test_policy import FOREIGN_HOSTS, OPEN_TO, ORIGINS, OUR_HOSTS, sample
from tmstream.core import messages as m
from tmstream.core.errors import DeviceError
from tmstream.core.services import Commands
from tmstream.server import policy, sockets
from tmstream.server.ask import ask
from tmstream.server.hub import Hub
from tmstream.server.state import allow_origin, find_running, state_folder
from tmstream.server.tokens import Tokens, read_token

ROUTES = [
    "/",
    "/health",
    "/metrics",
    "/sketch/",
    "/demos/",
    "/vendor/x",
    "/tmstream.js",
    "/ws",
    "/x",
]
UPGRADE = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}  # fmt: skip


def test_p7_every_host_on_every_route(running_hub: RunningHub, raw: Raw) -> None:
    async def go() -> None:
        async with running_hub() as hub:
            port = str(hub.port)
            for route in ROUTES:
                extra = UPGRADE if route == "/ws" else {}
                for host in OUR_HOSTS:
                    wanted = {"Host": host.replace("8765", port), **extra}
                    assert (await raw(hub, route, headers=wanted))[0] != 421, (route, host)
                for host in FOREIGN_HOSTS:
                    wanted = {"Host": host.replace("8765", port), **extra}
                    assert (await raw(hub, route, headers=wanted))[0] == 421, (route, host)

    asyncio.run(go())


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "X"]
)
def test_every_other_method_on_every_route(running_hub: RunningHub, raw: Raw, method: str) -> None:
    async def go() -> None:
        async with running_hub() as hub:
            for route in ROUTES:
                for body in ("", "x" * 20):
                    size = {"Content-Length": str(len(body))}
                    status, headers, _ = await raw(hub, route, method, size, body)
                    assert status == 405, (route, method)
                    assert headers["allow"] == "GET, HEAD"

    asyncio.run(go())


def test_head_is_get_without_the_body(running_hub: RunningHub, raw: Raw) -> None:
    async def go() -> None:
        async with running_hub() as hub:
            for route in set(ROUTES) - {"/ws", "/metrics"}:
                got, head = await raw(hub, route), await raw(hub, route, "HEAD")
                assert (got[0], got[1]["content-length"]) == (head[0], head[1]["content-length"])
                assert head[2] == b""

    asyncio.run(go())


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


def test_one_reply_each_in_order_while_pings_overtake(running_hub: RunningHub, join: Join) -> None:
    release = asyncio.Event()
    order: list[str] = []

    async def slowly(command: m.Snapshot) -> str:
        await release.wait()
        order.append(command.name)
        return command.name

    commands = Commands()
    commands.route([m.Snapshot], slowly)

    async def go() -> None:
        async with running_hub(commands) as hub, join(hub, control=True) as talk:
            for name in "abc":
                await talk.socket.send(json.dumps({"type": "snapshot", "id": name, "name": name}))
            assert (await talk.ask("ping"))["ok"]
            assert order == []
            release.set()
            assert [(await talk.get("reply"))["id"] for _ in "abc"] == ["a", "b", "c"]
            assert order == ["a", "b", "c"]

    asyncio.run(go())


def test_a_recording_stops_at_once_while_a_judgement_takes_its_time(
    running_hub: RunningHub, join: Join
) -> None:
    release = asyncio.Event()

    async def slowly(command: m.Evaluate) -> str:
        await release.wait()
        return "judged"

    async def handler(command: m.Command) -> str:
        return type(command).__name__

    commands = Commands()
    commands.route([m.Evaluate], slowly)
    commands.route([m.RecordStart, m.RecordStop], handler)

    async def go() -> None:
        async with running_hub(commands) as hub, join(hub, control=True) as talk:
            await talk.ask("record_start", label="clap")
            await talk.socket.send(json.dumps({"type": "evaluate", "id": "slow"}))
            assert (await talk.ask("record_stop"))["result"] == "RecordStop"
            release.set()
            assert (await talk.get("reply"))["id"] == "slow"

    asyncio.run(go())


def test_a_command_that_fails_is_told_and_the_next_one_works(
    running_hub: RunningHub, join: Join, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(command: m.Undo) -> None:
        raise ZeroDivisionError

    async def missing(command: m.Redo) -> None:
        raise DeviceError("no such thing")

    async def unsendable(command: m.Lock) -> object:
        return object()

    commands = Commands()
    commands.route([m.Undo], broken)
    commands.route([m.Redo], missing)
    commands.route([m.Lock], unsendable)

    async def go() -> None:
        async with running_hub(commands) as hub, join(hub, control=True) as talk:
            for kind in ("undo", "redo", "lock"):
                assert (await talk.ask(kind))["error"]["code"] == "failed"
            assert (await talk.ask("ping"))["ok"]

    asyncio.run(go())
    assert "ZeroDivisionError" in caplog.text


def test_whoever_leaves_while_recording_stops_the_recording(
    running_hub: RunningHub, join: Join
) -> None:
    obeyed: list[str] = []
    stopped = asyncio.Event()

    async def handler(command: m.Command) -> None:
        obeyed.append(type(command).__name__)
        if isinstance(command, m.RecordStop):
            stopped.set()

    commands = Commands()
    commands.route([m.RecordStart, m.RecordStop], handler)

    async def go() -> None:
        async with running_hub(commands) as hub:
            async with join(hub, control=True) as talk:
                await talk.ask("record_start", label="clap", seconds=2.0)
            async with join(hub, control=True) as talk:
                await talk.ask("record_start", label="clap")
            await asyncio.wait_for(stopped.wait(), 5)

    asyncio.run(go())
    assert obeyed == ["RecordStart", "RecordStart", "RecordStop"]


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
            await studio.socket.send(json.dumps({"type": "simulate", "id": 9, "label": "end"}))
            assert (await viewer.get())["type"] == "event", "a viewer was told of the refusal"
            assert (await studio.get())["type"] == "event", "the studio was told more than once"
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


def test_a_frame_too_large_for_a_viewer_ends_its_connection(
    running_hub: RunningHub, join: Join
) -> None:
    async def go() -> None:
        async with running_hub() as hub, join(hub) as talk:
            await talk.socket.send("x" * 1025)
            with pytest.raises(ConnectionClosed) as closed:
                await talk.get()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1009

    asyncio.run(go())


def test_a_flood_in_fragments_ends_its_connection_alone(
    running_hub: RunningHub, join: Join
) -> None:
    async def fragments() -> Any:
        for _ in range(10_000):
            yield "x" * 100

    async def go() -> None:
        async with running_hub() as hub, join(hub) as other, join(hub) as talk:
            with contextlib.suppress(ConnectionClosed):
                await talk.socket.send(fragments())
            with pytest.raises(ConnectionClosed) as closed:
                await talk.get()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1009
            assert (await other.ask("ping"))["ok"]

    asyncio.run(go())


def test_empty_fragments_without_end_are_cut_off(running_hub: RunningHub, join: Join) -> None:
    async def nothing() -> Any:
        yield "x"
        for _ in range(100_000):
            yield ""

    async def go() -> None:
        async with running_hub() as hub, join(hub) as talk:
            with contextlib.suppress(ConnectionClosed):
                await talk.socket.send(nothing())
            with pytest.raises(ConnectionClosed) as closed:
                await talk.get()
            assert closed.value.rcvd is None, "cut off by us, not by the library's own limit"

    asyncio.run(go())


def test_more_clients_than_the_limit_are_turned_away(running_hub: RunningHub, join: Join) -> None:
    async def go() -> None:
        async with running_hub(limits={"clients": 2}) as hub, join(hub), join(hub):
            with pytest.raises(InvalidStatus, match="503"):
                async with join(hub):
                    pass

    asyncio.run(go())


def test_a_port_in_use_is_one_clear_line(running_hub: RunningHub) -> None:
    async def go() -> None:
        async with running_hub() as hub:
            with pytest.raises(
                DeviceError, match=rf"^port {hub.port} on 127.0.0.1 is in use.*--port$"
            ):
                async with running_hub(port=hub.port):
                    pass
            assert find_running(hub.folder) is not None
        assert find_running(hub.folder) is None

    asyncio.run(go())


def test_ipv6_answers_too(running_hub: RunningHub, join: Join) -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError as error:
        pytest.skip(f"this machine has no ::1 ({error})")

    async def go() -> None:
        async with running_hub() as hub, join(hub, host="[::1]") as talk:
            assert (await talk.ask("ping"))["ok"]

    asyncio.run(go())


def test_a_machine_without_ipv6_does_well(
    running_hub: RunningHub, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    bind = sockets._bind

    def without(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return bind(family, host, port)

    monkeypatch.setattr(sockets, "_bind", without)

    async def go() -> None:
        async with running_hub() as hub, join(hub) as talk:
            assert (await talk.ask("ping"))["ok"]

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


def test_stop_says_goodbye(running_hub: RunningHub, join: Join) -> None:
    async def go() -> None:
        async with running_hub() as hub, join(hub) as talk:
            await hub.stop()
            with pytest.raises(ConnectionClosed) as closed:
                await talk.get()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001

    asyncio.run(go())


def test_health_says_little_to_others_and_enough_to_us(running_hub: RunningHub, raw: Raw) -> None:
    waiting = m.NodeStatusPart("waiting", 0.0, 0.0, 0.0, 0, "no microphone")
    fine = m.NodeStatusPart("running", 50.0, 100.0, 200.0, 0)

    async def go() -> None:
        async with running_hub() as hub:
            hub.observe(m.StatusMessage({"mic": waiting, "head": fine}, 0, 7, False))
            for stranger in ({"Origin": "https://a.example"}, {"Sec-Fetch-Site": "cross-site"}):
                status, headers, body = await raw(hub, "/health", headers=stranger)
                assert (status, json.loads(body)) == (200, {"ok": True, "engine": "tmstream"})
                assert headers["access-control-allow-origin"] == "*"
                assert (await raw(hub, "/metrics", headers=stranger))[0] == 403
            body = (await raw(hub, "/health"))[2]
            assert json.loads(body)["waiting"] == {"mic": "no microphone"}
            metrics = (await raw(hub, "/metrics"))[2].decode()
            assert "tmstream_examples 7.0" in metrics
            assert 'tmstream_node_state{node="mic",state="waiting"} 1.0' in metrics
            assert 'tmstream_refused_total{status="403"} 2.0' in metrics

    asyncio.run(go())


def test_tokens_that_cannot_be_kept_are_an_error_before_anything_listens(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "control.token").mkdir()
    monkeypatch.setenv("TMSTREAM_STATE", str(tmp_path))
    from tmstream.core.errors import InputError
    from tmstream.server.settings import ServerSettings

    with pytest.raises(InputError, match="cannot keep the control token"):
        Hub(ServerSettings(port=0), Commands(), lambda: None)  # type: ignore[arg-type,return-value]


def test_with_a_certificate_everything_is_encrypted(
    running_hub: RunningHub, tmp_path: Path
) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.create_default_context(cafile=str(cert))

    async def go() -> None:
        async with running_hub(tls_cert=str(cert), tls_key=str(key)) as hub:
            assert hub.studio_url().startswith(f"https://127.0.0.1:{hub.port}/#c=")
            address, origin = f"wss://localhost:{hub.port}/ws", f"https://localhost:{hub.port}"
            async with connect(
                address,
                ssl=context,
                compression=None,
                proxy=None,
                origin=origin,  # type: ignore[arg-type]
            ) as client:
                assert json.loads(await client.recv())["role"] == "viewer"
            assert "code" in await ask(m.NewCode(id=1))
        with pytest.raises(DeviceError, match=r"^server\.tls_cert: cannot use"):
            async with running_hub(tls_cert=str(key), tls_key=str(cert)):
                pass

    asyncio.run(go())
