"""Who is who from frame to frame: stable ids for boxes that move, hide for a moment and cross."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Side = Literal["left", "right"] | None
Vector = npt.NDArray[np.float64]

#: Cost of giving a right hand the id of a left one: more than any distance inside the gate, so that
#: two hands that cross keep their ids, yet a label that flickers on a lone hand does not lose it.
OTHER_SIDE = 1.0
#: Farthest a centre may be from where it was expected, in box sizes, and how that grows unseen.
GATE, GATE_PER_S = 0.7, 1.5
#: How fast the expected motion follows the seen one, and dies while unseen.
MOTION_S = 0.15


class Seen(NamedTuple):
    """One detection: a box as (left, top, right, bottom), x in the same unit as y."""

    box: tuple[float, float, float, float]
    side: Side = None
    score: float = 1.0


@dataclass
class _Track:
    id: str
    centre: Vector
    size: Vector
    t_us: int
    leaning: float  # towards right (above 0) or left, by score
    motion: Vector = field(default_factory=lambda: np.zeros(2))  # per second

    def expected(self, t_us: int) -> Vector:
        """Return where its centre should be, if it goes on and slows down while unseen."""
        elapsed_s = (t_us - self.t_us) / 1e6
        reach_s = MOTION_S * (1 - float(np.exp(-elapsed_s / MOTION_S)))
        return np.asarray(self.centre + self.motion * reach_s)


class Tracker:
    """Gives each detection the id of the same person or hand a moment ago, or a new one.

    Ids are ``prefix`` and a number, never used twice. One unseen for ``patience_s`` has departed.
    The assignment is the cheapest over all pairs, by distance, overlap and side.
    """

    def __init__(self, prefix: str, patience_s: float) -> None:
        self.patience_us = round(patience_s * 1e6)
        self._ids = (f"{prefix}{n}" for n in count(1))
        self._tracks: list[_Track] = []

    @property
    def ids(self) -> list[str]:
        """Return everybody not departed."""
        return [track.id for track in self._tracks]

    def side(self, subject: str) -> Side:
        """Return the side that was seen most of this subject."""
        leaning = next(t.leaning for t in self._tracks if t.id == subject)
        return None if leaning == 0 else "right" if leaning > 0 else "left"

    def update(self, t_us: int, seen: Sequence[Seen]) -> tuple[list[str], list[str]]:
        """Return the id of each detection, and the ids that departed."""
        departed = [t.id for t in self._tracks if t_us - t.t_us > self.patience_us]
        self._tracks = [t for t in self._tracks if t.id not in departed]
        costs = [[self._cost(track, one, t_us) for track in self._tracks] for one in seen]
        ids = []
        for one, chosen in zip(seen, assign(costs), strict=True):
            if chosen is None:
                track = _Track(next(self._ids), _centre(one), _size(one), t_us, _leaning(one))
                self._tracks.append(track)
            else:
                track = self._tracks[chosen]
                _follow(track, one, t_us)
            ids.append(track.id)
        return ids, departed

    def clear(self) -> list[str]:
        """Forget everybody (the stream was interrupted); return who departed."""
        departed, self._tracks = self.ids, []
        return departed

    def _cost(self, track: _Track, one: Seen, t_us: int) -> float | None:
        """Return 0 (the same place) and up, or None when it cannot be the same."""
        size = max(float(np.hypot(*track.size)), float(np.hypot(*_size(one))), 1e-6)
        distance = float(np.hypot(*(_centre(one) - track.expected(t_us)))) / size
        unseen_s = (t_us - track.t_us) / 1e6
        if distance > GATE + GATE_PER_S * min(unseen_s, 1.0):
            return None
        now, before = float(_size(one).max()), float(track.size.max())
        growth = abs(math.log(max(now, 1e-6) / max(before, 1e-6)))
        other = OTHER_SIDE if _leaning(one) * track.leaning < 0 else 0.0
        return distance + 0.2 * min(growth, 2.0) + other


def assign(costs: Sequence[Sequence[float | None]]) -> list[int | None]:
    """Return for each row its column, or None: as many pairs as can be, at the least total cost.

    Costs are 0 or more. Kuhn's Hungarian method, by shortest augmenting paths (Jonker and Volgenant
    1987): under a millisecond for 8 rows and 16 columns.
    """
    rows, columns = len(costs), len(costs[0]) if costs else 0
    width = max(rows, columns)
    missed = 1.0 + sum(cost or 0.0 for row in costs for cost in row)  # dearer than all pairs
    table = [[*(missed if cost is None else cost for cost in row)] for row in costs]
    table = [row + [missed] * (width - columns) for row in table]
    paid, saved = [0.0] * rows, [0.0] * (width + 1)
    owner = [-1] * (width + 1)  # row of each column; the last stands for the row that seeks one
    for row in range(rows):
        owner[width], at = row, width
        least, came_from, left = [math.inf] * width, [width] * width, set(range(width))
        passed: list[int] = []
        while owner[at] >= 0:
            passed.append(at)
            for column in left:
                cost = table[owner[at]][column] - paid[owner[at]] - saved[column]
                if cost < least[column]:
                    least[column], came_from[column] = cost, at
            at = min(left, key=least.__getitem__)
            step = least[at]
            for column in passed:
                paid[owner[column]] += step
                saved[column] -= step
            for column in left:
                least[column] -= step
            left.remove(at)
        while at != width:
            owner[at], at = owner[came_from[at]], came_from[at]
    chosen: list[int | None] = [None] * rows
    for column in range(columns):
        if owner[column] >= 0 and costs[owner[column]][column] is not None:
            chosen[owner[column]] = column
    return chosen


def _centre(one: Seen) -> Vector:
    left, top, right, bottom = one.box
    return np.array([(left + right) / 2, (top + bottom) / 2])


def _size(one: Seen) -> Vector:
    left, top, right, bottom = one.box
    return np.array([right - left, bottom - top])


def _leaning(one: Seen) -> float:
    return 0.0 if one.side is None else one.score if one.side == "right" else -one.score


def _follow(track: _Track, one: Seen, t_us: int) -> None:
    elapsed_s = (t_us - track.t_us) / 1e6
    if elapsed_s > 0:
        moved = (_centre(one) - track.centre) / elapsed_s
        track.motion += (1 - np.exp(-elapsed_s / MOTION_S)) * (moved - track.motion)
    track.centre, track.t_us = _centre(one), t_us
    track.size = 0.7 * track.size + 0.3 * _size(one)
    # The latest twenty or so sightings decide, so that a hand seen wrongly at first is put right.
    track.leaning = 0.95 * track.leaning + _leaning(one)
