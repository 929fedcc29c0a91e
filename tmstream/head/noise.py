"""Common noise: what is nearer to keys, hiss, rumble or strings than to a label is not that label.

A limit around few examples is drawn by the weakest of them, and an early look at a word hardly
differs from a key. Where noise begins, such a label ends; not so a label whose own held-out
examples are noise (rain, a ticking clock). Speaker verification calls it a cohort of impostors
(Rosenberg et al., ICSLP 1992). Ours is synthesised (`benchmarks/noises.py`); 8 examples of each of
eleven words then answered typing 0 times instead of 48 in six draws, sixty other sounds 39 times
instead of 116, and held-out words as rightly as before.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from ..core.packet import Float32
from .vote import Array, softened

#: A label more of whose held-out examples lie nearer to noise than to it is noise itself. Words lie
#: below 0.4, rain, fire and a clock between 0.5 and 1; a quarter to two fifths answered alike.
NOISY = 1 / 3


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


def noise_evidence(similarities: Float32, k: int) -> Array:
    """Return how much every query is noise, (queries,): what its ``k`` nearest rows say.

    ``similarities`` is (queries, rows).
    """
    kept = min(k, similarities.shape[1])
    return softened(np.partition(similarities, -kept, axis=1)[:, -kept:])
