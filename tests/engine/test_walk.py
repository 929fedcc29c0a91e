"""What walks past a transform, what the ledger says, and who hears a command."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from tmstream.core.messages import Lock
from tmstream.core.packet import Audio, Embedding, Gap, Packet, Scores
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


JUDGED = Registry({**REGISTRY.known, "judge": Judge, "verdicts": Verdicts})


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
    assert [p.data.reason for p in made if isinstance(p.data, Gap)] == ["end", "end"]
    assert not any(isinstance(p.data, Audio) for p in made)


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
