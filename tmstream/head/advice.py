"""What a judgement advises: what to teach next, in words and as data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec
import numpy as np

from ..core.words import counted
from .lesson import Lesson

#: Two labels overlap when this share of their examples is taken for the other.
OVERLAP = 0.12
#: A label recognised less often than this is weak, whatever it is taken for.
WEAK = 0.75
#: Held-out groups recognised this much worse than known ones: too few different people or rooms.
GAP = 0.15
ENOUGH_TAKES = 5


class Advice(msgspec.Struct, frozen=True):
    """One thing to do about a space: ``what`` is the matter, and the ``remedy``."""

    kind: Literal[
        "empty", "one_label", "untested", "overlap", "few", "turned_away", "weak", "one_group",
        "gap",
    ]  # fmt: skip
    what: str
    remedy: str
    labels: list[str] = []  #: whom it concerns; the one to teach first
    space: str = ""

    def __str__(self) -> str:
        space = f"{self.space}: " if self.space else ""
        return f"{space}{self.what}: {self.remedy}"


NOTHING = Advice("empty", "nothing was taught yet", "record a label, or `tmstream teach` a folder")


def advise(lesson: Lesson, report: dict[str, Any], none: str) -> list[Advice]:
    """Return what to do, most useful first; ``none`` is what "none of the above" is called."""
    labels, matrix = list(lesson.labels), np.array(report["confusion"]["matrix"])
    found = [*_of_all(labels, report), *_overlaps(labels, matrix)]
    overlapping = {label for one in found if one.kind == "overlap" for label in one.labels}
    np.fill_diagonal(matrix, -1)
    mostly = [[*labels, none][at] for at in matrix.argmax(axis=1)]
    for (label, one), other in zip(report["labels"].items(), mostly, strict=True):
        found += _of_label(label, one, other, overlaps=label in overlapping)
    found += _of_groups(report)
    return [msgspec.structs.replace(one, space=lesson.space) for one in found]


def _of_all(labels: list[str], report: dict[str, Any]) -> Iterator[Advice]:
    """Yield what makes the judgement say little, or nothing."""
    if len(labels) == 1:
        yield Advice(
            "one_label", f"{labels[0]} is the only label",
            "teach another: so far there is nothing to take it for", labels,
        )  # fmt: skip
    if not report["tested"]:
        yield Advice(
            "untested", "no take could be held out to be asked about",
            "teach every label at least twice",
        )  # fmt: skip


def _of_label(label: str, one: dict[str, Any], mostly: str, *, overlaps: bool) -> Iterator[Advice]:
    """Yield what one label lacks most: takes, to be accepted, or to be told from others."""
    if one["takes"] < ENOUGH_TAKES:
        yield Advice(
            "few", f"{label} has {counted(one['takes'], 'take')}",
            f"teach {ENOUGH_TAKES - one['takes']} more", [label],
        )  # fmt: skip
    elif one["rejected"] is not None and one["rejected"] > GAP:
        yield Advice(
            "turned_away", f"{label} is turned away {one['rejected']:.0%} of the time",
            "teach it more variously, or lower the strictness", [label],
        )  # fmt: skip
    elif one["recall"] is not None and one["recall"] < WEAK and not overlaps:
        yield Advice(
            "weak",
            f"{label} is recognised {one['recall']:.0%} of the time, else mostly {mostly}",
            f"teach {ENOUGH_TAKES - 1} more of {label}", [label],
        )  # fmt: skip


def _of_groups(report: dict[str, Any]) -> Iterator[Advice]:
    """Yield what the judgement of others than those who taught says."""
    if report["groups"] < 2:
        yield Advice(
            "one_group", "all of it is of one person or group",
            "judged by other takes of the same; others may be recognised less, so let somebody "
            "else teach too",
        )  # fmt: skip
    known, held_out = report["known_groups_accuracy"], report["accuracy"]
    if known is not None and held_out is not None and known - held_out > GAP:
        yield Advice(
            "gap",
            f"people or takes that taught are recognised {known:.0%}, others {held_out:.0%}",
            "teach with more different ones",
        )


def _overlaps(labels: list[str], matrix: np.ndarray) -> Iterator[Advice]:
    """Yield the pairs of labels that are taken for one another."""
    for a in range(len(labels)):
        for b in range(a + 1, len(labels)):
            mixed_up = int(matrix[a, b] + matrix[b, a])
            tested = int(matrix[a].sum() + matrix[b].sum())
            if mixed_up >= 2 and mixed_up > OVERLAP * tested:
                pair = [labels[a], labels[b]]
                weak, other = pair if matrix[a, b] >= matrix[b, a] else pair[::-1]
                yield Advice(
                    "overlap",
                    f"{labels[a]} and {labels[b]} overlap ({mixed_up} of {tested} confused)",
                    f"teach {ENOUGH_TAKES - 1} more of {weak}",
                    [weak, other],
                )
