"""The door as a stranger meets it: raw requests, every host, route and method."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.server.conftest import UPGRADE, Join, Raw, RunningHub
from tests.server.test_policy import FOREIGN_HOSTS, OUR_HOSTS
from tmstream.core import messages as m
from tmstream.core.errors import DeviceError
from tmstream.core.services import Commands
from tmstream.server import entrance, sockets
from tmstream.server.ask import ask
from tmstream.server.hub import Hub
from tmstream.server.state import find_running

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


def test_stop_says_goodbye(running_hub: RunningHub, join: Join) -> None:
    async def go() -> None:
        async with running_hub() as hub, join(hub) as talk:
            await hub.stop()
            with pytest.raises(ConnectionClosed) as closed:
                await talk.get()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001

    asyncio.run(go())


def test_health_says_little_to_others_and_enough_to_us(
    running_hub: RunningHub, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
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
            monkeypatch.setattr(entrance, "is_loopback", lambda address: False)
            assert (await raw(hub, "/metrics"))[0] == 403

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
