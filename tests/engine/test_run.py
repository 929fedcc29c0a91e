"""A graph runs, survives its devices, and answers the same every time."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tmstream.core.clock import VirtualClock
from tmstream.core.errors import DeviceError, InputError
from tmstream.core.messages import Set
from tmstream.core.packet import Audio, Embedding, Gap, Packet, Status
from tmstream.core.services import Commands, Embedders
from tmstream.engine import lanes, restart, walk
from tmstream.engine import run as running
from tmstream.engine.handout import NodeServices
from tmstream.engine.stats import NodeStats
from tmstream.server.encode import latency
from tmstream.store.history import History
from tmstream.store.project import NewExample, Project

from .conftest import ARRIVED, JOURNAL, WALK, build, firsts, run


def test_packets_walk_depth_first_and_files_end_with_a_gap() -> None:
    made = run(WALK)
    assert firsts(made) == [(10_000 * i, float(v)) for i in range(5) for v in (i + 1, i)]
    assert [p.data.reason for p in made if isinstance(p.data, Gap)] == ["end", "end"]


def test_two_files_are_taken_by_time_then_by_order() -> None:
    text = """
nodes:
  x: {type: ticks, n: 3, step_us: 30, first_us: 5}
  y: {type: ticks, n: 4, step_us: 20, first_us: 5}
  m: {type: add, from: [x, y]}
  out: {type: keep, from: m}
"""
    times = [t for t, _ in firsts(run(text))]
    assert times == [5, 5, 25, 35, 45, 65, 65]


def test_the_ledger_is_filled_in() -> None:
    made = run("nodes: {a: {type: ticks}, e: {type: embed, from: a}, out: {type: keep, from: e}}")
    ledgers = [p.ledger for p in made if isinstance(p.data, Embedding)]
    assert len(ledgers) == 5
    for ledger in ledgers:
        assert ledger is not None
        assert ledger.embedded_us is not None
        assert ledger.captured_us <= ledger.embedded_us
        assert ledger.scored_us is None


def test_files_are_not_late_by_the_age_of_the_machine() -> None:
    made = run("nodes: {a: {type: ticks}, e: {type: embed, from: a}, out: {type: keep, from: e}}")
    vectors = [p for p in made if isinstance(p.data, Embedding)]
    assert len(vectors) == 5
    for packet in vectors:
        assert packet.ledger is not None
        assert packet.ledger.captured_us == packet.t_us  # both on the clock of the files
        took = latency(packet.ledger, packet.t_us, packet.t_us, packet.t_us)
        assert took.capture_us == 0
        assert 0 <= took.embed_us <= took.total_us < 5_000_000


@pytest.mark.parametrize("maker", ["another", "this one", None])
def test_examples_of_another_embedder_are_told_from_the_start_until_they_are_embedded_again(
    tmp_path: Path, maker: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = build("nodes: {a: {type: ticks}, e: {type: embed, from: a}, o: {type: keep, from: e}}")
    with Project.open(tmp_path / "p.tms", create=True) as project:
        project.add([NewExample("clap", "level", np.ones(1, np.float32), "t")])
        project.set_settings({"space:level": maker})
        stats = NodeStats()
        services = NodeServices("e", ("a",), VirtualClock(), stats, (project,))
        step = walk.Step(graph.slots["e"], services, patient=False)
        step.open()
        sound: Packet[Any] = Packet(0, Audio(np.ones((16, 1), np.float32), 16000))
        wrong = maker == "another"
        assert (stats.message is not None and "tmstream reembed" in stats.message) == wrong
        project.set_settings({"space:level": "this one"})
        soon_s = time.monotonic() + walk.COMPARE_EVERY_S
        monkeypatch.setattr(walk.time, "monotonic", lambda: soon_s)
        step.process(sound)
        assert stats.message is None


def test_without_examples_there_is_nothing_to_embed_again(tmp_path: Path) -> None:
    graph = build("nodes: {a: {type: ticks}, e: {type: embed, from: a}, o: {type: keep, from: e}}")
    with Project.open(tmp_path / "p.tms", create=True) as project:
        project.set_settings({"space:level": "another"})
        stats, embedders = NodeStats(), Embedders()
        services = NodeServices("e", ("a",), VirtualClock(), stats, (project, embedders))
        step = walk.Step(graph.slots["e"], services, patient=False)
        assert embedders.spaces == {"level"}  # known before it opens: its device may be away
        assert embedders.maker("level") is None
        step.open()
        assert stats.message is None
        assert embedders.maker("level") == "this one"


def test_a_lost_device_in_a_file_graph_ends_it() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        run(WALK.replace("from: a}", "from: a, lost_at: 2}"))
    assert caught.group_contains(DeviceError, match="worker died")


def test_a_lost_source_is_opened_afresh_and_leaves_a_gap(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(restart, "FIRST_S", 0.01)
    made = run("nodes: {a: {type: flaky, n: 2}, out: {type: keep, from: a}}")
    kinds = [p.data.reason if isinstance(p.data, Gap) else p.data.samples[0, 0] for p in made]
    assert kinds == [0, "cable out", 0, 1, "end"]
    assert JOURNAL.count("open a") == JOURNAL.count("close a") == 2
    assert caplog.messages == ["a waits: cable out"]  # what somebody at a terminal sees


def test_a_lost_transform_restarts_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tmstream.engine.walk.Patience.wait_s", lambda self: 0.0)
    text = WALK.replace("from: a}", "from: a, lost_at: 3}") + "realtime: true\n"
    made = run(text)
    plus = [v for _, v in firsts(made)]
    assert next(p.data.reason for p in made if isinstance(p.data, Gap)) == "worker died"
    # Fresh nodes count from one again: packets 3 and (after its restart) none other is lost.
    assert plus.count(3.0) == 1  # the raw third packet arrived, its sum did not
    assert JOURNAL.count("open b") == JOURNAL.count("close b") == 2


def test_a_lost_sink_is_opened_afresh(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(restart, "FIRST_S", 0.01)
    made = run(
        "{nodes: {a: {type: ticks}, out: {type: keep, from: a, lost_at: 2}}, realtime: true}"
    )
    assert [v for _, v in firsts(made)] == [0.0, 2.0, 4.0]  # what it failed on is lost, no more
    assert JOURNAL.count("open out") == JOURNAL.count("close out") == 4
    assert caplog.messages == ["out waits: peer gone"] * 3  # the gap at the end as well


def test_a_sink_that_never_opens_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tmstream.engine.run.Patience.wait_s", lambda self: 0.01)
    monkeypatch.setattr(running, "ENDING_S", 0.2)
    run("{nodes: {a: {type: ticks}, out: {type: keep, from: a, lost_at: 0}}, realtime: true}")
    assert JOURNAL.count("open out") > 2
    assert caplog.messages == ["out waits: peer gone"]


@pytest.mark.parametrize("lost_at", [0, 3])
def test_a_lost_sink_in_a_file_graph_ends_it_once_the_others_have_all_of_it(lost_at: int) -> None:
    text = f"""
nodes:
  a:    {{type: ticks, n: 3000}}
  lost: {{type: keep, from: a, lost_at: {lost_at}}}
  out:  {{type: diary, from: a}}
"""
    with pytest.raises(ExceptionGroup) as caught:
        run(text)
    assert caught.group_contains(DeviceError, match="peer gone")
    values = [v for _, v in firsts(ARRIVED)]
    assert values.count(2999.0) == 1
    assert len(values) == 3000 + max(0, lost_at - 1)
    assert JOURNAL.count("open lost") == JOURNAL.count("close lost") == 1


def test_what_was_wrong_with_a_sink_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restart, "FIRST_S", 0.01)

    async def live() -> NodeStats:
        text = (
            "{nodes: {a: {type: ticks, n: 3}, out: {type: keep, from: a, lost_at: 3}},"
            " realtime: true}"
        )
        house = running.House(build(text), ())
        await house.live(asyncio.Event())
        return house._services["out"].stats

    stats = asyncio.run(asyncio.wait_for(live(), 20))
    assert (stats.state, stats.message) == ("running", None)


def test_files_are_paced_and_stamped_live_in_real_time() -> None:
    made = firsts(run(WALK + "realtime: true\n"))
    times = [t for t, _ in made[::2]]
    assert np.diff(times).tolist() == [10_000] * 4
    assert times[0] > 0


def test_lanes_follow_sources_and_meet_once() -> None:
    text = """
nodes:
  x: {type: ticks}
  y: {type: ticks}
  bx: {type: add, from: x}
  by: {type: add, from: y}
  m: {type: add, from: [bx, by]}
  n: {type: embed, from: m}
  out: {type: keep, from: n}
"""
    assert set(lanes.plan(build(text)).values()) == {lanes.FILES}
    live = lanes.plan(build(text + "realtime: true\n"))
    assert live == {
        "x": "x",
        "y": "y",
        "bx": "x",
        "by": "y",
        "m": lanes.MEETING,
        "n": lanes.MEETING,
    }
    assert len([p for p in run(text + "realtime: true\n") if isinstance(p.data, Embedding)]) == 10


def test_a_source_may_be_called_as_a_lane() -> None:
    text = "nodes: {NAME: {type: ticks}, out: {type: keep, from: NAME}}\nrealtime: true\n"
    for count, name in enumerate(("meeting", "files"), 1):
        assert len(firsts(run(text.replace("NAME", name)))) == 5 * count


def test_status_reaches_who_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "STATUS_EVERY_S", 0.02)
    text = "nodes: {a: {type: ticks, n: 20}, b: {type: add, from: a}, out: {type: watch, from: b}}\nrealtime: true\n"
    statuses = [p.data for p in run(text) if isinstance(p.data, Status)]
    assert statuses
    assert set(statuses[-1].nodes) == {"a", "b", "out"}
    assert statuses[-1].nodes["b"].state == "running"
    assert max(s.nodes["b"].rate_hz for s in statuses) > 10


def test_a_file_that_has_ended_beside_a_live_source_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(running, "STATUS_EVERY_S", 0.02)
    text = "nodes: {a: {type: ticks, n: 60}, b: {type: ticks, n: 2}, out: {type: watch, from: [a, b]}}\nrealtime: true\n"
    statuses = [p.data for p in run(text) if isinstance(p.data, Status)]
    said = [(one.nodes["a"].message, one.nodes["b"].message) for one in statuses]
    assert (None, "has ended") in said  # while ``a`` went on


def test_the_history_is_tapped() -> None:
    class Tapped(History):
        def __init__(self) -> None:
            self.seen: list[str] = []

        def tap(self, node: str, packet: Packet[Any]) -> None:
            self.seen.append(node)

    history = Tapped()
    run(WALK, history)
    assert history.seen == ["a", "b"] * 5


def test_a_sink_that_asks_is_told_who_gave_a_packet() -> None:
    made: Any = run(WALK.replace("keep", "witness"))
    assert [giver for giver, _ in made][:4] == ["b", "a", "b", "a"]


def test_set_changes_a_live_parameter_and_nothing_else() -> None:
    async def live() -> None:
        commands, stop = Commands(), asyncio.Event()
        text = WALK.replace("ticks}", "ticks, n: 1000}") + "realtime: true\n"
        task = asyncio.create_task(running.run(build(text), [commands], stop=stop))
        while not ARRIVED:
            await asyncio.sleep(0.01)
        for bad, words in [
            (Set(id=1, node="b", param="fail_at", value=3), "cannot be changed while running; these can: amount"),
            (Set(id=1, node="b", param="amount", value=-2), "must not be negative"),
            (Set(id=1, node="b", param="amount", value="x"), "expected float"),
            (Set(id=1, node="bb", param="amount", value=1), "did you mean 'b'"),
        ]:  # fmt: skip
            with pytest.raises(InputError, match=words.split(";")[0]):
                await commands.dispatch(bad)
        await commands.dispatch(Set(id=1, node="b", param="amount", value=100.5))
        seen = len(ARRIVED)
        while len(ARRIVED) < seen + 6:
            await asyncio.sleep(0.01)
        stop.set()
        await task

    asyncio.run(asyncio.wait_for(live(), 20))
    assert any(v % 1 == 0.5 for _, v in firsts(ARRIVED))
