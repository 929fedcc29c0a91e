"""What the examples of one space say of a query.

A bank belongs to one thread; a refit builds a new one.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

import msgspec
import numpy as np

from ..core.packet import Float32, Neighbour
from .learn import Fit
from .noise import noise_begins, noise_of
from .openset import OPPOSITE
from .rows import Near, Rows
from .vote import shares, softened_one


class Heard(msgspec.Struct, frozen=True):
    """What one label's examples say about a query."""

    evidence: float
    blocked: bool  #: a "that was wrong" lies nearer than any example
    nearest: tuple[Near, ...]  #: (similarity, id) of the takes that spoke
    noise: float = OPPOSITE  #: where common noise begins, if the label is told from it

    @property
    def distance(self) -> float:
        """Return how far the label is: 0 to 2."""
        return 1 - self.evidence


class Bank:
    """The examples of every label, and beside them what is known not to be it."""

    def __init__(self, fit: Fit) -> None:
        self.fit = fit
        width = sum(view.dimensions for view in fit.views)
        self._examples, self._wrong = Rows(width), Rows(width)
        noise = noise_of(fit.space, len(fit.views[0].mean)) if fit.alike else None
        self._noise = None if noise is None else self._mapped(noise)
        self._shares = np.repeat(
            shares(len(fit.views)), [view.dimensions for view in fit.views]
        ).astype(np.float32)

    def __len__(self) -> int:
        return len(self._examples) + len(self._wrong)

    def __contains__(self, name: str) -> bool:
        return name in self._examples or name in self._wrong

    @property
    def labels(self) -> list[str]:
        """Return the labels that have examples, sorted."""
        return self._examples.labels

    def add(self, ids: Sequence[str], labels: Sequence[str], takes: Sequence[str],
            vectors: Float32, negatives: Sequence[bool]) -> None:  # fmt: skip
        """Add examples, ``vectors`` (n, d) as embedded; an id that is there is left as it is."""
        rows = self._mapped(vectors)
        for i, name in enumerate(ids):
            if name not in self:
                kind = self._wrong if negatives[i] else self._examples
                kind.add(name, labels[i], takes[i], rows[i])

    def remove(self, name: str) -> None:
        """Forget an example, if it is there."""
        self._examples.remove(name)
        self._wrong.remove(name)

    def prepare(self) -> None:
        """Do before the show what makes many examples quick to ask; it may take a second."""
        self._examples.prepare()
        self._wrong.prepare()

    def ask(
        self, vector: Float32, k: int, labels: Container[str] | None = None
    ) -> dict[str, Heard]:
        """Return what every label (of ``labels``) hears in ``vector`` (d,), exactly."""
        if not len(self._examples):
            return {}
        query = self._mapped(vector[None])[0] * self._shares
        noise = self._noise_begins(query, k)
        wrong = self._wrong.best(query, 1) if len(self._wrong) else {}
        answers = {}
        for label, near in self._examples.best(query, k).items():
            if labels is None or label in labels:
                answers[label] = Heard(
                    softened_one([similarity for similarity, _ in near]),
                    label in wrong and wrong[label][0][0] >= near[0][0],
                    tuple(near),
                    noise.get(self.fit.alike.get(label), OPPOSITE),
                )
        return answers

    def _noise_begins(self, query: Float32, k: int) -> dict[tuple[int, ...] | None, float]:
        """Return where noise begins for labels that these rows of it are alike."""
        if self._noise is None:
            return {}
        similar = (self._noise @ query)[None]
        kinds = set(self.fit.alike.values())
        return {alike: float(noise_begins(similar, k, alike)[0]) for alike in kinds}

    def _mapped(self, vectors: Float32) -> Float32:
        """Return ``vectors`` (n, d) in every view, side by side."""
        return np.concatenate([view.apply(vectors) for view in self.fit.views], axis=1)


def receipts(heard: dict[str, Heard], space: str, k: int) -> tuple[Neighbour, ...]:
    """Return the ``k`` examples nearest to the query over all labels, ties by id."""
    every = [
        (1 - cosine, who, label) for label, one in heard.items() for cosine, who in one.nearest
    ]
    best = sorted(every)[:k]
    return tuple(Neighbour(who, label, distance, space) for distance, who, label in best)
