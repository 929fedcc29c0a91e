"""When a movement begins and ends, and what shape it has, whatever its speed and size."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..core.packet import Float32

Float64 = npt.NDArray[np.float64]

#: Speed at which a movement begins and below which it ends, in body units a second (one unit is
#: about a shoulder's width); a landmarker's own jitter stays under 0.3 after smoothing.
BEGIN, END = 0.7, 0.3
#: It ends after being still so long; shorter pauses are its turning points (the
#: bottom of a slow squat lasts 0.4 s).
STILL_S = 0.5
#: Shorter ones are twitches, longer ones are cut.
SHORTEST_S, LONGEST_S = 0.5, 4.0
#: How long before the threshold a movement is taken to have begun.
LEAD_S = 0.2
#: Speed is measured over this long, between points smoothed with this time constant: from frame to
#: frame a landmarker's jitter looks as fast as a wave.
OVER_S, SMOOTH_S = 0.2, 0.1

#: How many points in time a movement is reduced to.
STEPS = 12


class Movement(NamedTuple):
    """A movement: when it was, and the tracked points over time, float64 (n, tracks, 2)."""

    onset_us: int
    end_us: int
    times_us: Float64
    tracks: Float64


class MovementSegmenter:
    """Cuts a stream of points into movements, by their speed."""

    def __init__(self) -> None:
        self._recent: deque[tuple[int, Float64]] = deque()
        self._smooth: deque[tuple[int, Float64]] = deque()
        self._onset_us: int | None = None
        self._moved_us = 0

    @property
    def moving(self) -> bool:
        """Return whether a movement is going on."""
        return self._onset_us is not None

    def push(self, t_us: int, tracks: Float64) -> Movement | None:
        """Take one frame's points (tracks, 2), in body units; return a movement that has ended."""
        speed = self._speed(t_us, tracks)
        self._recent.append((t_us, tracks))
        if self._onset_us is None:
            while t_us - self._recent[0][0] > LEAD_S * 1e6:
                self._recent.popleft()
            if speed > BEGIN:
                self._onset_us = self._recent[0][0]
                self._moved_us = t_us
            return None
        if speed > END:
            self._moved_us = t_us
        still = t_us - self._moved_us >= STILL_S * 1e6
        if still or t_us - self._onset_us >= LONGEST_S * 1e6:
            return self.finish()
        return None

    def _speed(self, t_us: int, tracks: Float64) -> float:
        """Return how fast the fastest point is, in body units a second."""
        if self._smooth:
            last_us, last = self._smooth[-1]
            share = 1 - np.exp(-(t_us - last_us) / 1e6 / SMOOTH_S)
            tracks = last + share * (tracks - last)
        self._smooth.append((t_us, tracks))
        while len(self._smooth) > 2 and t_us - self._smooth[1][0] >= OVER_S * 1e6:
            self._smooth.popleft()
        then_us, then = self._smooth[0]
        elapsed_s = max((t_us - then_us) / 1e6, OVER_S)
        return float(np.hypot(*(tracks - then).T).max()) / elapsed_s

    def finish(self) -> Movement | None:
        """End what is going on, and return it if it was a movement."""
        onset_us, self._onset_us = self._onset_us, None
        frames = [(t, tracks) for t, tracks in self._recent if t <= self._moved_us]
        self._recent.clear()
        self._smooth.clear()
        if onset_us is None or self._moved_us - onset_us < SHORTEST_S * 1e6 or len(frames) < 3:
            return None
        times = np.array([t for t, _ in frames], np.float64)
        return Movement(onset_us, self._moved_us, times, np.array([one for _, one in frames]))


def movement_vector(movement: Movement) -> Float32:
    """Return the shape of a movement, (36 a track,): the same for fast and slow, large and small.

    For every track: its path in `STEPS` points equally far apart in time, turned into shares of the
    movement's own extent; and what does not depend on how often a wave swings: where it was, how
    far it went each way, how it turned, how much of its way was in vain.
    """
    steps = np.linspace(movement.times_us[0], movement.times_us[-1], STEPS)
    count = movement.tracks.shape[1]
    path = np.empty((STEPS, count, 2))
    for track in range(count):
        for axis in (0, 1):
            path[:, track, axis] = np.interp(
                steps, movement.times_us, movement.tracks[:, track, axis]
            )
    extent = float(np.ptp(path, axis=0).max())
    parts = []
    for track in range(count):
        parts.append(_described(movement.tracks[:, track], path[:, track], max(extent, 1e-6)))
    return np.concatenate(parts).astype(np.float32)


def _described(track: Float64, path: Float64, extent: float) -> Float64:
    """Return one track's part of the vector; ``extent`` is that of the widest track."""
    middle = track.mean(axis=0)
    spread = track.std(axis=0) / extent
    steps = np.diff(track, axis=0)
    way = np.hypot(*steps.T).sum()
    net = track[-1] - track[0]
    x, y = (track - middle).T
    # Twice the area swept, with its sign: a circle is large, to and fro is nothing.
    area = float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / extent**2
    turns = [_reversals(track[:, axis], 0.15 * extent) for axis in (0, 1)]
    told = [*np.clip(0.5 * middle, -2, 2), *(3 * spread), *net / extent, np.clip(area, -2, 2)]
    told += [*np.log1p(turns), way / extent / 4, np.hypot(*net) / max(way, 1e-6)]
    return np.concatenate([0.4 * ((path - path.mean(axis=0)) / extent).ravel(), told])


def _reversals(values: Float64, least: float) -> int:
    """Return how often a coordinate turns round, ignoring turns smaller than ``least``."""
    count, direction, extreme = 0, 0, values[0]
    for value in values[1:]:
        moved = value - extreme
        if direction == 0 and abs(moved) > least:
            direction, extreme = int(np.sign(moved)), value
        elif direction * moved > 0:
            extreme = value
        elif direction and abs(moved) > least:
            count, direction, extreme = count + 1, -direction, value
    return count
