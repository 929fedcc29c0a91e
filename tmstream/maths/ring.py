"""Preallocated buffers for streams: what is kept is moved, never grown."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]


class Tail:
    """The samples of a stream that are still needed, contiguous in memory."""

    def __init__(self, keep: int) -> None:
        """``keep``: about how many samples stay after each ``drop``."""
        self._data = np.empty(max(16 * keep, 4096), np.float32)
        self._start = self._end = 0

    def extend(self, samples: Float32) -> Float32:
        """Append ``samples`` and return a view of everything held, valid until the next call."""
        if self._end + len(samples) > len(self._data):
            held = self._data[self._start : self._end]
            room = len(held) + len(samples)
            into = self._data if room <= len(self._data) else np.empty(2 * room, np.float32)
            into[: len(held)] = held
            self._data, self._start, self._end = into, 0, len(held)
        self._data[self._end : self._end + len(samples)] = samples
        self._end += len(samples)
        return self._data[self._start : self._end]

    def drop(self, count: int) -> None:
        """Forget the oldest ``count`` samples."""
        self._start = min(self._start + count, self._end)

    def clear(self) -> None:
        """Forget everything."""
        self._start = self._end = 0


class Rows:
    """The newest ``capacity`` rows of a stream, found by their number since the start."""

    def __init__(self, capacity: int, width: int) -> None:
        self._data = np.zeros((2 * capacity, width), np.float32)
        self._capacity = capacity
        self.count = 0  #: rows taken so far; the newest has the number ``count - 1``

    def push(self, row: Float32) -> None:
        """Take one row."""
        # Written twice, so that any run of rows is one contiguous view.
        slot = self.count % self._capacity
        self._data[slot] = self._data[slot + self._capacity] = row
        self.count += 1

    @property
    def oldest(self) -> int:
        """Return the number of the oldest row still held."""
        return max(0, self.count - self._capacity)

    def span(self, first: int, end: int) -> Float32:
        """Return rows ``first`` to ``end`` (exclusive) as a view; both must still be held."""
        if not self.oldest <= first <= end <= self.count:
            raise IndexError(f"rows {first}..{end} are not in {self.oldest}..{self.count}")
        slot = first % self._capacity
        return self._data[slot : slot + end - first]

    def clear(self) -> None:
        """Forget everything and count from zero."""
        self.count = 0
