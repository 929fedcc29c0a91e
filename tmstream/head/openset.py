"""None of the above: how far from its examples a label still is itself.

All in logarithms of cosine distances nobody was taught: of members (their group was held out) and
of strangers (their whole label was). The limit is the edge of the members, and where strangers lie
well apart, half of the way on to their middle: the next person differs more than those who taught
do from each other. The constants were chosen over 12 real sets taught 1 to 20 examples a label
(`benchmarks/recognition.py`), all at once; the best is flat. Fitting all statistics of members and
strangers to eleven sets and trying the twelfth was no better, nor was any other distance: relative
to the second label, to the mean of all, whitened, or not of the cosine.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

import msgspec
import numpy as np

from .lesson import Codes
from .vote import Array

#: Distance of a typical stranger in our embedders' spaces, for want of held-out labels: the 30 %
#: quantile over the sets of each sense (of faces: over expressions modelled on 26 people's photos),
#: and how many labels of one's own outweigh it.
STRANGERS = {"audio": 0.50, "hand": 0.29, "body": 0.36, "face": 0.16, "image": 0.48}
ANY_STRANGERS = 0.40
PRIOR_LABELS = 2.0
#: Spread of log distances of members (.25 sounds and pictures, .6 poses; rather too wide than too
#: tight), and how many members outweigh it.
USUAL_SPREAD = 0.6
PRIOR_MEMBERS = 4.0
#: So many spreads beyond the middle lies the edge: one member in six of the normal distribution.
EDGE = 1.0
#: How far on from there to the middle of the strangers the limit lies (a third or two did alike).
ROOM = 0.5
#: Without members nothing says how far they lie: this share of held-out labels is let in.
LET_IN = 0.6
#: Takes of one person lie nearer to each other than other people's will. Digits spoken by one: with
#: 1.3 a sixth of the others are turned away instead of a third, and still four strangers of five.
ONE_PERSON = 1.3
#: When nobody said who was recorded. Things are nobody: pictures are not widened.
PERHAPS_ONE = 1.1
THINGS = ("image",)
#: How many held-out members of one label outweigh what is common to all.
PRIOR_OF_LABEL = 60.0
#: The largest cosine distance there is, and the least that is told from none.
OPPOSITE = 2.0
LEAST = 1e-3


class Limit(msgspec.Struct, frozen=True):
    """Distances of one label: where its own usually are, and beyond which nothing is it."""

    typical: float
    far: float

    def at(self, strictness: float) -> float:
        """Return the largest distance: any at strictness 0, ``far`` at 0.5, ``typical`` at 1."""
        if strictness <= 0.5:
            return self.far + (OPPOSITE - self.far) * (1 - 2 * strictness) ** 2
        return self.far + (self.typical - self.far) * (2 * strictness - 1)

    def within(self, noise: float) -> Limit:
        """Return the limit that ends where noise begins, at this distance, if that is nearer."""
        noise = max(noise, LEAST)
        return Limit(min(self.typical, noise), min(self.far, noise)) if noise < self.far else self

    def closeness(self, distance: float) -> float:
        """Return 1 at distance 0, 0.5 at the limit, towards 0 beyond; monotone and smooth."""
        return float(2.0 ** -((distance / self.far) ** 2))


class Distances(msgspec.Struct, frozen=True, eq=False):
    """Held-out distances to the label that won."""

    members: Array  #: (m,) of examples whose own label won
    codes: Codes  #: (m,) which label that was
    strangers: Array  #: (s,) of examples of labels that were left out


def area(members: Array, strangers: Array) -> float:
    """Return the chance that a member is nearer than a stranger (area under the ROC curve)."""
    if not len(members) or not len(strangers):
        return 0.5
    ranked = np.sort(members)
    below = np.searchsorted(ranked, strangers, "left")
    equal = np.searchsorted(ranked, strangers, "right") - below
    return float((below + equal / 2).mean() / len(members))


def common_limit(space: str, strangers: Array) -> Limit:
    """Return the limit of a space no member of which was held out.

    ``strangers`` (s,) are distances of held-out labels; none, where there are too few labels.
    """
    far = STRANGERS.get(space.partition(".")[0], ANY_STRANGERS)
    if len(strangers):
        far = float(np.quantile(strangers, LET_IN))
    return Limit(max(far, LEAST) * exp(-EDGE * USUAL_SPREAD), max(far, LEAST))


def widening(space: str, groups: int, takes: int) -> float:
    """Return how much farther members may lie, for all that taught may be one person."""
    if groups == 1:
        return ONE_PERSON
    return PERHAPS_ONE if groups == takes and space not in THINGS else 1.0


def limits_for(
    found: Distances, labels: Sequence[str], space: str, *, wider: float = 1.0
) -> dict[str, Limit]:
    """Return every label's limit from held-out distances.

    ``wider`` is what all of them are multiplied by (`widening`). A label's own limit is the common
    one moved by how much farther or nearer its own members lie.
    """
    count = len(found.members)
    if not count:
        return dict.fromkeys(labels, common_limit(space, found.strangers))
    members = _logs(found.members)
    middle = float(members.mean())
    squares = float(((members - middle) ** 2).sum()) + PRIOR_MEMBERS * USUAL_SPREAD**2
    edge = middle + EDGE * (squares / (count - 1 + PRIOR_MEMBERS)) ** 0.5
    strange = _middle_of_strangers(found.strangers, len(labels), space)
    far = max(edge, edge + ROOM * (strange - edge))
    far += log(wider)
    limits = {}
    for code, label in enumerate(labels):
        own = members[found.codes == code]
        shift = float((own - middle).sum()) / (len(own) + PRIOR_OF_LABEL)
        limits[label] = Limit(exp(middle + shift), exp(far + shift))
    return limits


def _middle_of_strangers(strangers: Array, labels: int, space: str) -> float:
    """Return the log distance of a typical stranger, drawn to the usual one by few labels."""
    usual = log(STRANGERS.get(space.partition(".")[0], ANY_STRANGERS))
    if not len(strangers):
        return usual
    own = float(np.median(_logs(strangers)))
    return (labels * own + PRIOR_LABELS * usual) / (labels + PRIOR_LABELS)


def _logs(distances: Array) -> Array:
    return np.asarray(np.log(np.maximum(distances, LEAST)))
