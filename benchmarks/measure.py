"""Time two things alternately, so that a machine that slows down slows both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple


class Row(NamedTuple):
    """One line of the table."""

    what: str
    ours: str
    peer: str
    ratio: float
    goal: str
    met: bool


def seconds(work: Callable[[], object]) -> float:
    """Return how long one call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def alternately(*works: Callable[[], object], rounds: int = 9) -> list[float]:
    """Return the median seconds of each, called in turn ``rounds`` times after one warm-up."""
    for work in works:
        work()
    times: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for kept, work in zip(times, works, strict=True):
            kept.append(seconds(work))
    return [statistics.median(kept) for kept in times]


def us(value_s: float) -> str:
    """Return seconds as readable text."""
    return f"{value_s * 1e6:.1f} us" if value_s < 1e-3 else f"{value_s * 1e3:.2f} ms"
