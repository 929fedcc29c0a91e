"""A recorded run, replayed, says the same again; and a private one keeps no raw sound."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import numpy as np
import pytest

from tmstream.broadcast.recorder import Recorder
from tmstream.capture.recording import Recording as RecordingNode
from tmstream.core.errors import ContractError, DeviceError, InputError
from tmstream.core.packet import Audio, Embedding, Gap, Packet
from tmstream.engine import graph as graphs
from tmstream.engine import run as running
from tmstream.engine.registry import Registry
from tmstream.engine.spec import parse
from tmstream.store import tape
from tmstream.store.history import History
from tmstream.store.recording import Recording, RunInfo
from tmstream.testing import FakeServices

ARRIVED: list[Any] = []


@dataclass
class Noise:
    gives: ClassVar[tuple[type, ...]] = (Audio,)
    n: int = 60

    async def packets(self) -> AsyncIterator[Packet[Any]]:
        rng = np.random.default_rng(3)
        for i in range(self.n):
            if i == 30:
                yield Packet(i * 20_000 - 5, Gap("late"))
            yield Packet(i * 20_000, Audio(rng.normal(0, 0.1, (320, 1)).astype(np.float32), 16000))


@dataclass
class Summing:
    """An embedding that depends on every bit it ever heard."""

    takes: ClassVar[tuple[type, ...]] = (Audio, Gap)
    gives: ClassVar[tuple[type, ...]] = (Embedding,)
    _sum: Any = field(default=0, init=False, repr=False)

    def process(self, packet: Packet[Any]) -> Iterable[Packet[Any]]:
        if isinstance(packet.data, Gap):
            self._sum = self._sum * np.float32(0.5)
            yield packet
            return
        self._sum = self._sum + packet.data.samples[:, 0]
        yield packet.with_data(Embedding(np.array(self._sum), "sum", packet.t_us + 20_000))


@dataclass
class Keep:
    takes: ClassVar[tuple[type, ...]] = (Embedding, Gap)

    async def write(self, packet: Packet[Any]) -> None:
        vector = (
            packet.data.vector.tobytes()
            if isinstance(packet.data, Embedding)
            else packet.data.reason
        )
        ARRIVED.append((packet.t_us, vector))


@dataclass
class Gaps:
    """Remembers which sources were interrupted, and why."""

    takes: ClassVar[tuple[type, ...]] = (Audio, Embedding, Gap)

    async def write(self, packet: Packet[Any]) -> None:
        if isinstance(packet.data, Gap):
            ARRIVED.append((packet.data.source, packet.data.reason))


REGISTRY = Registry(
    {
        "gaps": Gaps,
        "noise": Noise,
        "sum": Summing,
        "keep": Keep,
        "recorder": Recorder,
        "recording": RecordingNode,
    }
)
LIVE = """
nodes:
  mic: {{type: noise}}
  sum: {{type: sum, from: mic}}
  tape: {{type: recorder, from: [mic, sum], path: takes}}
  out: {{type: keep, from: sum}}
{more}
"""


def run(text: str, *services: object) -> list[Any]:
    ARRIVED.clear()
    asyncio.run(asyncio.wait_for(running.run(graphs.build(parse(text), REGISTRY), services), 20))
    return list(ARRIVED)


def replayed(path: Path, of: str = "mic", speed: float = 0) -> list[Any]:
    return run(
        f"nodes: {{mic: {{type: recording, path: '{path}', of: {of}, speed: {speed}}}, "
        "sum: {type: sum, from: mic}, out: {type: keep, from: sum}}"
    )


@pytest.mark.parametrize("more", ["", "realtime: true"])
def test_a_replay_says_what_the_run_said(tmp_path: Path, more: str) -> None:
    said = run(LIVE.format(more=more), RunInfo(path=str(tmp_path / "p.yaml")))
    again = replayed(tmp_path / "takes")
    assert [vector for _, vector in again] == [vector for _, vector in said]
    assert replayed(tmp_path / "takes", speed=500) == again
    if not more:
        assert again == said
        # The positive control: one sample in the last bit off, and every later answer differs.
        rest = [p for n, p in Recording.open(tmp_path / "takes").packets() if n == "sum"]
        assert [
            (p.t_us, p.data.vector.tobytes()) for p in rest if isinstance(p.data, Embedding)
        ] == [one for one in said if not isinstance(one[1], str)]


def test_a_replayed_gap_is_of_the_source_that_what_it_cuts_came_from(tmp_path: Path) -> None:
    run(LIVE.format(more=""), RunInfo(path=str(tmp_path / "p.yaml")))

    def gaps(of: str) -> list[Any]:
        again = f"{{type: recording, path: '{tmp_path / 'takes'}', of: {of}}}"
        return run(f"nodes: {{again: {again}, out: {{type: gaps, from: again}}}}")

    assert gaps("mic") == [("again", "late"), ("again", "end")]
    # Vectors keep the name of the source they were made of.
    assert gaps("sum") == [("mic", "late"), ("mic", "end"), ("again", "end")]


def test_a_replay_at_speed_takes_its_time(tmp_path: Path) -> None:
    run(LIVE.format(more=""), RunInfo(path=str(tmp_path / "p.yaml")))

    async def timed() -> float:
        node = RecordingNode(str(tmp_path / "takes"), "mic", 10.0)
        await node.open(FakeServices())
        began = asyncio.get_running_loop().time()
        assert len([p async for p in node.packets()]) == 61  # not the engine's own "end"
        return asyncio.get_running_loop().time() - began

    assert 0.11 < asyncio.run(timed()) < 1.0  # 1.2 s, ten times as fast


def test_it_keeps_what_made_it(tmp_path: Path) -> None:
    run(LIVE.format(more=""), RunInfo("nodes: ...", str(tmp_path / "p.yaml"), "a.tms"))
    reading = Recording.open(tmp_path / "takes")
    assert reading.session.run == RunInfo("nodes: ...", str(tmp_path / "p.yaml"), "a.tms")
    assert reading.session.started_us == 0
    assert reading.kinds() == {"mic": {Audio, Gap}, "sum": {Embedding, Gap}}
    text = msgspec.json.encode(reading.session).decode()
    assert "token" not in text


def test_private_refuses_to_join_a_recorder_to_raw_sound() -> None:
    text = LIVE.format(more="private: true")
    with pytest.raises(
        ContractError, match=r"nodes\.tape\.from: private: true, but tape .* Audio of mic"
    ):
        graphs.build(parse(text), REGISTRY)
    graphs.build(parse(text.replace("[mic, sum]", "[sum]")), REGISTRY)


@pytest.mark.parametrize("private", [True, False])
def test_private_writes_no_sound_even_when_it_is_handed_some(tmp_path: Path, private: bool) -> None:
    services = FakeServices(History(private=private), RunInfo(path=str(tmp_path / "p.yaml")))

    async def hand() -> None:
        node = Recorder("takes")
        await node.open(services)
        await node.write_from("mic", Packet(5, Audio(np.full((9, 1), 0.123, np.float32), 16000)))
        await node.write_from("mic", Packet(6, Gap("late")))
        await node.close()

    asyncio.run(hand())
    reading = Recording.open(tmp_path / "takes")
    assert reading.session.private is private
    assert reading.kinds()["mic"] == ({Gap} if private else {Audio, Gap})
    assert any("private" in str(one) for one in services.notices) is private


def test_a_folder_that_cannot_be_made_is_a_device_error(tmp_path: Path) -> None:
    (tmp_path / "takes").write_text("a file is in the way")
    with pytest.raises(DeviceError, match="cannot record there"):
        asyncio.run(Recorder("takes").open(FakeServices(RunInfo(path=str(tmp_path / "p.yaml")))))


def test_no_recording_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a recording"):
        asyncio.run(RecordingNode(str(tmp_path), "mic").open(FakeServices()))


def test_a_graph_of_files_waits_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tape, "MAX_WAITING", 8)

    async def hand() -> None:
        node = Recorder("takes")
        await node.open(FakeServices(RunInfo(path=str(tmp_path / "p.yaml"))))
        for i in range(100):
            await node.write_from("mic", Packet(i, Gap(str(i))))
        await node.close()

    asyncio.run(hand())
    kept = [packet.data.reason for _, packet in Recording.open(tmp_path / "takes").packets()]
    assert kept == [str(i) for i in range(100)]
