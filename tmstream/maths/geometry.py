"""The shapes that landmarks make: boxes, lengths, angles; and which landmark is which."""

from __future__ import annotations

import numpy as np

from ..core.packet import Float32

# Indices of the 33 body points that are used by name (MediaPipe's order).
NOSE = 0
EYES = (2, 5)
EARS = (7, 8)
MOUTH = (9, 10)
SHOULDERS, ELBOWS, WRISTS = (11, 12), (13, 14), (15, 16)
INDEXES = (19, 20)
HIPS, KNEES, ANKLES = (23, 24), (25, 26), (27, 28)

#: Left and right of each pair of body points; the nose stands alone.
BODY_PAIRS = (
    *((1, 4), (2, 5), (3, 6), (7, 8), (9, 10)),
    *((n, n + 1) for n in range(11, 33, 2)),
)

#: Wrist, then four points of thumb, index, middle, ring and little finger, base first.
HAND_FINGERS = tuple(tuple(range(base, base + 4)) for base in (1, 5, 9, 13, 17))


def square(points: Float32, aspect: float) -> Float32:
    """Return x, y, z (n, 3) in one unit, the picture's height."""
    return (points[:, :3] * np.array([aspect, 1.0, aspect], np.float32)).astype(np.float32)


def visible(points: Float32, least: float = 0.5) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which points (n, 4) are seen and inside the picture."""
    x, y = points[:, 0], points[:, 1]
    seen: np.ndarray[tuple[int], np.dtype[np.bool_]] = (
        (points[:, 3] >= least) & (x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)
    )
    return seen


def box_of(points: Float32, aspect: float) -> tuple[float, float, float, float]:
    """Return (left, top, right, bottom) around points (n, >= 2), x in units of the height."""
    x, y = points[:, 0] * aspect, points[:, 1]
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def middle(points: Float32, pair: tuple[int, int]) -> Float32:
    """Return the point halfway between two."""
    return np.asarray((points[pair[0]] + points[pair[1]]) / np.float32(2))


def length(vectors: Float32) -> Float32:
    """Return the Euclidean length along the last axis."""
    return np.asarray(np.sqrt(np.sum(vectors * vectors, axis=-1)))


def unit(vectors: Float32) -> Float32:
    """Return vectors of length 1 along the last axis; nothing stays nothing."""
    return np.asarray(vectors / np.maximum(length(vectors)[..., None], 1e-6), vectors.dtype)


def angles(ones: Float32, joints: Float32, others: Float32) -> Float32:
    """Return the angles at ``joints`` between two points each, (n,) from rows (n, 2 or 3).

    0 (folded) to pi (straight), in radians.
    """
    cosines = (unit(ones - joints) * unit(others - joints)).sum(axis=-1)
    return np.asarray(np.arccos(np.clip(cosines, -1.0, 1.0)))
