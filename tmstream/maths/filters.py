"""Filters for jittery signals; every parameter in Hz."""

from __future__ import annotations

import math

import numpy as np

from ..core.packet import Float32


class OneEuro:
    """Low-pass filter whose cutoff rises with speed: calm at rest, without lag in motion.

    Casiez, Roussel and Vogel, "1 Euro Filter", CHI 2012. ``cutoff_hz`` holds at rest; it rises by
    ``speed_hz`` for each unit a second of the smoothed speed; the speed itself is smoothed at
    ``slope_hz``. A sample that comes ``reset_s`` after the last begins anew.
    """

    def __init__(
        self,
        cutoff_hz: float,
        speed_hz: float = 0.0,
        *,
        slope_hz: float = 1.0,
        reset_s: float = 1.0,
    ) -> None:
        self.cutoff_hz, self.speed_hz = cutoff_hz, speed_hz
        self.slope_hz, self.reset_s = slope_hz, reset_s
        self._t_us = 0
        self._value: Float32 | None = None
        self._slope: Float32 | None = None

    def __call__(self, t_us: int, value: Float32, unit: float = 1.0) -> Float32:
        """Return ``value`` (any shape) filtered; ``unit`` is the length that speed counts in."""
        last = self._value
        elapsed_s = (t_us - self._t_us) / 1e6
        if last is None or last.shape != value.shape or not 0 < elapsed_s < self.reset_s:
            self._t_us, self._value, self._slope = t_us, value, np.zeros_like(value)
            return value
        assert self._slope is not None
        slope = (value - last) / np.float32(elapsed_s * unit)
        self._slope = self._slope + share(self.slope_hz, elapsed_s) * (slope - self._slope)
        cutoff_hz = self.cutoff_hz + self.speed_hz * np.abs(self._slope)
        turns = 2 * math.pi * cutoff_hz * elapsed_s
        made = (last + turns / (turns + 1) * (value - last)).astype(value.dtype)
        self._t_us, self._value = t_us, made
        return made


def share(cutoff_hz: float, elapsed_s: float) -> np.float32:
    """Return how much of a new sample a first-order low-pass takes after ``elapsed_s``."""
    turns = 2 * math.pi * cutoff_hz * elapsed_s
    return np.float32(turns / (turns + 1))
