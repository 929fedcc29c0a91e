"""From samples counted to instants: a device's clock, followed by ours."""

from __future__ import annotations

#: A late block is the machine's fault and no matter; later than this, samples were lost.
GAP_US = 250_000
#: Drift is judged by the most punctual block of so many seconds: lateness only ever adds.
JUDGE_US = 5_000_000
#: Then the count is moved by this at most: 100 ppm, more than a sound card's crystal is off.
SLEW_US = 500.0


class Timeline:
    """Stamps blocks of a live stream: evenly by their count, slowly slewed to the clock."""

    def __init__(self, rate_hz: float, latency_us: float = 0.0) -> None:
        """``latency_us``: how long a sample is on its way from the air to us."""
        self._rate_hz, self._latency_us = rate_hz, latency_us
        self._start_us: float | None = None
        self._count = 0
        self._judged_us = 0
        self._least_us = float("inf")

    def stamp(self, samples: int, now_us: int, *, lost: bool = False) -> tuple[int, bool]:
        """Return the instant of the first of ``samples`` that arrived at ``now_us``.

        The second value is true when the stream was interrupted before them, as the device says by
        ``lost`` or their lateness shows; time then starts anew.
        """
        arrived_us = now_us - self._latency_us
        length_us = samples * 1e6 / self._rate_hz
        before_us = self.next_us
        late_us = arrived_us - (before_us + length_us) if before_us is not None else 0.0
        gap = lost or late_us > GAP_US
        if before_us is None or gap:
            self._start_us = max(arrived_us - length_us, before_us or 0.0)
            self._count = 0
            self._judged_us, self._least_us = now_us, float("inf")
            late_us = 0.0
        assert self._start_us is not None
        self._least_us = min(self._least_us, late_us)
        if now_us - self._judged_us >= JUDGE_US:
            self._start_us += max(-SLEW_US, min(SLEW_US, self._least_us))
            self._judged_us, self._least_us = now_us, float("inf")
        t_us = round(self._start_us + self._count * 1e6 / self._rate_hz)
        self._count += samples
        return t_us, gap

    @property
    def next_us(self) -> float | None:
        """Return the instant of the next sample; None before the first."""
        if self._start_us is None:
            return None
        return self._start_us + self._count * 1e6 / self._rate_hz
