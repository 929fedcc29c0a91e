"""When each sample of a stream was: by counting, between one break and the next."""

from __future__ import annotations

#: A source that was slewed by this much moves the count; less is rounding.
SLEWED_US = 1_000.0
#: A block further than this from its place does not follow: sound is missing, or comes again.
APART_US = 50_000.0


class SampleCount:
    """The instants of an unbroken stream's samples, as its source's own stamps say in the long run.

    Crystals are off by up to 100 ppm, 9 s a day: a source is slewed to the clock, so its readers
    must be too.
    """

    def __init__(self, t_us: int, samples: int, rate_hz: int) -> None:
        """Begin with a block of ``samples``, the first of which was at ``t_us``."""
        self._start_us, self._taken, self._rate_hz = float(t_us), samples, rate_hz

    def take(self, t_us: int, samples: int, rate_hz: int) -> bool:
        """Count a block; return whether it follows the one before, as it must to be counted."""
        off_us = t_us - (self._start_us + self._taken * 1e6 / self._rate_hz)
        if rate_hz != self._rate_hz or abs(off_us) > APART_US:
            return False
        if abs(off_us) >= SLEWED_US:
            self._start_us += off_us
        self._taken += samples
        return True

    def at_us(self, sample: int) -> int:
        """Return the instant of sample number ``sample`` (from 0) since the break."""
        return round(self._start_us + sample * 1e6 / self._rate_hz)
