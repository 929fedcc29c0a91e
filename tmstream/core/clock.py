"""The only readers of time."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """One rising clock, in integer microseconds."""

    def now_us(self) -> int:
        """Return the present instant, in microseconds."""
        ...


class MonotonicClock:
    """The machine's own clock, which no user and no time server can turn.

    ``perf_counter``, because ``monotonic`` steps by 15.6 ms on Windows before Python 3.13.
    """

    def now_us(self) -> int:
        """Return microseconds since an arbitrary instant."""
        return time.perf_counter_ns() // 1000


class VirtualClock:
    """The clock of a graph that reads only files: it shows the packet being handled."""

    def __init__(self, now_us: int = 0) -> None:
        self._now_us = now_us
        self._moved_ns = time.perf_counter_ns()

    def now_us(self) -> int:
        """Return the instant it was last moved to, in microseconds."""
        return self._now_us

    def worked_us(self) -> int:
        """Return how long ago it was last moved, in microseconds of the machine's clock."""
        return (time.perf_counter_ns() - self._moved_ns) // 1000

    def move_to(self, t_us: int) -> None:
        """Move on to ``t_us``; it never turns back."""
        self._now_us = max(self._now_us, t_us)
        self._moved_ns = time.perf_counter_ns()


class WorkClock:
    """A virtual clock that goes on while a packet is handled: only for telling latencies."""

    def __init__(self, virtual: VirtualClock) -> None:
        self._virtual = virtual

    def now_us(self) -> int:
        """Return the instant of the packet, and on top how long it has been worked on."""
        return self._virtual.now_us() + self._virtual.worked_us()


def unix_offset_us(clock: Clock) -> int:
    """Return what to add to ``clock`` for microseconds since 1970: for people, never for logic."""
    return time.time_ns() // 1000 - clock.now_us()
