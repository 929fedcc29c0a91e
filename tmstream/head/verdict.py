"""One space's opinion of one embedding: a share for every label, a winner, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from ..core.packet import Neighbour
from .bank import Heard, receipts
from .learn import Fit
from .vote import confidence

#: Two labels whose shares differ by less than this times the strictness cannot be told apart.
TIE = 0.04


class Opinion(msgspec.Struct, frozen=True):
    """What a space thinks of one label."""

    label: str
    confidence: float  #: share of the vote
    closeness: float
    accepted: bool  #: within the label's distance limit, and not blocked
    blocked: bool = False  #: said to be wrong about something nearer than any of its examples


class Verdict(msgspec.Struct, frozen=True):
    """What a space says about one subject for one span of time."""

    space: str
    subject: str | None
    t_us: int
    end_us: int
    opinions: tuple[Opinion, ...]  #: best first
    label: str | None
    rejected: str | None
    reliability: float
    neighbours: tuple[Neighbour, ...] = ()
    source: str = ""  #: the source node of its evidence

    def of(self, label: str) -> Opinion | None:
        """Return the opinion of a label, or None when this space never met it."""
        return next((one for one in self.opinions if one.label == label), None)


def opinions_of(heard: dict[str, Heard], fit: Fit, strictness: float) -> tuple[Opinion, ...]:
    """Return the opinion of every label, best first, ties by closeness and then by name."""
    labels = sorted(heard)
    shares = confidence(np.array([heard[label].evidence for label in labels]), fit.sharpness)
    found = []
    for label, share in zip(labels, shares, strict=True):
        one = heard[label]
        limit = fit.limits.get(label, fit.prior).within(one.noise)
        accepted = one.distance <= limit.at(strictness) and not one.blocked
        near = limit.closeness(one.distance) / (2 if one.blocked else 1)
        found.append(Opinion(label, float(share), near, accepted, one.blocked))
    return tuple(sorted(found, key=lambda one: (-one.confidence, -one.closeness, one.label)))


def decided(opinions: Sequence[Opinion], strictness: float) -> tuple[str | None, str | None]:
    """Return the winning label, or None and the reason.

    What was said to be wrong cannot win, so the next label may; the nearest of the rest must lie
    within its own limit.
    """
    able = [one for one in opinions if not one.blocked]
    if not opinions:
        return None, "too_few_examples"
    if not able or not able[0].accepted:
        return None, "too_far"
    if len(able) > 1 and able[0].confidence - able[1].confidence < TIE * strictness:
        return None, "ambiguous"
    return able[0].label, None


def verdict(
    heard: dict[str, Heard],
    fit: Fit,
    where: tuple[str, str | None, int, int],
    *,
    k: int,
    strictness: float,
) -> Verdict:
    """Return what a space says, given what every label heard; ``where``: space, subject, span."""
    opinions = opinions_of(heard, fit, strictness) if heard else ()
    label, rejected = decided(opinions, strictness)
    found = receipts(heard, where[0], k)
    return Verdict(*where, opinions, label, rejected, fit.reliability, found)
