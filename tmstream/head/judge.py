"""Judge a project by examples that did not teach it: pure functions over stored vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np

from ..core.packet import Float32
from ..store.project import Example
from .advice import NOTHING, Advice, advise
from .learn import Fit, compared, learn, noise_in
from .lesson import Codes, Lesson, Mask, folds, lesson_of
from .noise import noise_begins
from .openset import OPPOSITE, area
from .state import by_space
from .vote import Array, confidence, evidence

#: Held-out groups at a time; with more groups than this they are dealt into this many folds.
MAX_FOLDS = 10
#: Whole labels that are left out to play the stranger.
MAX_STRANGERS = 12
#: Column of the confusion matrix for "none of the above".
NONE = "(none)"

Learn: TypeAlias = Callable[[Lesson, int], Fit]
Progress: TypeAlias = Callable[[int, int], object]


class Answers:
    """What a taught lesson says to ``vectors``: winner per row (-1: none), distance over limit."""

    def __init__(self, fit: Fit, taught: Lesson, vectors: Float32, k: int, strictness: float,
                 hidden: Mask | None = None) -> None:  # fmt: skip
        cosines = compared(fit.views, vectors, taught.vectors)
        if hidden is not None:
            cosines = np.where(hidden, np.float32(-2), cosines)
        evidences = evidence(cosines, taught.codes, taught.takes, k)
        won = evidences.argmax(axis=1)
        rows = np.arange(len(won))
        distance = 1 - evidences[rows, won]
        begins, noise = np.full(len(won), OPPOSITE), noise_in(taught, fit.views, vectors)
        for code, label in enumerate(taught.labels):
            if label in fit.alike:
                own = won == code
                begins[own] = noise_begins(noise[own], k, fit.alike[label])
        winners = [taught.labels[code] for code in won]
        limits = [
            fit.limits[label].within(at).at(strictness)
            for label, at in zip(winners, begins.tolist(), strict=True)
        ]
        self.shares: Array = confidence(evidences, fit.sharpness)
        self.voted: Codes = won
        self.excess: Array = distance / np.array(limits)
        self.label: Codes = np.where(self.excess <= 1, won, -1)


def judge(
    examples: Iterable[Example],
    k: int = 5,
    group: str | None = None,
    strictness: float = 0.5,
    learned: Learn = learn,
    progress: Progress = lambda done, total: None,
) -> dict[str, Any]:
    """Return the judgement of every space and advice in words, as plain data.

    ``group`` names the column that is never split between teaching and testing; by default the
    person (or speaker, fold ...), else the take. ``learned`` fits a lesson; ``progress`` is told
    how many of how many are fitted, before each: what it raises ends the judgement.
    """
    lessons = [lesson_of(taught, group) for taught in by_space(examples).values()]
    lessons = [lesson for lesson in lessons if len(lesson.codes)]
    total, done = sum(map(_fits, lessons)), 0

    def counted(lesson: Lesson, k: int) -> Fit:
        nonlocal done
        progress(done, total)
        done += 1
        return learned(lesson, k)

    spaces: dict[str, Any] = {}
    advice: list[Advice] = [] if lessons else [NOTHING]
    for lesson in lessons:
        report = spaces[lesson.space] = judge_lesson(lesson, k, strictness, counted)
        advice += advise(lesson, report, NONE)
    progress(total, total)
    return {
        "k": k,
        "strictness": strictness,
        "group": group,
        "spaces": spaces,
        "advice": [str(one) for one in advice],
        "advised": msgspec.to_builtins(advice),
    }


def judge_lesson(
    lesson: Lesson, k: int, strictness: float, learned: Learn = learn
) -> dict[str, Any]:
    """Return confusion matrix, precision and recall per label, open-set rates and the gap."""
    labels = list(lesson.labels)
    matrix = np.zeros((len(labels), len(labels) + 1), dtype=int)
    tested = 0
    for held_out in folds(_apart(lesson), MAX_FOLDS):
        asked = held_out & lesson.original & np.isin(lesson.codes, lesson.codes[~held_out])
        if not asked.any():
            continue
        part = lesson.part(~held_out)
        known = np.unique(lesson.codes[~held_out])
        said = Answers(learned(part, k), part, lesson.vectors[asked], k, strictness)
        told = np.where(said.label >= 0, known[said.label], len(labels))
        np.add.at(matrix, (lesson.codes[asked], told), 1)
        tested += int(asked.sum())
    fit = learned(lesson, k)
    right = int(np.trace(matrix[:, : len(labels)]))
    return {
        "examples": len(lesson.codes),
        "takes": lesson.take_count,
        "groups": len(np.unique(lesson.groups)),
        "tested": tested,
        "accuracy": right / tested if tested else None,
        "known_groups_accuracy": _known(lesson, fit, k, strictness),
        "confusion": {
            "labels": labels,
            "answers": [*labels, NONE],
            "matrix": matrix.tolist(),
        },
        "labels": _per_label(labels, matrix, lesson),
        "open_set": _open_set(lesson, k, strictness, learned),
    }


def _fits(lesson: Lesson) -> int:
    """Return how often a lesson is fitted at most: a fold, the whole, a stranger at a time."""
    folded = sum(1 for _ in folds(_apart(lesson), MAX_FOLDS))
    labels = len(lesson.labels)
    return folded + 1 + (min(labels, MAX_STRANGERS) if labels > 1 else 0)


def _apart(lesson: Lesson) -> Codes:
    """Return what is held out together: the groups, or the takes of a single group."""
    return lesson.groups if len(np.unique(lesson.groups)) > 1 else lesson.takes


def _known(lesson: Lesson, fit: Fit, k: int, strictness: float) -> float | None:
    """Accuracy on takes of known groups: each row asks all the others, but not its own take."""
    several = np.array([len(set(lesson.takes[lesson.codes == code])) > 1 for code in lesson.codes])
    asked = np.flatnonzero(lesson.original & several)
    if not len(asked):
        return None
    hidden = lesson.takes[asked][:, None] == lesson.takes[None, :]
    said = Answers(fit, lesson, lesson.vectors[asked], k, strictness, hidden)
    return float((said.label == lesson.codes[asked]).mean())


def _per_label(labels: Sequence[str], matrix: np.ndarray, lesson: Lesson) -> dict[str, Any]:
    found = {}
    for code, label in enumerate(labels):
        own = lesson.codes == code
        right, told, tested = matrix[code, code], matrix[:, code].sum(), matrix[code].sum()
        found[label] = {
            "examples": int(own.sum()),
            "takes": len(np.unique(lesson.takes[own])),
            "groups": len(np.unique(lesson.groups[own])),
            "tested": int(tested),
            "precision": float(right / told) if told else None,
            "recall": float(right / tested) if tested else None,
            "rejected": float(matrix[code, -1] / tested) if tested else None,
        }
    return found


def _open_set(lesson: Lesson, k: int, strictness: float, learned: Learn) -> dict[str, Any] | None:
    """Leave labels out in turn and show them, beside held-out groups of the others."""
    count = len(lesson.labels)
    if count < 2:
        return None
    members: list[Array] = []
    strangers: list[Array] = []
    fold = next(iter(folds(_apart(lesson), MAX_FOLDS)), np.zeros(len(lesson.codes), dtype=bool))
    for code in np.unique(np.linspace(0, count - 1, min(count, MAX_STRANGERS)).astype(int)):
        stranger = lesson.codes == code
        taught = ~stranger & ~fold
        if not taught.any():
            continue
        part = lesson.part(taught)
        fit = learned(part, k)
        strangers.append(
            Answers(fit, part, lesson.vectors[stranger & lesson.original], k, strictness).excess
        )
        known = np.unique(lesson.codes[taught])
        asked = fold & ~stranger & lesson.original & np.isin(lesson.codes, known)
        if asked.any():
            said = Answers(fit, part, lesson.vectors[asked], k, strictness)
            members.append(said.excess[known[said.voted] == lesson.codes[asked]])
    near = np.concatenate(members) if members else np.zeros(0)
    far = np.concatenate(strangers) if strangers else np.zeros(0)
    if not len(near) or not len(far):
        return None
    return {
        "area": area(near, far),
        "strangers_rejected": float((far > 1).mean()),
        "members_lost": float((near > 1).mean()),
    }
