"""Unit rows of many labels in one matrix, so that one product compares a query with all of them.

A label owns pages of `PAGE` rows, the last of them part-filled. Adding writes one row, removing
moves the label's last row into the hole: O(d) however many there are. Of many rows
the groups' maxima are looked at first, all labels at once; only rows that may be among a label's
best are sorted. 60 labels of 30 examples take 0.3 ms; label after label took 0.8. A long matrix is
read as 8-bit numbers, and only what may be among the best is compared in full: the answer is the
same to the last bit.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from ..core.packet import Float32
from ..maths.neighbours import similarities
from ..maths.quantised import Quantised, compile_for, pays
from .lesson import Codes

#: Up to so many rows a plain walk is quicker than sifting, above all when others have used the
#: caches since the last answer: 3 labels of 8 take 0.2 ms instead of 0.4.
FEW = 512
#: Rows of a page, which all belong to one label.
PAGE = 64
#: A page is compared in groups of 4, 8 ... 64 rows, so that a label has at least so many on the
#: average: of few it has no bound, many take their time. 20 labels of 350 take 0.15 ms, not 0.5.
GROUPS = 32
LEAST_GROUP = 4
#: Rows ranked per wanted take at first, and how many times more when they belong to too few takes.
ROWS_A_TAKE = 2
MORE_ROWS = 8
#: Similarity of rows that hold no example; below any similarity of one; between the sorting keys of
#: two labels, more than similarities differ by.
NOBODY = -3.0
LEAST = -2.0
APART = 8.0
PLACES = np.arange(PAGE)
#: Numbers rounded to 8 bits before an answer, at most: 1 ms. Until all are, the rows are read.
ROUNDED_AT_ONCE = 400_000
#: Rows are read when products may be farther off than this, which `LEAST` less is above `NOBODY`.
SURE = 0.5
#: When more than this share of the rows may be among the best, reading all in order is quicker.
MANY = 1 / 16

#: Similarity and id of an example.
Near: TypeAlias = tuple[float, str]


class Layout(NamedTuple):
    """What is known of the groups (g,) and labels (l,) until an example is added or removed."""

    size: int  #: rows of a group
    starts: Codes  #: (g,) the first row of each group
    owner: Codes  #: (g,) the code of its label
    base: npt.NDArray[np.floating]  #: (g,) what its rows' keys are counted from
    owned: Codes  #: (l,) groups of each label
    held: Codes  #: (l,) examples of each label
    vacant: Codes  #: rows without an example


class Shelf(msgspec.Struct):
    """Which pages a label owns, and how many rows of them it fills."""

    code: int
    pages: list[int] = []
    count: int = 0

    @property
    def last(self) -> int:
        """Return the row of its last example."""
        return self.pages[-1] * PAGE + (self.count - 1) % PAGE


class Rows:
    """Examples by id: a row of ``width`` numbers, a label, and the take it belongs to."""

    def __init__(self, width: int) -> None:
        self._matrix = np.zeros((PAGE, width), np.float32)
        self._similar = np.empty(PAGE, np.float32)
        self._take = np.zeros(PAGE, np.intp)
        self._filled = np.zeros(1, np.intp)  #: rows of each page that hold an example
        self._owner = np.zeros(1, np.intp)  #: code of the label each page belongs to
        self._changed = np.zeros(PAGE, np.bool_)  #: whether the row is not yet so in `_quantised`
        self._quantised = Quantised(width)
        self._pages = 0
        self._ids: list[str] = []  #: "" where there is no example
        self._row: dict[str, int] = {}
        self._takes: dict[tuple[str, str], int] = {}  #: a code for each take of each label
        self._first = np.zeros(1, np.intp)
        self._shelves: dict[str, Shelf] = {}
        self._free: list[int] = []
        self._layout: Layout | None = None

    def __len__(self) -> int:
        return len(self._row)

    def __contains__(self, name: str) -> bool:
        return name in self._row

    @property
    def labels(self) -> list[str]:
        """Return the labels that have examples, sorted."""
        return sorted(label for label, shelf in self._shelves.items() if shelf.count)

    def add(self, name: str, label: str, take: str, row: Float32) -> None:
        """Write one example; ``row`` is (width,)."""
        shelf = self._shelves.get(label)
        if shelf is None:
            shelf = self._shelves[label] = Shelf(len(self._shelves))
        if shelf.count == len(shelf.pages) * PAGE:
            shelf.pages.append(self._new_page(shelf.code))
        shelf.count += 1
        self._layout = None
        at = shelf.last
        self._matrix[at], self._ids[at] = row, name
        self._take[at] = take_code = self._takes.setdefault((label, take), len(self._takes))
        if take_code == len(self._first):
            self._first = np.zeros(2 * take_code, np.intp)
        self._filled[at // PAGE] += 1
        self._changed[at] = True
        self._row[name] = at

    def remove(self, name: str) -> None:
        """Forget an example, if it is there."""
        hole = self._row.pop(name, None)
        if hole is None:
            return
        code = self._owner[hole // PAGE]
        shelf = next(one for one in self._shelves.values() if one.code == code)
        last = shelf.last
        if last != hole:
            self._matrix[hole], self._take[hole] = self._matrix[last], self._take[last]
            self._changed[hole] = True
            self._ids[hole] = self._ids[last]
            self._row[self._ids[hole]] = hole
        self._ids[last] = ""
        self._filled[last // PAGE] -= 1
        shelf.count -= 1
        self._layout = None
        if shelf.count % PAGE == 0:
            self._free.append(shelf.pages.pop())

    def prepare(self) -> None:
        """Do before the show what makes many examples quick to compare; it may take a second."""
        if pays(self._matrix[: self._pages * PAGE]):
            compile_for(self._matrix.shape[1])
            while not self._round():
                pass

    def best(self, query: Float32, k: int) -> dict[str, list[Near]]:
        """Return for every label the best row of each of its ``k`` best takes, best first.

        ``query`` is (width,).
        """
        similar = self._similar[: self._pages * PAGE]
        if len(similar) > FEW:
            return self._sift(query, similar, k)
        return self._walk(similarities(self._matrix[: len(similar)], query, similar), k)

    def _walk(self, similar: Float32, k: int) -> dict[str, list[Near]]:
        """Look at all rows, best first."""
        names, takes, values = self._ids, self._take[: len(similar)].tolist(), similar.tolist()
        owner = self._owner[: self._pages].tolist()
        near: list[dict[int, Near]] = [{} for _ in self._shelves]
        for row in (-similar).argsort(kind="stable").tolist():
            of_label = near[owner[row // PAGE]]
            if names[row] and len(of_label) < k and takes[row] not in of_label:
                of_label[takes[row]] = (values[row], names[row])
        every = zip(self._shelves, near, strict=True)
        return {label: list(of_label.values()) for label, of_label in every if of_label}

    def _sift(self, query: Float32, similar: Float32, k: int) -> dict[str, list[Near]]:
        """Rank only rows that may be among the best, all labels at once."""
        held, error = self._laid_out().held, self._compare(query, similar)
        wanted = k * ROWS_A_TAKE
        while True:
            label, rows, least = self._candidates(similar, wanted, error)
            if error and len(rows) > MANY * len(similar):
                error = self._compare(query, similar, roughly=False)
                continue
            if error:
                similar[rows] = np.vecdot(self._matrix[rows], query)
                reach = ~(similar[rows] < least[label])
                label, rows = label[reach], rows[reach]
            order = (label * APART - similar[rows]).argsort(kind="stable")
            label, rows = label[order], rows[order]
            found = self._firsts(label, rows, k)
            takes, ranked = (np.bincount(of, minlength=len(held)) for of in (label[found], label))
            if not ((takes < k) & (ranked < held)).any():
                break
            wanted *= MORE_ROWS
        rows = rows[found]
        names = [self._ids[row] for row in rows.tolist()]
        near = list(zip(similar[rows].tolist(), names, strict=True))
        ends = takes.cumsum().tolist()
        return {
            name: near[end - count : end]
            for name, end, count in zip(self._shelves, ends, takes.tolist(), strict=True)
            if count
        }

    def _compare(self, query: Float32, similar: Float32, *, roughly: bool = True) -> float:
        """Fill ``similar`` and return how far off it may be."""
        matrix = self._matrix[: len(similar)]
        error = None
        if roughly and pays(matrix) and self._quantised.ready and self._round():
            error = self._quantised.products(query, similar)
        if error is None or error > SURE:
            error = 0.0
            similarities(matrix, query, similar)
        similar[self._laid_out().vacant] = NOBODY
        return error

    def _round(self) -> bool:
        """Round some of the rows that changed, and return whether that were all."""
        changed = self._changed[: self._pages * PAGE].nonzero()[0]
        rows = changed[: 1 + ROUNDED_AT_ONCE // self._matrix.shape[1]]
        if len(rows):
            self._quantised.write(rows, self._matrix[rows])
            self._changed[rows] = False
        return len(rows) == len(changed)

    def _laid_out(self) -> Layout:
        if self._layout is None:
            owner, filled = self._owner[: self._pages], self._filled[: self._pages]
            part = (filled < PAGE).nonzero()[0]
            page, place = (filled[part, None] <= PLACES).nonzero()
            held = np.array([shelf.count for shelf in self._shelves.values()], np.intp)
            fit = len(self._ids) // (GROUPS * len(held))
            size = min(PAGE, 1 << fit.bit_length() - 1) if fit >= LEAST_GROUP else PAGE
            owner = owner.repeat(PAGE // size)
            self._layout = Layout(
                size=size,
                starts=np.arange(len(owner)) * size,
                owner=owner,
                base=owner * APART,
                owned=np.bincount(owner, minlength=len(held)),
                held=held,
                vacant=part[page] * PAGE + place,
            )
        return self._layout

    def _new_page(self, code: int) -> int:
        if self._free:
            page = self._free.pop()
        else:
            page, self._pages = self._pages, self._pages + 1
            self._ids += [""] * PAGE
        if page == len(self._owner):
            self._matrix, self._similar, self._take, self._filled, self._owner, self._changed = (
                np.concatenate([array, np.zeros_like(array)])
                for array in (
                    self._matrix, self._similar, self._take, self._filled, self._owner,
                    self._changed,
                )
            )  # fmt: skip
        self._owner[page] = code
        return page

    def _candidates(
        self, similar: Float32, wanted: int, error: float
    ) -> tuple[Codes, Codes, Float32]:
        """Return the labels' codes and rows of what may be among the best, label after label.

        Of a label they are all, or those that reach the ``wanted``-th best of its groups' maxima:
        that is a lower bound of its ``wanted``-th best row. What is not a number is not below it.
        Third, that bound of every label. ``error`` is how far off ``similar`` may be.
        """
        layout = self._laid_out()
        owner, groups, starts = layout.owner, similar.reshape(-1, layout.size), layout.starts
        least = np.full(len(layout.held), LEAST, np.float32)
        many = layout.owned >= wanted
        if many.any():
            maxima = np.maximum.reduceat(similar, starts)
            bound = (layout.owned.cumsum() - wanted)[many]
            least[many] = maxima[(layout.base + maxima).argpartition(bound)[bound]] - error
            least = np.fmax(least, LEAST)  # of a label that held more once
            hot = (~(maxima < least[owner] - error)).nonzero()[0]
            owner, groups, starts = owner[hot], groups[hot], starts[hot]
        group, place = (~(groups < least[owner, None] - error)).nonzero()
        return owner[group], starts[group] + place, least

    def _firsts(self, label: Codes, rows: Codes, k: int) -> Codes:
        """Return where, in ranked rows, each label's first ``k`` takes have their first."""
        takes, at = self._take[rows], np.arange(len(rows))
        self._first[takes[::-1]] = at[::-1]  # of equal places the last is kept: the first row
        first = (self._first[takes] == at).nonzero()[0]
        codes = label[first]
        rank = np.arange(len(first)) - np.searchsorted(codes, codes)
        kept: Codes = first[rank < k]
        return kept
