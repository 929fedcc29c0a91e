"""None of the above: how far from its examples a label still is itself.

The limit of a label is set from distances nobody was taught: of its own examples when their group
is held out, and of whole labels held out to play the stranger. Losing a member costs more than
letting a stranger in. Where little is known, limits shipped with the head fill in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from .lesson import Codes
from .vote import Array

#: A member turned away weighs as much as this many strangers let in.
MEMBER_COST = 4.0
#: Shipped (typical, limit) cosine distances, for want of anything measured: the median and the
#: 90 to 95 % distance of other people's examples, one taught a label, in our embedders' spaces.
PRIOR = (0.40, 0.65)
PRIORS = {"audio": (0.45, 0.66), "hand": (0.20, 0.50), "body": (0.20, 0.50), "image": (0.55, 0.80)}
#: With nothing but one group a label: this share of held-out labels would be let in.
STRANGERS_LET_IN = 0.6
#: Members get the room up to where this share of strangers would be let in.
ROOM = 0.05
ROOM_RATIO = 2.0  #: ... but never beyond this many times the 95 % distance of members
#: How far the limit lies beyond the typical distance: what few held-out members are drawn to.
USUAL_RATIO = 1.5
#: How many held-out members outweigh that, and how many of one label the common limit.
PRIOR_MEMBERS = 8.0
PRIOR_OF_LABEL = 6.0
#: Takes of one person or room lie nearer to each other than other people's will: limits grow by it
#: (`surface_taps`, one recording a label: 13 % of the second half lost without).
ONE_GROUP = 1.2
#: The largest cosine distance there is.
OPPOSITE = 2.0
#: A mixture must separate strangers by this much better, in area, to replace the voting one.
CONVINCING_AREA = 0.03


class Limit(msgspec.Struct, frozen=True):
    """Distances of one label: where its own usually are, and beyond which nothing is it."""

    typical: float
    far: float

    def at(self, strictness: float) -> float:
        """Return the largest distance: any at strictness 0, ``far`` at 0.5, ``typical`` at 1."""
        if strictness <= 0.5:
            return self.far + (OPPOSITE - self.far) * (1 - 2 * strictness) ** 2
        return self.far + (self.typical - self.far) * (2 * strictness - 1)

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


def prior_limit(space: str, strangers: Array | None = None) -> Limit:
    """Return the limit of a label that no two groups taught.

    Distances of held-out labels, where there are any, say more about this space than what shipped.
    """
    typical, far = PRIORS.get(space.partition(".")[0], PRIOR)
    if strangers is not None and len(strangers):
        near = float(np.quantile(strangers, STRANGERS_LET_IN))
        typical, far = near / USUAL_RATIO, near
    return Limit(max(typical, 1e-3), max(far, 1e-3))


def limits_for(
    found: Distances, labels: Sequence[str], prior: Limit, widened: float = 1.0
) -> dict[str, Limit]:
    """Return every label's limit from held-out distances.

    The common limit minimises ``MEMBER_COST * members lost + strangers let in`` (both as shares)
    and is drawn towards the usual one; a label whose own lie farther gets more.
    ``widened`` multiplies it, where members were held out by take and not by group.
    """
    count = len(found.members)
    if not count:
        return dict.fromkeys(labels, prior)
    trust = count / (count + PRIOR_MEMBERS)
    typical = float(np.median(found.members))
    far = trust * cheapest(found.members, found.strangers) + (1 - trust) * typical * USUAL_RATIO
    far *= widened
    limits = {}
    for code, label in enumerate(labels):
        own = found.members[found.codes == code]
        known = len(own) / (len(own) + PRIOR_OF_LABEL)
        shift = known * max(float(np.median(own)) - typical, 0.0) if len(own) else 0.0
        limits[label] = Limit(max(typical + shift, 1e-3), max(far + shift, typical + shift, 1e-3))
    return limits


def cheapest(members: Array, strangers: Array) -> float:
    """Return the limit of least cost; without strangers, one that loses one member in twenty.

    Where strangers lie well apart, members get the room between: the next person will differ more
    than those who taught do from each other.
    """
    usual = float(np.quantile(members, 0.95))
    if not len(strangers):
        return usual
    tried: npt.NDArray[np.floating] = np.unique(np.concatenate([members, strangers]))
    lost = 1 - np.searchsorted(np.sort(members), tried, "right") / len(members)
    let_in = np.searchsorted(np.sort(strangers), tried, "right") / len(strangers)
    best = float(tried[int(np.argmin(MEMBER_COST * lost + let_in))])
    room = min(float(np.quantile(strangers, ROOM)), ROOM_RATIO * usual)
    return max(best, room)


def choose(areas: Mapping[str, float], usual: str) -> str:
    """Return the mixture that knows strangers best; ``usual`` unless another is clearly better."""
    best = max(areas, key=lambda name: (areas[name], name == usual))
    return best if areas[best] > areas[usual] + CONVINCING_AREA else usual
