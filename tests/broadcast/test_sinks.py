"""The sinks that speak to others: websocket, console, OSC."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pythonosc.osc_message import OscMessage

from tmstream.broadcast.console import Console
from tmstream.broadcast.osc import Osc, osc_name
from tmstream.broadcast.websocket import WebSocket
from tmstream.core.errors import ContractError, DeviceError
from tmstream.core.messages import Hello, LiveParameter
from tmstream.core.packet import Event, Image, NodeStatus, Packet, Result, Scores, Status
from tmstream.core.services import Commands
from tmstream.server.hub import Hub
from tmstream.server.settings import ServerSettings
from tmstream.store.project import NewExample, Project
from tmstream.testing import FakeServices

SCORES = Packet(
    1000,
    Scores(
        "snap", 0.75, None, (Result("snap", 0.75, 0.5), Result("clap", 0.25, 0.125)), 2000,
        subject="1",
    ),
)  # fmt: skip
EVENT = Packet(2000, Event("enter", "snap", 1000, 0.75, "1"))
STATUS = Packet(0, Status({"mic": NodeStatus("running", 50.0)}))


class RecordingHub(Hub):
    """A hub that remembers what it was told to publish; it never listens."""

    def __init__(self) -> None:
        nobody = Hello("", "", None, [], [], [], [], "", 0, live=[LiveParameter("head", "k", 5)])
        super().__init__(ServerSettings(port=0), Commands(), lambda: nobody)
        self.published: list[tuple[Any, ...]] = []

    def publish(self, *args: Any, **kwargs: Any) -> None:
        self.published.append(args)


async def wrote(node: Any, services: FakeServices, *packets: Packet[Any]) -> None:
    await node.open(services)
    for packet in packets:
        await node.write_from("calm", packet)
    await node.close()


def test_the_websocket_publishes_under_the_name_of_the_giver() -> None:
    hub = RecordingHub()
    asyncio.run(wrote(WebSocket(), FakeServices(hub, node="out"), SCORES, EVENT))
    (kind, key, data, label), (event, no_key, _, _) = hub.published
    assert (kind, key, label) == ("prediction", ("calm", "prediction", "1"), "snap")
    assert json.loads(data)["node"] == "calm"
    assert (event, no_key) == ("event", None)


def test_of_two_websocket_nodes_one_tells_the_status() -> None:
    hub = RecordingHub()

    async def go() -> None:
        one, two = WebSocket(), WebSocket()
        await one.open(FakeServices(hub))
        await two.open(FakeServices(hub))
        await one.write(STATUS)
        await two.write(STATUS)
        assert [kind for kind, *_ in hub.published] == ["status"]
        await one.close()
        await two.write(STATUS)
        assert len(hub.published) == 2
        await two.close()

    asyncio.run(go())
    assert hub.status is not None
    assert hub.status.nodes["mic"].rate_hz == 50.0
    assert hub.status.live == [LiveParameter("head", "k", 5)]  # whoever else changes it is followed


def test_without_a_server_the_websocket_says_so() -> None:
    with pytest.raises(ContractError, match="runs without a Hub"):
        asyncio.run(WebSocket().open(FakeServices()))


def test_the_console_prints_the_bytes_a_client_gets(capfdbinary: Any, tmp_path: Path) -> None:
    hub = RecordingHub()
    project = Project.open(tmp_path / "p.tms", create=True)
    project.add([NewExample("snap", "audio", np.ones(3, np.float32), "take")])
    project.set_settings({"locked": True})
    asyncio.run(wrote(WebSocket(), FakeServices(hub, project), SCORES, EVENT, STATUS))
    asyncio.run(wrote(Console(), FakeServices(hub, project), SCORES, EVENT, STATUS))
    project.close()
    assert hub.status is not None
    assert (hub.status.examples, hub.status.locked) == (1, True)
    lines = capfdbinary.readouterr().out.splitlines()
    assert lines == [published[2] for published in hub.published]


def test_the_console_prints_where_a_program_that_runs_us_keeps_what_we_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(kept))
    asyncio.run(wrote(Console(), FakeServices(), SCORES, EVENT))
    assert [json.loads(line)["type"] for line in kept.getvalue().splitlines()] == [
        "prediction", "event",
    ]  # fmt: skip


CLOSED_PIPE = """
import asyncio
from tests.broadcast.test_sinks import SCORES, wrote
from tmstream.broadcast.console import Console
from tmstream.testing import FakeServices
asyncio.run(wrote(Console(), FakeServices(), *[SCORES] * 5000))
"""


def test_a_closed_pipe_is_no_failure() -> None:
    command = [sys.executable, "-c", CLOSED_PIPE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b'{"type":"prediction"')
        process.stdout.close()
        errors = process.stderr.read()
        assert (process.wait(30), errors) == (0, b"")


STUCK_PIPE = """
import asyncio, sys
from tests.broadcast.test_sinks import SCORES, wrote
from tmstream.broadcast.console import Console
from tmstream.testing import FakeServices

async def go():
    writing = asyncio.create_task(wrote(Console(), FakeServices(), *[SCORES] * 5000))
    while sys.stdin.readline() != "enough\\n":
        await asyncio.sleep(0.01)
        print("alive", file=sys.stderr, flush=True)
    writing.cancel()

asyncio.run(go())
"""


def test_a_reader_that_takes_nothing_holds_up_nobody_nor_the_end() -> None:
    command = [sys.executable, "-c", STUCK_PIPE]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        watch = threading.Timer(20, process.kill)  # instead of waiting for ever
        watch.start()
        assert process.stdin is not None
        assert process.stderr is not None
        for _ in range(50):  # far more than until the pipe is full
            process.stdin.write("and?\n")
            process.stdin.flush()
            assert process.stderr.readline() == "alive\n"
        process.stdin.write("enough\n")
        process.stdin.flush()
        assert (process.stderr.read(), process.wait(10)) == ("", 0)
        watch.cancel()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device here that is always full")
def test_a_full_disk_ends_the_printing_alone() -> None:
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-c", CLOSED_PIPE]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=30)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.fixture
def listener() -> Any:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)

        def heard(count: int) -> list[tuple[Any, ...]]:
            messages = [OscMessage(sock.recv(4096)) for _ in range(count)]
            return [(one.address, *one.params) for one in messages]

        yield SimpleNamespace(port=sock.getsockname()[1], heard=heard)


def write(node: Any, *packets: Packet[Any]) -> None:
    """Let a sink write, from its opening to its end."""

    async def go() -> None:
        await node.open(FakeServices())
        for packet in packets:
            await node.write(packet)
        await node.close()

    asyncio.run(go())


def test_osc_says_what_wekinators_listeners_expect(listener: Any) -> None:
    write(Osc(port=listener.port), SCORES, EVENT)
    assert listener.heard(4) == [
        ("/wek/outputs", 0.25, 0.75),
        ("/tm/closeness/snap", 0.5),
        ("/tm/closeness/clap", 0.125),
        ("/tm/event", "snap", "enter", 0.75, "1"),
    ]


def test_osc_sends_no_more_than_asked_for(listener: Any) -> None:
    write(Osc(port=listener.port, only=["events"]), SCORES, EVENT)
    assert listener.heard(1) == [("/tm/event", "snap", "enter", 0.75, "1")]


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("clap", "clap"),
        ("t pose", "t_pose"),
        ("a/b#c*", "a_b_c_"),
        ("", "_"),
        ("h\u00e9", "h\u00e9"),
    ],
)
def test_a_label_becomes_one_part_of_an_address(label: str, name: str) -> None:
    assert osc_name(label) == name


@pytest.mark.parametrize("host", ["no.such.host.invalid", "two..dots", "x" * 64 + ".invalid"])
def test_a_host_that_does_not_exist_is_a_device_error(host: str) -> None:
    with pytest.raises(DeviceError, match="no address for"):
        asyncio.run(Osc(host=host).open(FakeServices()))


def test_a_host_that_is_looked_up_for_long_holds_up_nobody(
    listener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, look_up = threading.Event(), socket.getaddrinfo

    def slowly(*args: Any, **more: Any) -> Any:
        assert goes_on.wait(5), "the loop stands still"
        return look_up(*args, **more)

    async def go() -> None:
        node = Osc(host="localhost", port=listener.port)
        opening = asyncio.create_task(node.open(FakeServices()))
        await asyncio.sleep(0)
        goes_on.set()
        await opening
        await node.close()

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    asyncio.run(go())


@pytest.mark.parametrize("wrong", [{"port": 0}, {"port": 70_000}, {"only": ["event"]}])
def test_a_wrong_parameter_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))}"):
        Osc(**wrong)


def check_camera() -> None:
    """Its picture goes to those on this machine who asked and may."""
    from websockets.asyncio.client import connect

    from tmstream.capture.browser import decode_picture
    from tmstream.server.uplink import JPEG, PICTURE_HEADER

    pixels = np.zeros((720, 1280, 3), np.uint8)
    pixels[:, :, 2] = 255  # blue

    async def go(share: bool, private: bool) -> dict[str, bytes | None]:
        hello = Hello("", "", None, [], [], [], [], "", 0, private=private)
        hub = Hub(ServerSettings(port=0), Commands(), lambda: hello)
        await hub.start()
        node = WebSocket(share_video=share)
        await node.open(FakeServices(hub))
        address = f"ws://127.0.0.1:{hub.port}/ws"
        subscribe = '{"type": "subscribe", "id": 2, "streams": ["video", "event"]}'
        seen: dict[str, bytes | None] = {}
        try:
            async with (
                connect(address, compression=None, proxy=None) as control,
                connect(address, compression=None, proxy=None) as viewer,
                connect(address, compression=None, proxy=None) as unasked,
            ):
                for client in (control, viewer, unasked):
                    await client.recv()
                auth = {"type": "auth", "id": 1, "code": hub.tokens.new_code()}
                await control.send(json.dumps(auth))
                await control.recv()
                for client in (control, viewer):
                    await client.send(subscribe)
                    await client.recv()
                for i in range(3):  # far above the rate
                    await node.write_from("cam", Packet(7_000_000 + i, Image(pixels)))
                await node.write_from("events", EVENT)
                for name, client in {
                    "control": control,
                    "viewer": viewer,
                    "unasked": unasked,
                }.items():
                    got = await asyncio.wait_for(client.recv(), 5)
                    seen[name] = got if isinstance(got, bytes) else None
                    if seen[name] is not None:
                        assert isinstance(await asyncio.wait_for(client.recv(), 5), str)
        finally:
            await node.close()
            await hub.stop()
        return seen

    alone = asyncio.run(go(share=False, private=False))
    assert (alone["viewer"], alone["unasked"]) == (None, None), "a stranger sees the camera"
    frame = alone["control"]
    assert frame is not None
    assert PICTURE_HEADER.unpack_from(frame) == (JPEG, 0, 0, 0, 7_000_000)
    shown = decode_picture(frame[PICTURE_HEADER.size :])
    assert shown.shape == (360, 640, 3)
    assert shown[100, 100, 2] > 240
    assert shown[100, 100, 0] < 15
    shared = asyncio.run(go(share=True, private=False))
    assert shared["viewer"] is not None
    assert shared["unasked"] is None
    assert set(asyncio.run(go(share=True, private=True)).values()) == {None}


def test_p7_the_cameras_picture_goes_to_those_on_this_machine_who_asked_and_may() -> None:
    check_camera()


def test_p7_control_a_hub_that_shows_it_to_everybody_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Hub, "watchers", lambda self, *, viewers: [*self._clients.values()])
    with pytest.raises(AssertionError, match="a stranger sees the camera"):
        check_camera()
