"""Wavering answers become steady ones, at the same pace whatever the frame rate."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import msgspec

from ..core.packet import Absent, Gap, Packet, Result, Scores, same_source
from ._streams import Stream, concerns, stream_of

#: A subject that has been absent as long as this is gone; its ids are never used again.
LOST_US = 5_000_000


class _Belief:
    """What is believed about one subject: a weight for every label, and one for none of them."""

    def __init__(self, scores: Scores) -> None:
        self.last = scores
        self.end_us = self.present_us = scores.end_us
        self.confidence, self.none = _votes(scores)
        self.closeness = {one.label: one.closeness for one in scores.results}

    def hear(self, scores: Scores, weight: float) -> Scores:
        """Move towards a new answer and return what is believed then."""
        votes, none = _votes(scores)
        near = {one.label: one.closeness for one in scores.results}
        if not near:  # not even looked at (no examples, no finite vector): that deletes no label
            votes = dict.fromkeys(self.confidence, 0.0)
            near = dict.fromkeys(self.closeness, 0.0)
        # A label that the head no longer knows was deleted or renamed: its belief goes with it.
        self.confidence = {
            one: _mix(self.confidence.get(one, 0.0), votes[one], weight) for one in votes
        }
        self.closeness = {
            one: _mix(self.closeness.get(one, 0.0), near[one], weight) for one in near
        }
        self.none = _mix(self.none, none, weight)
        self.last, self.end_us, self.present_us = scores, scores.end_us, scores.end_us
        return self._scores(scores.rejected)

    def miss(self, absent: Absent, weight: float) -> Scores:
        """Move towards nothing and return what is believed then."""
        self.confidence = {one: _mix(was, 0.0, weight) for one, was in self.confidence.items()}
        self.closeness = {one: _mix(was, 0.0, weight) for one, was in self.closeness.items()}
        self.none = _mix(self.none, 1.0, weight)
        self.end_us = absent.end_us
        return self._scores(absent.reason)

    def _scores(self, reason: str | None) -> Scores:
        results = tuple(
            sorted(
                (Result(one, self.confidence[one], self.closeness[one]) for one in self.confidence),
                key=lambda result: (-result.confidence, -result.closeness, result.label),
            )
        )
        known = bool(results) and results[0].confidence >= self.none
        return msgspec.structs.replace(
            self.last,
            label=results[0].label if known else None,
            confidence=results[0].confidence if known else self.none,
            rejected=None if known else reason or self.last.rejected or "ambiguous",
            results=results,
            end_us=self.end_us,
        )


def _votes(scores: Scores) -> tuple[dict[str, float], float]:
    """Return what an answer says for each label, and for none of them."""
    if scores.label is None:
        return {one.label: 0.0 for one in scores.results}, 1.0
    votes = {one.label: one.confidence for one in scores.results}
    return votes, max(0.0, 1.0 - sum(votes.values()))


def _mix(before: float, now: float, weight: float) -> float:
    return before + weight * (now - before)


@dataclass
class Smooth:
    """Smooth the answers about frames: ``calm: {type: smooth, from: head, tau_s: 0.2}``.

    An exponential average per subject with the time constant ``tau_s``, by the packets' own times:
    ``w = 1 - exp(-dt / tau_s)`` of the new answer and the rest of the old belief, so that 15 and
    60 frames a second give the same curve. A rejected answer votes for none of the above. So does
    an `Absent`, with ``absent_weight`` as the speed of its clock (0 ignores it): a person hidden
    for a frame or two is not gone. The first answer about somebody is believed as it is.

    Answers about a whole sound or movement (a phase other than ``frame``) are handed on untouched:
    they come too seldom to be averaged, and have their own beginning and end.

    ``label`` is None when none of the above is believed more than every label. A rejected answer
    still moves ``closeness``, which stays a fader.
    """

    tau_s: float = field(default=0.2, metadata={"live": True})
    absent_weight: float = field(default=0.5, metadata={"live": True})

    takes: ClassVar[tuple[type, ...]] = (Scores, Absent, Gap)
    gives: ClassVar[tuple[type, ...]] = (Scores, Absent, Gap)

    _beliefs: dict[Stream, _Belief] = field(init=False, default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.tau_s) and self.tau_s >= 0):
            raise ValueError(f"tau_s: {self.tau_s} is no duration; 0 or more seconds")
        if not 0 <= self.absent_weight <= 10:
            raise ValueError(f"absent_weight: {self.absent_weight} is outside 0 to 10")

    def process(self, packet: Packet[Any]) -> Iterable[Packet[Any]]:
        """Yield a steadier answer for each one about a frame, and one for each absence it meets."""
        data = packet.data
        if isinstance(data, Gap):
            cut = [key for key in self._beliefs if same_source(data.source, key.source)]
            for stream in cut:
                del self._beliefs[stream]
        elif isinstance(data, Absent):
            yield from self._miss(packet, data)
        elif data.phase == "frame":
            yield packet.with_data(self._hear(data))
            return
        yield packet

    def _hear(self, scores: Scores) -> Scores:
        self._forget(scores.end_us)
        stream = stream_of(scores)
        belief = self._beliefs.get(stream)
        if belief is None:
            self._beliefs[stream] = _Belief(scores)
            return scores
        return belief.hear(scores, self._weight(scores.end_us - belief.end_us))

    def _miss(self, packet: Packet[Absent], absent: Absent) -> Iterable[Packet[Scores]]:
        self._forget(absent.end_us)
        for stream, belief in self._beliefs.items():
            past_us = absent.end_us - belief.end_us
            about = concerns(absent, stream, belief.last.spaces)
            if about and past_us > 0:
                weight = self._weight(past_us * self.absent_weight)
                yield packet.with_data(belief.miss(absent, weight))

    def _weight(self, past_us: float) -> float:
        if self.tau_s == 0:
            return 1.0
        return 1.0 - math.exp(-max(0.0, past_us) / 1e6 / self.tau_s)

    def _forget(self, now_us: int) -> None:
        lost = [key for key, one in self._beliefs.items() if now_us - one.present_us > LOST_US]
        for stream in lost:
            del self._beliefs[stream]
