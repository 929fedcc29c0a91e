"""The examples of one space, ready to be searched: per label one matrix a view, grown by doubling.

Adding writes one row; removing moves the last row into the hole: O(d) however many there are. A
bank belongs to one thread; a refit builds a new one.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

import msgspec
import numpy as np

from ..core.packet import Float32, Neighbour
from ..maths.neighbours import similarities, top_k
from .learn import Fit
from .vote import NEAR, mixed, softened

FIRST_ROWS = 8
#: Rows looked at per wanted take before all takes of a label are compared.
ROWS_A_TAKE = 8


class Heard(msgspec.Struct, frozen=True):
    """What one label's examples say about a query."""

    evidence: float
    distance: float  #: mean to the nearest takes
    blocked: bool  #: a "that was wrong" lies nearer than any example
    nearest: tuple[tuple[float, str], ...]  #: (similarity, id) of the takes that spoke


class Shelf:
    """The rows of one label: unit vectors in every view, their ids and takes."""

    def __init__(self, dimensions: Sequence[int], rows: int = FIRST_ROWS) -> None:
        self.ids: list[str] = []
        self.takes: list[str] = []
        self._views = [np.zeros((max(rows, 1), size), np.float32) for size in dimensions]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def nbytes(self) -> int:
        """Return the bytes one search reads."""
        return sum(len(self) * view.shape[1] * 4 for view in self._views)

    def add(self, name: str, take: str, rows: Sequence[Float32]) -> None:
        """Write one example; ``rows`` holds its unit vector in every view."""
        count = len(self.ids)
        if count == len(self._views[0]):
            self._views = [np.concatenate([view, np.zeros_like(view)]) for view in self._views]
        for view, row in zip(self._views, rows, strict=True):
            view[count] = row
        self.ids.append(name)
        self.takes.append(take)

    def remove(self, index: int) -> str | None:
        """Drop a row; returns the id of the one that moved into its place, if any did."""
        last = len(self.ids) - 1
        for view in self._views:
            view[index] = view[last]
        moved = self.ids[last] if index != last else None
        self.ids[index], self.takes[index] = self.ids[last], self.takes[last]
        self.ids.pop()
        self.takes.pop()
        return moved

    def cosines(self, query: Sequence[Float32], bytes_read: int) -> list[Float32]:
        """Return each row's cosine to ``query`` in every view."""
        count = len(self.ids)
        return [
            similarities(view[:count], row, bytes_read)
            for view, row in zip(self._views, query, strict=True)
        ]

    def best_takes(self, values: Float32, k: int) -> list[int]:
        """Return the best row of each of the ``k`` best takes, best first, ties by id."""
        wanted = min(len(values), k * ROWS_A_TAKE)
        best = self._first_of_takes(top_k(values, wanted), k)
        if len(best) < k and wanted < len(values):
            best = self._first_of_takes(np.argsort(-values, kind="stable"), k)
        return sorted(best, key=lambda row: (-values[row], self.ids[row]))

    def _first_of_takes(self, order: Sequence[int] | np.ndarray, k: int) -> list[int]:
        seen: set[str] = set()
        best: list[int] = []
        for row in order:
            if self.takes[row] not in seen:
                seen.add(self.takes[row])
                best.append(int(row))
                if len(best) == k:
                    break
        return best


class Bank:
    """Every label's shelf, and beside it the shelf of what is known not to be it."""

    def __init__(self, fit: Fit) -> None:
        self.fit = fit
        self._dimensions = [view.dimensions for view in fit.views]
        self._shelves: dict[tuple[str, bool], Shelf] = {}
        self._places: dict[str, tuple[str, bool, int]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, name: str) -> bool:
        return name in self._places

    @property
    def labels(self) -> list[str]:
        """Return the labels that have examples, sorted."""
        return sorted(label for label, negative in self._shelves if not negative)

    def add(self, ids: Sequence[str], labels: Sequence[str], takes: Sequence[str],
            vectors: Float32, negatives: Sequence[bool]) -> None:  # fmt: skip
        """Add examples, ``vectors`` (n, d) as embedded; an id that is there is left as it is."""
        rows = [view.apply(vectors) for view in self.fit.views]
        for i, name in enumerate(ids):
            if name in self._places:
                continue
            key = (labels[i], bool(negatives[i]))
            shelf = self._shelves.get(key)
            if shelf is None:
                shelf = self._shelves[key] = Shelf(self._dimensions)
            self._places[name] = (*key, len(shelf))
            shelf.add(name, takes[i], [row[i] for row in rows])

    def remove(self, name: str) -> None:
        """Forget an example, if it is there."""
        place = self._places.pop(name, None)
        if place is None:
            return
        label, negative, index = place
        shelf = self._shelves[label, negative]
        moved = shelf.remove(index)
        if moved is not None:
            self._places[moved] = place
        if not len(shelf):
            del self._shelves[label, negative]

    def ask(
        self, vector: Float32, k: int, labels: Container[str] | None = None
    ) -> dict[str, Heard]:
        """Return what every label (of ``labels``) hears in ``vector`` (d,), exactly."""
        query = [view.apply(vector[None])[0] for view in self.fit.views]
        size = sum(shelf.nbytes for shelf in self._shelves.values())
        return {
            label: self._hear(label, shelf, query, k, size)
            for label, shelf in self._positive(labels)
        }

    def _positive(self, labels: Container[str] | None) -> Iterator[tuple[str, Shelf]]:
        for (label, negative), shelf in self._shelves.items():
            if not negative and (labels is None or label in labels):
                yield label, shelf

    def _hear(self, label: str, shelf: Shelf, query: list[Float32], k: int, size: int) -> Heard:
        cosines = mixed(shelf.cosines(query, size))
        best = shelf.best_takes(cosines, max(k, NEAR))
        near, best = best[:NEAR], best[:k]
        against = self._shelves.get((label, True))
        blocked = against is not None and bool(
            mixed(against.cosines(query, size)).max() >= cosines[best[0]]
        )
        return Heard(
            float(softened(cosines[best])),
            1 - float(cosines[near].mean()),
            blocked,
            tuple((float(cosines[row]), shelf.ids[row]) for row in best),
        )


def receipts(heard: dict[str, Heard], space: str, k: int) -> tuple[Neighbour, ...]:
    """Return the ``k`` examples nearest to the query over all labels, ties by id."""
    every = [
        (1 - cosine, who, label) for label, one in heard.items() for cosine, who in one.nearest
    ]
    best = sorted(every)[:k]
    return tuple(Neighbour(who, label, distance, space) for distance, who, label in best)
