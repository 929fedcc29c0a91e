"""Exact cosine nearest neighbours: how to read a matrix once, and pick its best few.

Which call is fastest was measured on one thread, on 2 Zen 4 cores (`benchmarks/knn.py` repeats it):
OpenBLAS' matrix-vector product wins while the matrix is in the caches, `numpy.vecdot` beyond them,
and comparing with a threshold beats ``argpartition`` from a few hundred values on.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ..core.packet import Float32

#: Beyond this many bytes `numpy.vecdot` reads faster than `numpy.dot` (measured crossing: 4-10 MB).
CACHED_BYTES = 8_000_000
#: `numpy.vecdot` pays for every row: below this many numbers a row, `numpy.dot` is faster at any
#: size (a million x 24: 5 ms against 45).
WIDE = 64
#: Below this many values a plain sort is the fastest way to the best few.
SORTED_VALUES = 512
#: Values per group when looking for the threshold; 16-64 measured alike.
STRIDE = 32
#: Rows compared at once: their 256 KB of similarities are ranked while they are in the caches, and
#: no fresh page is asked for (10 of a million x 24: 4.3 ms, all rows at once 4.7, reading 3.2).
BLOCK_ROWS = 65_536
#: Shorter vectors count as "no direction"; well above float32's smallest normal number, squared.
TINY = 1e-12


def unit_rows(rows: npt.NDArray[np.floating]) -> Float32:
    """Return ``rows`` (n, d), each scaled to length 1; a row of zeros stays zero."""
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    return np.asarray(rows / np.maximum(length, TINY)[:, None], dtype=np.float32)


def similarities(matrix: Float32, query: Float32, bytes_read: int | None = None) -> Float32:
    """Return the dot product of every row of ``matrix`` (n, d) with ``query`` (d,), as (n,).

    ``bytes_read`` is how much one whole search reads, when ``matrix`` is just a part of it.
    """
    size = matrix.nbytes if bytes_read is None else bytes_read
    if size < CACHED_BYTES or matrix.shape[1] < WIDE:
        return np.dot(matrix, query)  # type: ignore[no-any-return]  # numpy says Any
    return np.vecdot(matrix, query)  # type: ignore[no-any-return]


def top_k(values: Float32, k: int) -> npt.NDArray[np.intp]:
    """Return the indices of the ``k`` largest values, largest first, ties by index.

    The k-th largest of the maxima of ``n / STRIDE`` groups is a lower bound of the k-th largest
    value, so only values that reach it need sorting.
    """
    count = values.shape[0]
    groups = count // STRIDE
    if count <= SORTED_VALUES or k >= groups:
        return np.asarray((-values).argsort(kind="stable")[:k])
    maxima = values[: groups * STRIDE].reshape(STRIDE, groups).max(axis=0)
    maxima.partition(groups - k)
    found: npt.NDArray[np.intp] = (values >= maxima[groups - k]).nonzero()[0]
    return found[(-values[found]).argsort(kind="stable")[:k]]


def best_of(
    compare: Callable[[slice], Float32], count: int, k: int
) -> tuple[npt.NDArray[np.intp], Float32]:
    """Return the best ``k`` of ``count`` rows and their similarities, best first, ties by row.

    ``compare(part)`` returns the similarities of a slice of the rows. All are compared; only those
    that beat the k-th best so far are ranked.
    """
    first = compare(slice(0, min(BLOCK_ROWS, count)))
    rows = top_k(first, k)
    values = first[rows]
    for start in range(BLOCK_ROWS, count, BLOCK_ROWS):
        block = compare(slice(start, min(start + BLOCK_ROWS, count)))
        better = np.flatnonzero(block > values[-1]) if len(values) == k else np.arange(len(block))
        if len(better):
            rows = np.concatenate([rows, better + start])
            values = np.concatenate([values, block[better]])
            order = top_k(values, k)
            rows, values = rows[order], values[order]
    return rows, values


def nearest(matrix: Float32, query: Float32, k: int) -> tuple[npt.NDArray[np.intp], Float32]:
    """Return the rows of ``matrix`` most similar to ``query``, and their cosines, best first.

    ``matrix`` holds unit rows (n, d); ``query`` is a unit vector (d,).
    """
    size = matrix.nbytes
    return best_of(lambda part: similarities(matrix[part], query, size), len(matrix), k)
