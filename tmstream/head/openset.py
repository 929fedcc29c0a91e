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
#: Shipped (typical, limit) cosine distances per mixture, for several labels and for one alone:
#: medians over the sets in `benchmarks/recognition.py` of the median and the 95 % member distance.
PRIORS: dict[str, tuple[float, float]] = {
    "combination": (0.45, 0.75),
    "standardise": (0.55, 0.80),
    "lda": (0.35, 0.70),
    "none": (0.35, 0.60),
}
PRIOR_ALONE = (0.25, 0.45)
#: How many held-out members outweigh the shipped limit, and how many of one label the common one.
PRIOR_MEMBERS = 8.0
PRIOR_OF_LABEL = 6.0
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


def prior_limits(mixture: str, labels: Sequence[str]) -> dict[str, Limit]:
    """Return the shipped limits, for want of two groups to measure with."""
    return dict.fromkeys(labels, prior_limit(mixture, len(labels)))


def prior_limit(mixture: str, labels: int) -> Limit:
    """Return the shipped limit of one label among ``labels``."""
    return Limit(*(PRIOR_ALONE if labels < 2 else PRIORS[mixture]))


def limits_for(found: Distances, labels: Sequence[str], prior: Limit) -> dict[str, Limit]:
    """Return every label's limit from held-out distances.

    The common limit minimises ``MEMBER_COST * members lost + strangers let in`` (both as shares)
    and is drawn towards ``prior``; a label whose own lie nearer or farther than most shifts it.
    """
    count = len(found.members)
    if not count:
        return dict.fromkeys(labels, prior)
    trust = count / (count + PRIOR_MEMBERS)
    typical = trust * float(np.median(found.members)) + (1 - trust) * prior.typical
    far = trust * cheapest(found.members, found.strangers) + (1 - trust) * prior.far
    limits = {}
    for code, label in enumerate(labels):
        own = found.members[found.codes == code]
        known = len(own) / (len(own) + PRIOR_OF_LABEL)
        shift = known * (float(np.median(own)) - typical) if len(own) else 0.0
        limits[label] = Limit(max(typical + shift, 1e-3), max(far + shift, typical + shift, 1e-3))
    return limits


def cheapest(members: Array, strangers: Array) -> float:
    """Return the limit of least cost; without strangers, one that loses one member in twenty."""
    usual = float(np.quantile(members, 0.95))
    if not len(strangers):
        return usual
    tried: npt.NDArray[np.floating] = np.unique(np.concatenate([members, strangers]))
    lost = 1 - np.searchsorted(np.sort(members), tried, "right") / len(members)
    let_in = np.searchsorted(np.sort(strangers), tried, "right") / len(strangers)
    best = int(np.argmin(MEMBER_COST * lost + let_in))
    # Half way to the next observed distance: a limit exactly on an example turns its like away.
    return float((tried[best] + tried[min(best + 1, len(tried) - 1)]) / 2)


def choose(areas: Mapping[str, float], usual: str) -> str:
    """Return the mixture that knows strangers best; ``usual`` unless another is clearly better."""
    best = max(areas, key=lambda name: (areas[name], name == usual))
    return best if areas[best] > areas[usual] + CONVINCING_AREA else usual
