"""Remakes ``tmstream/embed/audio_scale.npy``: mean and spread of every number of an audio vector.

Taken over the labelled recordings (`TMSTREAM_DATA`), each set with the same say, so that neither
words nor noises set the measure. ``python -m benchmarks.fit_audio_scale``
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from tmstream.core.packet import Audio, Embedding, Packet
from tmstream.embed.audio import SCALE, WEIGHTS, AudioEmbedding
from tmstream.embed.listeners import Events, Phones, Words
from tmstream.maths.timbre import SIZE
from tmstream.testing import feed, opened

DATA = Path(os.environ.get("TMSTREAM_DATA", Path(__file__).resolve().parents[2] / "shared/data"))
#: Of the middle one of its listener: less would be noise, magnified.
LEAST_SPREAD = 0.2
SETS = ("spoken_digits", "speech_commands_mini", "env_sounds_esc10", "surface_taps")


def vectors(path: Path) -> Iterator[np.ndarray]:
    """Yield the vectors of a recording as they are before scaling."""
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    node = opened(AudioEmbedding())
    node._scale = np.array([[0.0], [1.0]], np.float32)
    tail = np.zeros((rate_hz // 2, samples.shape[1]), np.float32)
    for made in feed(node, Packet(0, Audio(np.concatenate([samples, tail]), rate_hz))):
        if isinstance(made.data, Embedding):
            yield made.data.vector


def main() -> None:
    means, squares = [], []
    for name in SETS:
        paths = sorted(p for p in (DATA / name).rglob("*") if p.suffix in {".wav", ".flac", ".ogg"})
        paths = paths[::2] if len(paths) > 10 else paths
        found = np.array([v for path in paths for v in vectors(path)], np.float64)
        print(f"{name}: {len(found)} vectors of {len(paths)} recordings")
        means.append(found.mean(axis=0))
        squares.append((found**2).mean(axis=0))
    mean = np.mean(means, axis=0)
    spread = np.sqrt(np.mean(squares, axis=0) - mean**2)
    at = 0
    for size, weight in zip((Words.size, Phones.size, Events.size, SIZE), WEIGHTS, strict=True):
        part = spread[at : at + size]
        # Each listener's part of a typical vector has its weight as length.
        part[:] = np.maximum(part, LEAST_SPREAD * np.median(part)) * np.sqrt(size) / weight
        at += size
    np.save(SCALE, np.stack([mean, spread]).astype(np.float32))
    print(f"wrote {SCALE}")


if __name__ == "__main__":
    main()
