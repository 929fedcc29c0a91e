"""The watchdog is fed while packets move or a device is awaited, and never otherwise."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tmstream.broadcast import caretaker
from tmstream.broadcast.caretaker import Caretaker, stuck_sources
from tmstream.core.errors import InputError
from tmstream.core.messages import Restart
from tmstream.core.packet import Audio, Neighbour, NodeStatus, Packet, Result, Scores, Status
from tmstream.testing import FakeServices

CHAINS = {"mic": ["sound"], "cam": ["body"]}


def status(
    mic: float, sound: float, cam: float = 30, body: float = 30, /, **changed: Any
) -> Status:
    nodes = {"mic": mic, "sound": sound, "cam": cam, "body": body}
    return Status({n: NodeStatus("running", rate) for n, rate in nodes.items()} | changed)


WAITS = NodeStatus("waiting", 0.0, message="unplugged")


@pytest.mark.parametrize(("seen", "stuck"), [
    (status(50, 50), []),
    (status(0, 0), ["mic"]),  # says it runs and brings nothing
    (status(50, 0), ["mic"]),  # its lane hangs: what it brings reaches nobody
    (status(0, 0, mic=WAITS), []),  # openly awaited
    (status(50, 0, sound=WAITS), []),  # its worker is being started again
    (status(50, 50, 30, 0), ["cam"]),  # one modality hangs, the other does not hide it
    (status(0, 0, 0, 0), ["mic", "cam"]),
])  # fmt: skip
def test_who_is_stuck(seen: Status, stuck: list[str]) -> None:
    assert stuck_sources(seen.nodes, CHAINS) == stuck


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield sock


def heard(sock: socket.socket) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(sock.recv(1000))
        except BlockingIOError:
            return found


def cared(
    node: Caretaker, *seen: Any, services: FakeServices | None = None, giver: str = "head"
) -> None:
    async def live() -> None:
        await node.open(services or FakeServices())
        for i, data in enumerate(seen):
            await node.write_from(
                giver, data if isinstance(data, Packet) else Packet(i * 1_000_000, data)
            )
        await node.close()

    asyncio.run(live())


def test_ready_once_fed_while_moving_and_hungry_when_stuck(systemd: socket.socket) -> None:
    cared(
        Caretaker(CHAINS),
        status(0, 0),
        status(50, 50),
        status(50, 50),
        status(50, 0),
        status(0, 0, mic=WAITS),
    )
    assert heard(systemd) == [
        b"READY=1\nWATCHDOG=1\nSTATUS=running",
        b"WATCHDOG=1\nSTATUS=running",
        b"WATCHDOG=1\nSTATUS=mic: unplugged",
        b"STOPPING=1",
    ]


def test_changes_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    cared(
        Caretaker(CHAINS),
        status(5, 5),
        status(0, 0, mic=WAITS),
        status(0, 0, mic=WAITS),
        status(5, 5),
    )
    assert [r.getMessage() for r in caplog.records] == ["mic: waiting: unplugged", "mic: running"]


def scores(distance: float) -> Scores:
    result = Result("clap", 0.9, 0.9)
    return Scores(
        "clap", 0.9, None, (result,), 0, neighbours=(Neighbour("i", "clap", distance, "audio"),)
    )


def evening(distances: Any) -> list[Packet[Any]]:
    """One answer a minute."""
    return [Packet(i * 60_000_000, scores(float(d))) for i, d in enumerate(distances)]


def test_drift_is_said_when_it_creeps_and_not_when_it_wavers() -> None:
    rng = np.random.default_rng(0)
    steady = 0.2 + 0.05 * rng.normal(size=600)
    services = FakeServices()
    cared(Caretaker(), *evening(steady), services=services)
    assert services.notices == []
    cared(Caretaker(), *evening(steady + np.linspace(0, 0.15, 600)), services=services)
    assert "further from its examples" in str(services.notices[-1])
    recovered = np.concatenate([steady, steady + 0.15, steady, steady])
    cared(Caretaker(), *evening(recovered), services=services)
    assert services.notices[-1] is None  # and it is taken back when it is well again


def test_a_sinking_microphone_is_said() -> None:
    services = FakeServices()
    rng = np.random.default_rng(0)
    loud = [rng.normal(0, 0.1, (80, 1)).astype(np.float32) for _ in range(1500)]
    packets = [Packet(i * 15_000_000, Audio(one, 16000)) for i, one in enumerate(loud)]
    cared(Caretaker(), *packets, services=services, giver="mic")
    assert services.notices == []
    faded = [
        Packet(p.t_us, Audio(p.data.samples * np.float32(0.1 ** (i / 1000)), 16000))
        for i, p in enumerate(packets)
    ]
    cared(Caretaker(), *faded, services=services, giver="mic")
    assert "mic:" in str(services.notices[-1])
    assert "dB quieter" in str(services.notices[-1])


def test_restart_ends_us_only_where_somebody_starts_us_again(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[Any] = []
    monkeypatch.setattr(caretaker.os, "kill", lambda *told: killed.append(told))
    assert asyncio.run(Caretaker().handle(Restart(id=1))) == {"restarting": True}
    assert len(killed) == 1
    monkeypatch.delenv("NOTIFY_SOCKET")
    with pytest.raises(InputError, match="nobody would start it again"):
        asyncio.run(Caretaker().handle(Restart(id=1)))
    assert len(killed) == 1


def test_what_a_running_node_has_to_say_is_no_health() -> None:
    care = Caretaker()
    note = NodeStatus("running", 50, message="the disk is nearly full")
    care._look(status(50, 50, sound=note).nodes)
    assert care._wrong == {"sound": "the disk is nearly full"}
    care._look(status(50, 50).nodes)
    assert care._wrong == {}
