"""What the head learns from: the examples of one space as arrays, with who belongs to whom.

Frames of one take, and takes of one person, are not independent. So a label's weight is shared by
its takes and a take's by its rows, and nothing is ever judged by a group that also taught it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from ..core.packet import Float32
from ..store.project import Example

Codes: TypeAlias = npt.NDArray[np.intp]
Mask: TypeAlias = npt.NDArray[np.bool_]

#: Group columns that mean "who or what was recorded", most telling first.
GROUP_COLUMNS = ("person", "speaker", "subject", "signer", "group", "fold", "session", "recording")


def group_of(example: Example, column: str | None = None) -> str:
    """Return what must never be split between teaching and testing: by default the person."""
    if column is not None:
        found = example.person if column == "person" else example.groups.get(column)
        return found or (example.take if column == "take" else "")
    if example.person:
        return f"person {example.person}"
    for name in (*GROUP_COLUMNS, *sorted(example.groups)):
        if name in example.groups and name != "take":
            return f"{name} {example.groups[name]}"
    return f"take {example.take}"


class Lesson(msgspec.Struct, frozen=True, eq=False):
    """The n taught examples of one space; ``labels[codes[i]]`` is the label of row i."""

    vectors: Float32  #: (n, d)
    labels: tuple[str, ...]
    codes: Codes
    takes: Codes  #: (n,) numbered over all labels; a take has one label
    groups: Codes
    original: Mask  #: not made by augmentation: only these may be tested
    ids: tuple[str, ...] = ()
    space: str = ""

    @property
    def weights(self) -> npt.NDArray[np.float64]:
        """Return what each row counts: labels alike, within a label its takes alike; mean 1."""
        in_take = np.bincount(self.takes)[self.takes]
        pairs = np.unique(np.stack([self.codes, self.takes]), axis=1)[0]
        takes_of_label = np.bincount(pairs, minlength=len(self.labels))[self.codes]
        weights = 1 / (in_take * takes_of_label * len(self.labels))
        return weights * (len(weights) / weights.sum())  # type: ignore[no-any-return]

    @property
    def take_count(self) -> int:
        """Return the number of takes: of independent pieces of evidence."""
        return len(np.unique(self.takes))

    def part(self, rows: Mask) -> Lesson:
        """Return the lesson of only these ``rows`` (n,)."""
        kept, codes = np.unique(self.codes[rows], return_inverse=True)
        return Lesson(
            self.vectors[rows],
            tuple(self.labels[code] for code in kept),
            codes,
            np.unique(self.takes[rows], return_inverse=True)[1],
            np.unique(self.groups[rows], return_inverse=True)[1],
            self.original[rows],
            tuple(self.ids[i] for i in np.flatnonzero(rows)) if self.ids else (),
            self.space,
        )


def lesson_of(examples: Iterable[Example], column: str | None = None) -> Lesson:
    """Return the examples of one space as a lesson; hard negatives are left to the open set.

    An augmented example belongs to the take and group of the one it was made from.
    """
    taught = sorted((one for one in examples if not one.negative), key=lambda one: one.id)
    by_id = {one.id: one for one in taught}
    parents = [by_id.get(one.augmented_from or "", one) for one in taught]
    labels, codes = coded([one.label for one in taught])
    return Lesson(
        np.stack([one.vector for one in taught]) if taught else np.zeros((0, 0), np.float32),
        labels,
        codes,
        coded([f"{one.label}\0{parent.take}" for one, parent in zip(taught, parents, strict=True)])[
            1
        ],
        coded([group_of(parent, column) for parent in parents])[1],
        np.array([one.augmented_from is None for one in taught], dtype=bool),
        tuple(by_id),
        taught[0].space if taught else "",
    )


def coded(names: Sequence[str]) -> tuple[tuple[str, ...], Codes]:
    """Return the distinct names, sorted, and each name's place among them."""
    distinct = tuple(sorted(set(names)))
    place: Mapping[str, int] = {name: i for i, name in enumerate(distinct)}
    return distinct, np.array([place[name] for name in names], dtype=np.intp)


def folds(groups: Codes, at_most: int) -> Iterator[Mask]:
    """Yield masks of rows to test, whole groups each; with few groups, one group a fold.

    Larger groups are dealt out first, always to the smallest fold, so folds come out alike.
    """
    sizes = np.bincount(groups)
    count = min(at_most, len(sizes))
    if count < 2:
        return
    fold_of_group = np.zeros(len(sizes), dtype=np.intp)
    filled = np.zeros(count)
    for group in np.argsort(-sizes, kind="stable"):
        fold_of_group[group] = int(np.argmin(filled))
        filled[fold_of_group[group]] += sizes[group]
    for fold in range(count):
        yield fold_of_group[groups] == fold
