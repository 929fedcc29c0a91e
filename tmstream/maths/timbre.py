"""What a sound is made of, whatever its loudness: cepstra over the course of a sound."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

COEFFICIENTS, PARTS = 19, 4
SIZE = COEFFICIENTS * (PARTS + 1)

#: What lies this far below the loudest band of the sound is the room's, not the sound's.
RANGE_DB = 50.0


def cosines(bands: int, coefficients: int) -> Float32:
    """Return the orthonormal DCT-II without its first row, float32 ``(bands, coefficients)``.

    The first coefficient is the loudness, which says how far the microphone was.
    """
    k = np.arange(1, coefficients + 1)
    table = np.cos(np.pi / bands * np.outer(np.arange(bands) + 0.5, k)) * np.sqrt(2.0 / bands)
    return np.asarray(table, np.float32)


def timbre(log_mel: Float32, table: Float32) -> Float32:
    """Return the mean MFCC of four equal parts of a sound, and their spread over the whole.

    Args:
        log_mel: float32 ``(frames, bands)`` in dB, at least one frame.
        table: from `cosines`, float32 ``(bands, 19)``.

    Returns:
        float32 ``(95,)``. A sound of fewer frames than parts says the same in each.
    """
    heard = np.maximum(log_mel, log_mel.max() - np.float32(RANGE_DB))
    cepstra = heard @ table
    parts = np.array_split(cepstra, PARTS) if len(cepstra) >= PARTS else [cepstra] * PARTS
    means = [part.mean(axis=0) for part in parts]
    return np.concatenate([*means, cepstra.std(axis=0)]).astype(np.float32)
