"""Fit one space: which metric votes, which knows strangers, how sharp the vote, where limits lie.

Everything is decided by examples that did not teach: whole groups are held out in turn (members),
and whole labels (strangers). Pure functions of a `Lesson`; a few linear solves, no iteration.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from tmstream.maths.metric import Metric, discriminate, identity, standardise

from .lesson import Codes, Lesson, Mask, folds
from .openset import ONE_GROUP, Distances, Limit, area, choose, limits_for, prior_limit
from .vote import Array, confidence, evidence, mixed, nearness

#: Rows of "as usual" mixed into the spread of every number: embedders ship numbers of like spread,
#: so a few examples should not overrule them (sounds: 3 rows cost 1 to 2 points, 30 to 100 alike).
PRIOR_ROWS = 60.0
#: Mixtures of the three views (plain cosine, standardised, turned by the discriminants).
MIXTURES: dict[str, tuple[float, float, float]] = {
    "combination": (0.0, 0.5, 0.5),
    "standardise": (0.0, 1.0, 0.0),
    "lda": (0.0, 0.0, 1.0),
    "none": (1.0, 0.0, 0.0),
    "blend": (0.5, 0.25, 0.25),
}
#: Those that may vote; all of them may know strangers.
VOTING = ("combination", "standardise", "lda", "none")
#: The mixture to leave only for a measured gain: best on average over 7 sets taught with 1 to 20.
USUAL = "combination"
#: The same for strangers: what the metric was not asked to tell apart it forgets, the plain cosine
#: does not, and both together know most (area over 11 sets, 5 shots: .865 plain, .881, .883 blend).
USUAL_NEAR = "blend"
#: Sounds of no kind that was taught (typing, a guitar) are kept out far better by the plain cosine.
USUAL_NEARS = {"audio": "none"}
#: A gain counts when it exceeds this many of its standard errors.
CONVINCING = 2.0
#: Beyond this many bytes of examples only the discriminants are searched: labels - 1 numbers a row.
LARGE_BYTES = 64_000_000
MAX_FOLDS = 5
#: Labels that play the stranger in turn, and rows of each that do.
MAX_STRANGERS = 8
MAX_ROWS = 400
SHARPNESS = (6.0, 9.0, 13.0, 18.0, 25.0)
USUAL_SHARPNESS = 13.0
#: The sharpness to keep unless as many answers as this are outweighed.
PRIOR_ANSWERS = 10.0


class Fit(msgspec.Struct, frozen=True, eq=False):
    """What was learned about a space: nothing in it changes afterwards."""

    views: tuple[Metric, ...]
    vote: tuple[float, ...]  #: share of every view in the similarity that votes
    near: tuple[float, ...]  #: share of every view in the similarity that knows strangers
    metric: str  #: name of the voting mixture, for people
    near_metric: str
    sharpness: float  #: of the vote's confidence
    limits: dict[str, Limit]
    prior: Limit  #: for a label taught after this was learned
    reliability: float  #: share of held-out examples answered rightly, cautiously estimated
    tested: int = 0  #: how many that was
    area: float | None = None  #: under the curve of members against strangers, if it was measured


class Trials(msgspec.Struct, frozen=True, eq=False):
    """What held-out examples met: per mixture (q, labels), -inf for labels not taught."""

    codes: Codes  #: (q,) the label each really is
    evidence: dict[str, Array]
    nearness: dict[str, Array]

    def won(self, mixture: str) -> Codes:
        """Return which label each example was taken for."""
        return np.asarray(self.evidence[mixture].argmax(axis=1), dtype=np.intp)

    def distances(self, near: str, won: Codes) -> Array:
        """Return each example's distance to the label it was taken for."""
        return 1 - self.nearness[near][np.arange(len(won)), won]


def views_of(lesson: Lesson) -> tuple[Metric, Metric, Metric | None]:
    """Return the plain, the standardised and the turned metric (None: nothing to turn by)."""
    weights = lesson.weights
    scaled = standardise(lesson.vectors, lesson.codes, weights, PRIOR_ROWS)
    moved = (lesson.vectors.astype(np.float64) - scaled.mean) * scaled.scale
    turn = discriminate(moved, lesson.codes, weights, independent=lesson.take_count)
    turned = None if turn is None else Metric(scaled.mean, scaled.scale, turn.astype(np.float32))
    return identity(lesson.vectors.shape[1]), scaled, turned


def learn(lesson: Lesson, k: int, space: str = "", *, calibrate: bool = True) -> Fit:
    """Return what ``lesson`` (at least one row) teaches.

    Without ``calibrate`` the usual choices and shipped limits are taken, at the price of one fit.
    """
    views = views_of(lesson)
    possible = [name for name in MIXTURES if views[2] is not None or not MIXTURES[name][2]]
    large = lesson.vectors.nbytes > LARGE_BYTES and "lda" in possible
    usual = "lda" if large else USUAL if USUAL in possible else "standardise"
    wanted = USUAL_NEARS.get(space.partition(".")[0], USUAL_NEAR)
    usual_near = wanted if wanted in possible else "none"
    sample = _thinned(lesson)
    members = _members(sample, k, possible) if calibrate and not large else None
    strangers = _strangers(sample, k, possible) if calibrate and not large else None
    if members is None:
        near = usual if large else usual_near
        far = None if strangers is None else strangers.distances(near, strangers.won(usual))
        prior = prior_limit(space, far)
        limits = dict.fromkeys(lesson.labels, prior)
        return _fit(views, usual, near, USUAL_SHARPNESS, limits, prior, 0.5)
    vote = choose_vote(members, usual)
    found = {name: _distances(members, strangers, vote, name) for name in possible}
    areas = {name: area(one.members, one.strangers) for name, one in found.items()}
    near = choose(areas, usual_near) if strangers is not None else usual_near
    # One group, or every take its own: nobody said who was recorded, so it may be one person.
    groups = len(np.unique(lesson.groups))
    widened = 1.0 if 1 < groups < lesson.take_count else ONE_GROUP
    limits = limits_for(found[near], lesson.labels, prior_limit(space), widened)
    right = members.won(vote) == members.codes
    return _fit(
        views,
        vote,
        near,
        choose_sharpness(members.evidence[vote], members.codes),
        limits,
        _common(limits),
        (float(right.sum()) + 1) / (len(right) + 2),
        len(right),
        areas[near] if strangers is not None else None,
    )


def _common(limits: dict[str, Limit]) -> Limit:
    """Return the limit for a label taught later: the widest, until it is measured itself."""
    return max(limits.values(), key=lambda limit: limit.far)


def choose_vote(members: Trials, usual: str) -> str:
    """Return the mixture that answers held-out examples best; ``usual`` unless convinced."""
    right = {
        name: members.won(name) == members.codes for name in VOTING if name in members.evidence
    }
    best, gained = usual, 0.0
    for name, answers in right.items():
        gain = answers.astype(float) - right[usual]
        if gain.mean() > gained and gain.mean() > CONVINCING * gain.std() / np.sqrt(len(gain)):
            best, gained = name, float(gain.mean())
    return best


def choose_sharpness(evidences: Array, codes: Codes) -> float:
    """Return the sharpness whose confidences surprise least (log loss), cautiously."""

    def surprise(sharpness: float) -> float:
        shares = confidence(evidences, sharpness)[np.arange(len(codes)), codes]
        return float(-np.log(np.maximum(shares, 1e-6)).sum())

    losses = {sharpness: surprise(sharpness) for sharpness in SHARPNESS}
    best = min(losses, key=lambda sharpness: losses[sharpness])
    trust = len(codes) / (len(codes) + PRIOR_ANSWERS)
    return trust * best + (1 - trust) * USUAL_SHARPNESS


def _fit(views: tuple[Metric, Metric, Metric | None], vote: str, near: str, *rest: Any) -> Fit:
    """Keep only the views that are used."""
    shares = [
        (view, a, b) for view, a, b in zip(views, MIXTURES[vote], MIXTURES[near], strict=True)
    ]
    used = [(view, a, b) for view, a, b in shares if view is not None and (a or b)]
    kept, voting, nearing = zip(*used, strict=True)
    return Fit(kept, voting, nearing, vote, near, *rest)


def _thinned(lesson: Lesson) -> Lesson:
    """Return the lesson with at most `MAX_ROWS` rows, evenly out of every take."""
    if len(lesson.codes) <= MAX_ROWS:
        return lesson
    order = np.lexsort((np.arange(len(lesson.codes)), lesson.takes, lesson.codes))
    kept = np.zeros(len(lesson.codes), dtype=bool)
    kept[order[np.linspace(0, len(order) - 1, MAX_ROWS).astype(np.intp)]] = True
    return lesson.part(kept)


def _members(lesson: Lesson, k: int, mixtures: list[str]) -> Trials | None:
    """Hold out each group in turn, or, if all is one group, each take; None when nothing is left.

    Takes of one person are more alike than people are; limits are widened for that afterwards.
    """
    met = []
    several = len(np.unique(lesson.groups)) > 1
    for tested in folds(lesson.groups if several else lesson.takes, MAX_FOLDS):
        taught = ~tested
        asked = tested & lesson.original & np.isin(lesson.codes, lesson.codes[taught])
        if asked.any():
            met.append(_meet(lesson, taught, asked, k, mixtures))
    return _joined(met) if met else None


def _strangers(lesson: Lesson, k: int, mixtures: list[str]) -> Trials | None:
    """Hold out whole labels in turn; None below three, where one label would be left."""
    count = len(lesson.labels)
    if count < 3:
        return None
    left_out = np.unique(np.linspace(0, count - 1, min(count, MAX_STRANGERS)).astype(np.intp))
    met = []
    for code in left_out:
        stranger = lesson.codes == code
        met.append(_meet(lesson, ~stranger, stranger & lesson.original, k, mixtures))
    return _joined(met)


def _meet(lesson: Lesson, taught: Mask, asked: Mask, k: int, mixtures: list[str]) -> Trials:
    """Teach the rows ``taught`` and ask about the rows ``asked``."""
    part = lesson.part(taught)
    known = np.unique(lesson.codes[taught])
    views = views_of(part)
    every = [
        (view or views[1]).apply(lesson.vectors[asked]) @ (view or views[1]).apply(part.vectors).T
        for view in views
    ]
    evidences, nearnesses = {}, {}
    for name in mixtures:
        cosines = mixed(every, MIXTURES[name])
        evidences[name] = _spread(evidence(cosines, part.codes, part.takes, k), known, lesson)
        nearnesses[name] = _spread(nearness(cosines, part.codes, part.takes), known, lesson)
    return Trials(lesson.codes[asked], evidences, nearnesses)


def _spread(values: Array, known: Codes, lesson: Lesson) -> Array:
    """Return (q, known labels) as (q, all labels), -inf where nothing had been taught."""
    wide = np.full((len(values), len(lesson.labels)), -np.inf)
    wide[:, known] = values
    return wide


def _joined(met: list[Trials]) -> Trials:
    return Trials(
        np.concatenate([one.codes for one in met]),
        {name: np.concatenate([one.evidence[name] for one in met]) for name in met[0].evidence},
        {name: np.concatenate([one.nearness[name] for one in met]) for name in met[0].nearness},
    )


def _distances(members: Trials, strangers: Trials | None, vote: str, near: str) -> Distances:
    """Members count where they were recognised: turning away a mistake costs nothing."""
    won = members.won(vote)
    right = won == members.codes
    return Distances(
        members.distances(near, won)[right],
        won[right],
        np.zeros(0) if strangers is None else strangers.distances(near, strangers.won(vote)),
    )
