"""Say what is in a sample: many answers of the head, made into one.

A sound is answered early, while it lasts and at its end. Of a short one only the last answer has
heard the whole word, and it alone counts (spoken commands, five shots: .84 instead of .81). Of a
long one all count, each having heard another part (mixed sounds: .70 instead of .67 by the last
alone). Sounds count by their energy. Films are answered at every frame, and all count alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import msgspec

from ..core.packet import Embedding, Gap, Packet, Scores
from ..core.services import Commands
from ..engine.graph import Graph
from ..engine.registry import Registry
from ..engine.spec import Pipeline
from ..store.project import Project
from .embedder import APART_US, Heard, moved
from .part import Part, graph_for
from .pool import Pool
from .sample import Kind, Sample

#: What lasts longer is not heard in one look of the sound embedding.
LONG_US = 1_240_000


class ResultLine(msgspec.Struct, frozen=True):
    """One label: its share, and how close its nearest example is (both 0..1)."""

    label: str
    confidence: float
    closeness: float


class NeighbourLine(msgspec.Struct, frozen=True):
    """An example that voted."""

    id: str
    label: str
    distance: float


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What `classify --json` prints for a sample."""

    file: str
    start: float | msgspec.UnsetType = msgspec.UNSET
    end: float | msgspec.UnsetType = msgspec.UNSET
    row: int | msgspec.UnsetType = msgspec.UNSET
    label: str | None
    confidence: float
    rejected: str | None
    results: list[ResultLine]
    neighbours: list[NeighbourLine]
    note: str | msgspec.UnsetType = msgspec.UNSET


def classify(
    project: Project,
    pipeline: Pipeline,
    registry: Registry,
    samples: Sequence[Sample],
    *,
    report: Callable[[Heard], None] = lambda heard: None,
) -> Iterator[Answer]:
    """Yield one answer a sample, in order; one that cannot be decoded says so in its answer.

    So does one of a kind that the pipeline does not embed, among others that it does.

    Raises:
        InputError: the pipeline embeds none of the samples' kinds.
    """
    with ExitStack() as stack:
        pool = stack.enter_context(Pool(pipeline, registry))
        pool.check(samples)
        heads: dict[Kind, Head] = {}
        for heard in pool.embed(samples):
            report(heard)
            kind = heard.sample.kind
            if heard.packets and kind not in heads:
                graph = graph_for(pipeline, registry, kind, head=True)
                heads[kind] = stack.enter_context(Head(graph, project))
            yield combined(heard, heads[kind].answers(heard) if heard.packets else ())


class Head:
    """The head of a pipeline, asked by hand."""

    def __init__(self, graph: Graph, project: Project) -> None:
        heads = [name for name, slot in graph.slots.items() if Scores in slot.gives]
        self._part = Part(graph, heads, (project, Commands()))
        self._feeds = graph.slots[heads[0]].spec.sources
        self._now_us = 0

    def __enter__(self) -> Head:
        self._part.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._part.__exit__()

    def answers(self, heard: Heard) -> list[Packet[Scores]]:
        """Return the head's answers to a sample.

        Where several spaces speak about one moment, the last answer is the one that heard them all.
        """
        start_us, last_us = self._now_us, 0
        found: dict[tuple[str | None, int], Packet[Scores]] = {}
        for giver, packet in heard.packets:
            if not isinstance(packet.data, Embedding):
                continue
            last_us = max(last_us, packet.data.end_us)
            for _, made in self._part.push(giver, moved(packet, start_us)):
                if isinstance(made.data, Scores):
                    found[made.data.subject, packet.data.end_us] = made
        self._now_us = start_us + last_us + APART_US
        for feed in self._feeds:
            self._part.push(feed, Packet(self._now_us - 1, Gap("another sample")))
        return list(found.values())


def combined(heard: Heard, answers: Sequence[Packet[Scores]]) -> Answer:
    """Return the one answer to a sample.

    Shares and closeness are weighted means over the answers that were not turned away; when most
    of the weight was turned away, so is the sample, for the reason given most.
    """
    sample = heard.sample
    where: dict[str, Any] = {"file": sample.name}
    if sample.start_s is not None:
        where["start"] = sample.start_s
    if sample.end_s is not None:
        where["end"] = sample.end_s
    if sample.row is not None:
        where["row"] = sample.row
    if note := heard.note or heard.why * bool(heard.error):
        where["note"] = note
    if not answers:
        reason = heard.reason or "silence"
        return Answer(
            label=None, confidence=1.0, rejected=reason, results=[], neighbours=[], **where
        )
    answers = _whole(answers)
    weights = [_weight(heard, packet) for packet in answers]
    turned_away: dict[str, float] = {}
    for packet, weight in zip(answers, weights, strict=True):
        if packet.data.label is None:
            reason = packet.data.rejected or "too_far"
            turned_away[reason] = turned_away.get(reason, 0.0) + weight
    rejected = None
    if sum(turned_away.values()) > sum(weights) / 2:
        rejected = max(turned_away, key=lambda reason: turned_away[reason])
    counted = [
        (packet.data, weight)
        for packet, weight in zip(answers, weights, strict=True)
        if packet.data.results and (rejected is not None or packet.data.label is not None)
    ]
    results = _mean(counted)
    label = None if rejected is not None or not results else results[0].label
    return Answer(
        label=label,
        confidence=results[0].confidence if results else 1.0,
        rejected=rejected,
        results=results,
        neighbours=_neighbours(counted),
        **where,
    )


def _whole(answers: Sequence[Packet[Scores]]) -> list[Packet[Scores]]:
    """Return the answers that count: of a short sound only the final one."""
    ended = {
        one.data.take
        for one in answers
        if one.data.phase == "final" and one.data.end_us - one.t_us < LONG_US
    }
    return [one for one in answers if one.data.phase == "final" or one.data.take not in ended]


def _weight(heard: Heard, packet: Packet[Scores]) -> float:
    """Return what one answer counts: the amplitude of its sound beside the loudest."""
    most = max(heard.weights.values(), default=0.0)
    return float((heard.weights.get(packet.data.take, most) / most) ** 0.5) if most else 1.0


def _mean(counted: Sequence[tuple[Scores, float]]) -> list[ResultLine]:
    total = sum(weight for _, weight in counted) or 1.0
    shares: dict[str, float] = {}
    close: dict[str, float] = {}
    for scores, weight in counted:
        for result in scores.results:
            part = weight / total
            shares[result.label] = shares.get(result.label, 0.0) + part * result.confidence
            close[result.label] = close.get(result.label, 0.0) + part * result.closeness
    found = [ResultLine(label, shares[label], close[label]) for label in shares]
    return sorted(found, key=lambda one: (-one.confidence, -one.closeness, one.label))


def _neighbours(counted: Sequence[tuple[Scores, float]]) -> list[NeighbourLine]:
    """Return the examples nearest to the answer that counts most."""
    if not counted:
        return []
    scores, _ = max(counted, key=lambda one: one[1])
    return [NeighbourLine(one.id, one.label, one.distance) for one in scores.neighbours]
