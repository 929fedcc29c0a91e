"""Something slowly gets worse: the recent median against a long one, both over hours."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Drift:
    """Keeps one summary a ``period_s`` and compares the last ``recent`` of them with all before.

    A value belongs to its instant in seconds. Medians, because one noisy evening is not a trend; at
    most ``kept`` periods are remembered.
    """

    period_s: float = 900.0
    recent: int = 4
    kept: int = 96
    least: int = 12  #: periods needed before anything is said
    least_values: int = 5  #: values a period needs to count
    _values: list[float] = field(default_factory=list, init=False, repr=False)
    _began_s: float | None = field(default=None, init=False, repr=False)
    _medians: deque[float] = field(default_factory=deque, init=False, repr=False)

    def add(self, value: float, now_s: float) -> bool:
        """Note one value (NaN is passed over), and return whether a period ended."""
        ended = False
        if self._began_s is None or now_s < self._began_s:
            self._began_s = now_s
        if now_s - self._began_s >= self.period_s:
            if len(self._values) >= self.least_values:
                self._medians.append(float(np.median(self._values)))
                ended = True
                while len(self._medians) > self.kept:
                    self._medians.popleft()
            self._values = []
            self._began_s = now_s
        if np.isfinite(value) and len(self._values) < 4096:
            self._values.append(float(value))
        return ended

    @property
    def change(self) -> float | None:
        """Return the recent median minus the one before it; None while too little is known."""
        if len(self._medians) < max(self.least, self.recent + 1):
            return None
        every = list(self._medians)
        before, now = every[: -self.recent], every[-self.recent :]
        return float(np.median(now) - np.median(before))

    @property
    def usual(self) -> float | None:
        """Return the median of the periods before the recent ones."""
        if len(self._medians) <= self.recent:
            return None
        return float(np.median(list(self._medians)[: -self.recent]))
