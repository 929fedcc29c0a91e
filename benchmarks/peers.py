"""What plain kNN and logistic regression say to the same vectors, and how far one can get."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from tmstream.core.packet import Embedding, Packet

from .sets import Ints, Table

Words: TypeAlias = npt.NDArray[np.str_]

K = 5
FOLDS = 8


def peers(table: Table, taught: Ints, asked: Ints) -> dict[str, Words]:
    """Return what plain kNN and logistic regression say, by the same vectors and weights."""
    rows: list[tuple[int, Packet[Embedding], float]] = []
    for i in (*taught, *asked):
        heard = table.heard[i]
        most = max(heard.weights.values(), default=1.0) or 1.0
        rows += [
            (i, packet, (heard.weights.get(packet.data.take, most) / most) ** 0.5)
            for packet in heard.embeddings
        ]
    # Where a sample is seen in two spaces, the peers get the one with more numbers.
    sizes = {packet.data.space: len(packet.data.vector) for _, packet, _ in rows}
    best = max(sizes, key=lambda space: sizes[space])
    rows = [row for row in rows if row[1].data.space == best]
    owner = np.array([i for i, _, _ in rows])
    vectors = np.stack([packet.data.vector for _, packet, _ in rows])
    weights = np.array([weight for _, _, weight in rows])
    teaching = np.isin(owner, taught)
    labels, codes = np.unique(table.labels[owner[teaching]], return_inverse=True)
    scaler = StandardScaler().fit(vectors[teaching])
    plain = KNeighborsClassifier(min(K, int(teaching.sum())), metric="cosine", algorithm="brute")
    logistic = LogisticRegression(max_iter=400)
    said = {}
    for name, model, x in (
        ("knn", plain, vectors),
        ("logistic", logistic, scaler.transform(vectors)),
    ):
        shares = (
            model.fit(x[teaching], codes).predict_proba(x[~teaching]) * weights[~teaching, None]
        )
        total = np.zeros((len(table.labels), len(labels)))
        np.add.at(total, owner[~teaching], shares)
        said[name] = np.where(total[asked].any(axis=1), labels[total[asked].argmax(axis=1)], "")
    return said


def ceiling(table: Table) -> float:
    """Return what logistic regression gets right when all samples of all other groups teach.

    Sets without groups are dealt into folds at random.
    """
    rng = np.random.default_rng(5)
    everything = np.flatnonzero(~table.empty)
    groups = table.groups if table.grouped else rng.integers(0, FOLDS, len(table.labels))
    right: list[bool] = []
    for held_out in np.array_split(rng.permutation(np.unique(groups)), FOLDS):
        inside = np.isin(groups, held_out)
        asked = np.flatnonzero(inside)
        if len(asked):
            said = peers(table, everything[~inside[everything]], asked)["logistic"]
            right += list(said == table.labels[asked])
    return float(np.mean(right))
