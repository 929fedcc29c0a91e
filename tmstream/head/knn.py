"""The one head every modality shares: nearest examples vote, strangers are told so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from tmstream.core.packet import Absent, Embedding, Gap, Neighbour, Packet, Result, Scores
from tmstream.core.services import Services
from tmstream.maths.neighbours import unit_rows
from tmstream.store.project import Change, Example, Project


@dataclass
class Knn:
    """Exact k-nearest-neighbour vote over the project's examples, in every space that speaks.

    Example: ``head: {type: knn, from: [sound, pose], k: 5}``
    """

    takes: ClassVar[tuple[type, ...]] = (Embedding, Absent, Gap)
    gives: ClassVar[tuple[type, ...]] = (Scores, Absent, Gap)

    k: int = 5
    strictness: float = field(default=0.5, metadata={"live": True})
    rule: Literal["any", "all", "mean"] = "any"
    within_s: float = 1.0
    _examples: dict[str, Example] = field(default_factory=dict, init=False, repr=False)
    _seq: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"k must be at least 1, not {self.k}")
        if not 0 <= self.strictness <= 1:
            raise ValueError(f"strictness must be between 0 and 1, not {self.strictness}")
        if not 0 <= self.within_s <= 60:
            raise ValueError(f"within_s must be between 0 and 60, not {self.within_s}")

    def open(self, services: Services) -> None:
        """Fetch the examples, and hear of every later change."""
        project = services.find(Project)
        if project is not None:
            self._examples = {one.id: one for one in project.examples()}
            project.subscribe(self._changed)

    def _changed(self, change: Change) -> None:
        for one in change.added:
            self._examples[one.id] = one
        for gone in change.removed:
            self._examples.pop(gone, None)

    def process(self, packet: Packet[Any]) -> Iterable[Packet[Any]]:
        """Yield the answer to an embedding; what says "nothing there" is handed on."""
        if isinstance(packet.data, Embedding):
            self._seq += 1
            yield packet.with_data(self._answer(packet.data))
        else:
            yield packet

    def _answer(self, heard: Embedding) -> Scores:
        taught = [
            one
            for one in list(self._examples.values())
            if one.space == heard.space and not one.negative
        ]
        common = {
            "end_us": heard.end_us,
            "seq": self._seq,
            "subject": heard.subject,
            "spaces": (heard.space,),
            "phase": heard.phase,
            "take": heard.take,
        }
        if not np.isfinite(heard.vector).all():
            return Scores(None, 0.0, "not_finite", (), **common)
        if not taught:
            return Scores(None, 0.0, "too_few_examples", (), **common)
        rows = unit_rows(np.stack([one.vector for one in taught]))
        cosines = rows @ unit_rows(heard.vector[None])[0]
        order = np.argsort(-cosines, kind="stable")[: self.k]
        best = {one.label: 0.0 for one in taught}
        votes = dict.fromkeys(best, 0.0)
        for one, cosine in zip(taught, cosines, strict=True):
            best[one.label] = max(best[one.label], float(cosine))
        for i in order:
            votes[taught[i].label] += float(np.exp(8 * cosines[i]))
        total = sum(votes.values())
        results = sorted(
            (Result(label, votes[label] / total, best[label]) for label in votes),
            key=lambda result: (-result.confidence, -result.closeness, result.label),
        )
        neighbours = tuple(
            Neighbour(taught[i].id, taught[i].label, 1 - float(cosines[i]), heard.space)
            for i in order
        )
        return Scores(
            results[0].label,
            results[0].confidence,
            None,
            tuple(results),
            neighbours=neighbours,
            **common,
        )
