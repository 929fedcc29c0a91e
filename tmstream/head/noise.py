"""Common noise: what is nearer to keys, hiss, rumble or strings than to a label is not that label.

A limit around few examples is drawn by the weakest of them, and an early look at a word hardly
differs from a key. Where noise begins, such a label ends; but no noise counts against a label that
would turn away one of its own held-out takes altogether (a knock for claps, hiss for rain). Speaker
verification calls it a cohort of impostors (Rosenberg et al., ICSLP 1992). Ours is synthesised
(`benchmarks/noises.py`); 8 examples of each of eleven words then answered typing 0 times instead of
48 in six draws, sixty other sounds 39 times instead of 116, held-out words as rightly as before.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..core.packet import Float32
from .openset import OPPOSITE
from .vote import Array, softened

#: How near common noise must be, beside a label, to be believed. With 1 some who clap are turned
#: away (their claps resemble knocks by a hundredth), below 0.85 keys begin to be heard as words.
NOISE_NEARER = 0.9


def shipped(space: str) -> Path:
    """Return where the noise of a space is kept, if there is any."""
    return Path(__file__).with_name(f"noise_{space}.npy")


@lru_cache(maxsize=8)
def noise_of(space: str, dimensions: int) -> Float32 | None:
    """Return common noise (n, d) as embedded in this space; None when there is none that fits."""
    path = shipped(space)
    if not path.is_file():
        return None
    rows: Float32 = np.load(path).astype(np.float32)
    return rows if rows.shape[1] == dimensions else None


def noise_begins(similarities: Float32, k: int, alike: Sequence[int] = ()) -> Array:
    """Return how far a label may lie from each query before it is rather noise, (queries,).

    ``similarities`` is (queries, rows): the ``k`` nearest speak, but for those ``alike``.
    """
    counted = np.delete(similarities, alike, axis=1) if len(alike) else similarities
    if not counted.shape[1]:
        return np.full(len(counted), OPPOSITE)
    kept = min(k, counted.shape[1])
    return (1 - softened(np.partition(counted, -kept, axis=1)[:, -kept:])) / NOISE_NEARER
