"""The door to soxr: any stream of sound becomes mono at one rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import soxr

Float32 = npt.NDArray[np.float32]


class Mono:
    """Mixes channels and resamples as a stream: the same samples however it is cut (soxr HQ).

    What comes out lags behind by some milliseconds, but stands for its own instant: output sample
    ``n`` belongs to ``n / out_hz`` seconds after the first input sample.
    """

    def __init__(self, in_hz: int, out_hz: int) -> None:
        """Begin a stream."""
        self.in_hz, self.out_hz = in_hz, out_hz
        self._stream: soxr.ResampleStream | None = None
        if in_hz != out_hz:
            # Imported here: most streams already have the rate that is wanted.
            import soxr

            self._stream = soxr.ResampleStream(in_hz, out_hz, 1, dtype="float32")

    def push(self, samples: Float32, *, last: bool = False) -> Float32:
        """Take float32 ``(n, channels)`` and return mono float32 ``(m,)``; ``last`` flushes."""
        mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)
        if self._stream is None:
            return mono
        made: Float32 = self._stream.resample_chunk(np.ascontiguousarray(mono), last=last)
        return made
