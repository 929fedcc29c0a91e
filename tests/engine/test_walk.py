"""What walks past a transform, what the ledger says, and who hears a command."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from tmstream.core.messages import Lock
from tmstream.core.packet import Absent, Audio, Embedding, Gap, Packet, Scores
from tmstream.core.services import Commands
from tmstream.engine import graph as graphs
from tmstream.engine import run as running
from tmstream.engine.registry import Registry
from tmstream.engine.spec import parse

from .conftest import ARRIVED, REGISTRY, Keep, run


@dataclass
class Judge:
    """Answers every vector."""

    takes: ClassVar[tuple[type, ...]] = (Embedding,)
    gives: ClassVar[tuple[type, ...]] = (Scores,)
    handles: ClassVar[tuple[type, ...]] = (Lock,)

    def process(self, packet: Packet[Embedding]) -> Iterable[Packet[Scores]]:
        yield packet.with_data(Scores(None, 0.0, "too_far", (), packet.data.end_us))

    async def handle(self, command: Lock) -> str:
        return f"heard {command.id}"


@dataclass
class Verdicts(Keep):
    """Remembers answers."""

    takes: ClassVar[tuple[type, ...]] = (Scores, Gap)


@dataclass
class Hush:
    """Hears nothing."""

    takes: ClassVar[tuple[type, ...]] = (Audio,)
    gives: ClassVar[tuple[type, ...]] = (Absent,)

    def process(self, packet: Packet[Audio]) -> Iterable[Packet[Absent]]:
        yield packet.with_data(Absent("level", "silence", packet.t_us))


@dataclass
class Absences(Keep):
    """Remembers what was not there."""

    takes: ClassVar[tuple[type, ...]] = (Absent,)


JUDGED = Registry(
    {**REGISTRY.known, "judge": Judge, "verdicts": Verdicts, "hush": Hush, "absences": Absences}
)


def test_a_gap_passes_by_who_does_not_take_it() -> None:
    made = run("nodes: {a: {type: ticks}, e: {type: embed, from: a}, out: {type: keep, from: e}}")
    assert [type(p.data) for p in made] == [*[Embedding] * 5, Gap]


def test_a_gap_passes_by_in_the_meeting_lane_too() -> None:
    made = run("""
nodes:
  x: {type: ticks}
  y: {type: ticks}
  e: {type: embed, from: [x, y]}
  out: {type: keep, from: e}
realtime: true
""")
    gaps = sorted((p.data.source, p.data.reason) for p in made if isinstance(p.data, Gap))
    assert gaps == [("x", "end"), ("y", "end")]
    assert not any(isinstance(p.data, Audio) for p in made)


def test_an_absence_says_whose_it_is_as_far_as_that_is_one() -> None:
    text = """
nodes:
  x: {type: ticks, n: 1}
  y: {type: ticks, n: 1, first_us: 5}
  a: {type: hush, from: x}
  b: {type: hush, from: [x, y]}
  out: {type: absences, from: [a, b]}
"""
    ARRIVED.clear()
    asyncio.run(running.run(graphs.build(parse(text), JUDGED)))
    assert [p.data.source for p in ARRIVED] == ["x", "", ""]


def test_an_answer_says_when_it_was_given_and_its_node_hears_commands() -> None:
    graph = graphs.build(
        parse(
            "nodes: {a: {type: ticks}, e: {type: embed, from: a}, j: {type: judge, from: e},"
            " out: {type: verdicts, from: j}}"
        ),
        JUDGED,
    )

    async def live() -> Any:
        commands = Commands()
        house = asyncio.create_task(running.run(graph, [commands]))
        while not commands.handled():
            await asyncio.sleep(0.01)
        heard = await commands.dispatch(Lock(id=7))
        await house
        return heard

    assert asyncio.run(asyncio.wait_for(live(), 20)) == "heard 7"
    ledgers = [p.ledger for p in ARRIVED if isinstance(p.data, Scores)]
    assert len(ledgers) == 5
    for ledger in ledgers:
        assert ledger is not None
        assert ledger.embedded_us is not None
        assert ledger.scored_us is not None
        assert ledger.captured_us <= ledger.embedded_us <= ledger.scored_us
