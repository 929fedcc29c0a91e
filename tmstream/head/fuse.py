"""Several spaces, one answer. A space with nothing fresh to say abstains; it never votes "no".

Spans are compared, not arrivals: two spaces speak of the same thing when the spans of their
evidence lie at most ``within_s`` apart. A sound has no subject, so it speaks for every person
present.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

import msgspec

from ..core.packet import Absent, Gap, Neighbour, Result, same_source
from .verdict import Opinion, Verdict

Rule: TypeAlias = Literal["any", "all", "mean"]

#: What a space that guesses no better than chance still counts beside others of its sense.
LEAST_TRUST = 0.2

#: A subject not heard of for so long is gone; ids are never used again, so nothing is kept.
FORGET_US = 5_000_000


class Answer(msgspec.Struct, frozen=True):
    """What all spaces say together."""

    label: str | None
    confidence: float
    rejected: str | None
    results: tuple[Result, ...]
    spaces: tuple[str, ...]
    neighbours: tuple[Neighbour, ...]


class _Judged(msgspec.Struct, frozen=True):
    label: str
    strength: float
    closeness: float
    accepted: bool
    blocked: bool = False  #: said to be wrong by one that knows it: the next may win


def fuse(verdicts: Sequence[Verdict], rule: Rule) -> Answer:
    """Return the common answer of ``verdicts``, one a space, the newest first.

    Spaces of one sense ("body.upper", "body.full": two looks at the same frame) are pooled first. A
    label is judged by the senses that know it. ``any``: the strongest space for which it won
    decides. ``all``: it must have won in every one of them, and its weakest share counts. ``mean``:
    shares are averaged by the spaces' measured reliability, and most of that weight must accept the
    best of them.
    """
    spaces = tuple(verdict.space for verdict in verdicts)
    verdicts = [pooled(alike) for alike in _by_sense(verdicts)]
    labels = sorted({one.label for verdict in verdicts for one in verdict.opinions})
    judged = [_judge(label, verdicts, rule if len(verdicts) > 1 else "any") for label in labels]
    if rule == "mean" and len(verdicts) > 1:
        judged = _only_the_strongest(judged)
    if any(one.accepted for one in judged):
        # A rejected label keeps a share, but cannot stand before one that was accepted.
        best = max(one.strength for one in judged if one.accepted)
        judged = [
            one if one.accepted else msgspec.structs.replace(one, strength=min(one.strength, best))
            for one in judged
        ]
    judged.sort(key=lambda one: (-one.strength, not one.accepted, -one.closeness, one.label))
    total = sum(one.strength for one in judged) or 1.0
    results = tuple(Result(one.label, one.strength / total, one.closeness) for one in judged)
    winner = next((one for one in judged if one.accepted), None)
    receipts = tuple(
        sorted(
            (one for verdict in verdicts for one in verdict.neighbours),
            key=lambda one: (one.distance, one.id),
        )
    )
    if winner is None:
        reason = next((one.rejected for one in verdicts if one.rejected), "ambiguous")
        top = results[0].confidence if results else 0.0
        return Answer(None, top, reason, results, spaces, receipts)
    return Answer(winner.label, winner.strength / total, None, results, spaces, receipts)


def _judge(label: str, verdicts: Sequence[Verdict], rule: Rule) -> _Judged:
    known = [(verdict, one) for verdict in verdicts if (one := verdict.of(label)) is not None]
    won = [one for verdict, one in known if verdict.label == label]
    closeness = max(one.closeness for _, one in known)
    if rule == "any":
        strength = max(one.confidence for one in won or [one for _, one in known])
        return _Judged(label, strength, closeness, bool(won))
    if rule == "all":
        strength = min(one.confidence for _, one in known)
        return _Judged(label, strength, closeness, len(won) == len(known))
    trust = sum(verdict.reliability for verdict, _ in known)
    strength = sum(verdict.reliability * one.confidence for verdict, one in known) / trust
    accepting = sum(verdict.reliability for verdict, one in known if one.accepted)
    blocked = any(one.blocked for _, one in known)
    return _Judged(label, strength, closeness, 2 * accepting > trust, blocked)


def _only_the_strongest(judged: list[_Judged]) -> list[_Judged]:
    """Return the labels with none accepted but the strongest that is not blocked."""
    best = max((one.strength for one in judged if not one.blocked), default=0.0)
    return [
        msgspec.structs.replace(one, accepted=one.accepted and one.strength == best)
        for one in judged
    ]


def _by_sense(verdicts: Sequence[Verdict]) -> list[list[Verdict]]:
    senses: dict[str, list[Verdict]] = {}
    for one in verdicts:
        senses.setdefault(one.space.partition(".")[0], []).append(one)
    return list(senses.values())


def pooled(verdicts: Sequence[Verdict]) -> Verdict:
    """Return what several spaces of one sense say as one: a logarithmic opinion pool.

    Shares are multiplied, each to the power of how far its space is trusted (Genest and Zidek
    1986), and most of that trust must accept a label; what most of it knows to be wrong is passed
    over.
    """
    if len(verdicts) == 1:
        return verdicts[0]
    trusts = [_trust(one.reliability) for one in verdicts]
    found = []
    for label in sorted({one.label for verdict in verdicts for one in verdict.opinions}):
        known = [
            (trust, one)
            for trust, verdict in zip(trusts, verdicts, strict=True)
            if (one := verdict.of(label)) is not None
        ]
        total = sum(trust for trust, _ in known)
        share = math.exp(sum(t * math.log(max(o.confidence, 1e-9)) for t, o in known) / total)
        near = sum(trust * one.closeness for trust, one in known) / total
        accepting = sum(trust for trust, one in known if one.accepted)
        blocking = sum(trust for trust, one in known if one.blocked)
        found.append(Opinion(label, share, near, 2 * accepting >= total, 2 * blocking > total))
    total = sum(one.confidence for one in found) or 1.0
    opinions = tuple(
        sorted(
            (msgspec.structs.replace(one, confidence=one.confidence / total) for one in found),
            key=lambda one: (-one.confidence, -one.closeness, one.label),
        )
    )
    first = next((one for one in opinions if not one.blocked), None)
    winner = first.label if first is not None and first.accepted else None
    best = max(zip(trusts, verdicts, strict=True), key=lambda pair: pair[0])[1]
    return msgspec.structs.replace(
        best,
        opinions=opinions,
        label=winner,
        rejected=None if winner is not None else best.rejected or "too_far",
        neighbours=tuple(one for verdict in verdicts for one in verdict.neighbours),
    )


def _trust(reliability: float) -> float:
    """Return the weight of a space beside others of its sense: its log odds of being right, cubed.

    Cubed, because spaces of one sense make the same mistakes: a clearly better one should decide.
    """
    return float(max(math.log(reliability / (1 - reliability)), LEAST_TRUST) ** 3)


class Recent:
    """The latest verdict of every space and subject, and who may be joined with whom."""

    def __init__(self, within_s: float) -> None:
        self._within_us = round(within_s * 1e6)
        self._latest: dict[tuple[str, str | None], Verdict] = {}

    def keep(self, verdict: Verdict) -> None:
        """Remember a verdict, and forget whoever has been away."""
        horizon = verdict.end_us - FORGET_US
        self._latest = {key: one for key, one in self._latest.items() if one.end_us >= horizon}
        self._latest[verdict.space, verdict.subject] = verdict

    def silence(self, absent: Absent) -> None:
        """Forget what a space ("body" covers "body.upper") said about a subject, or about all."""
        self._latest = {
            key: one
            for key, one in self._latest.items()
            if absent.subject not in (None, one.subject)
            or (one.space != absent.space and not one.space.startswith(f"{absent.space}."))
            or not same_source(absent.source, one.source)
        }

    def cut(self, gap: Gap) -> None:
        """Forget what was interrupted."""
        self._latest = {
            key: one for key, one in self._latest.items() if not same_source(gap.source, one.source)
        }

    def fresh(self, t_us: int, end_us: int) -> Iterator[Verdict]:
        """Yield the verdicts whose evidence is at most ``within_s`` away from a span."""
        for one in self._latest.values():
            if max(t_us, one.t_us) - min(end_us, one.end_us) <= self._within_us:
                yield one

    def companies(self, verdict: Verdict) -> list[tuple[str | None, list[Verdict]]]:
        """Return whom a verdict concerns, each with the verdicts to fuse, ``verdict`` first.

        About a person: that person, joined by the latest sound. A sound: every person present whose
        spaces know the label that won (they hear "clap" and see it), else itself alone.
        """
        others = [one for one in self.fresh(verdict.t_us, verdict.end_us) if one is not verdict]
        if verdict.subject is not None:
            return [(verdict.subject, [verdict, *_joining(verdict, others)])]
        people: dict[str, list[Verdict]] = {}
        for one in others:
            if one.subject is not None and _shares(one, verdict):
                people.setdefault(one.subject, []).append(one)
        if not people:
            alone = [one for one in others if one.subject is None and one.space != verdict.space]
            return [(None, [verdict, *alone])]
        return [(subject, [verdict, *known]) for subject, known in sorted(people.items())]


def _joining(verdict: Verdict, others: Sequence[Verdict]) -> list[Verdict]:
    """Return the other spaces' verdicts about the same person, and sounds that concern people."""
    return [
        one
        for one in others
        if one.space != verdict.space
        and (one.subject == verdict.subject or (one.subject is None and _shares(verdict, one)))
    ]


def _shares(person: Verdict, sound: Verdict) -> bool:
    """Return whether the label that won in ``sound`` is one that a person's space knows as well."""
    return sound.label is not None and person.of(sound.label) is not None
