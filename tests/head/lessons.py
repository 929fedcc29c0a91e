"""Made-up examples for the head's tests."""

from __future__ import annotations

import numpy as np

from tmstream.core.packet import Embedding, Packet
from tmstream.store.project import NewExample

CENTRES = np.random.default_rng(11).normal(size=(6, 24)).astype(np.float32) * 2
LABELS = ("clap", "snap", "hum", "whistle", "stamp", "hiss")


def vector(label: int, seed: int, spread: float = 1.0) -> np.ndarray:
    noise = np.random.default_rng(seed * 100 + label).normal(size=24)
    return (CENTRES[label] + spread * noise).astype(np.float32)


def taught(
    labels: int = 3, takes: int = 6, space: str = "audio", people: int = 0, seed: int = 0
) -> list[NewExample]:
    """``takes`` examples of each label, ids in order; with ``people``, takes go round among them."""
    return [
        NewExample(
            LABELS[label], space, vector(label, seed + i), f"{LABELS[label]} {i}",
            person=f"p{i % people}" if people else None, id=f"{space}-{label}-{i:03d}",
        )
        for label in range(labels) for i in range(takes)
    ]  # fmt: skip


def heard(
    data: np.ndarray, t_us: int = 0, *, space: str = "audio", subject: str | None = None,
    length_us: int = 10_000, **more: object,
) -> Packet[Embedding]:  # fmt: skip
    return Packet(t_us, Embedding(data, space, t_us + length_us, subject, **more))  # type: ignore[arg-type]
