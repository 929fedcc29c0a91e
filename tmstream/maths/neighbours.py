"""Unit rows, and how similar all of them are to one: a matrix is read once.

Which call is fastest was measured on one thread, on 2 Zen 4 cores (`benchmarks/knn.py` repeats it):
OpenBLAS' matrix-vector product wins while the matrix is in the caches, `numpy.vecdot` beyond them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..core.packet import Float32

#: Beyond this many bytes `numpy.vecdot` reads faster than `numpy.dot` (measured crossing: 4-10 MB).
CACHED_BYTES = 8_000_000
#: `numpy.vecdot` pays for every row: below this many numbers a row, `numpy.dot` is faster at any
#: size (a million x 24: 5 ms against 45).
WIDE = 64
#: Shorter vectors count as "no direction"; well above float32's smallest normal number, squared.
TINY = 1e-12


def unit_rows(rows: npt.NDArray[np.floating]) -> Float32:
    """Return ``rows`` (n, d), each scaled to length 1; a row of zeros stays zero."""
    exact = rows.astype(np.float64)
    length = np.sqrt(np.vecdot(exact, exact))
    return np.asarray(rows / np.maximum(length, TINY)[:, None], dtype=np.float32)


def similarities(matrix: Float32, query: Float32, out: Float32) -> Float32:
    """Return ``out`` (n,): every row of ``matrix`` (n, d) times ``query`` (d,)."""
    if matrix.nbytes < CACHED_BYTES or matrix.shape[1] < WIDE:
        return np.dot(matrix, query, out=out)
    return np.vecdot(matrix, query, out=out)
