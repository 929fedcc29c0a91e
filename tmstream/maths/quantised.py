"""Rows rounded to 8 bits: a query reads a quarter of their bytes, and how wrong it is has a bound.

A row is ``step * integers`` with integers from -127 to 127, the query the same in 16 bits
(symmetric linear quantisation). What rounding took from a row is multiplied by the query, and what
it took from the query by the rounded row; so by Cauchy and Schwarz a product is off by no more than
the products of their lengths. Whoever asks compares in full what lies within that of an answer.

No array library multiplies 8-bit rows at the speed of the memory, so Numba compiles the loop on the
spot: 100,000 x 96 take 0.3 ms where `numpy.vecdot` takes 1.3 in float32.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ..core.packet import Float32

log = logging.getLogger(__name__)

Int8: TypeAlias = npt.NDArray[np.int8]
Int16: TypeAlias = npt.NDArray[np.int16]
Product: TypeAlias = Callable[[Int8, Float32, Int16, np.float32, Float32], None]

LARGEST = 127
#: Largest integer of a query, unless sums over a wide row could leave 32 bits.
LARGEST_OF_QUERY = 32767
#: Of the product of both lengths, more than float32 rounds off in sums of some thousand numbers.
ROUNDED_OFF = 1e-5
#: Rows are filled up with zeros to a multiple of a register's bytes.
BLOCK = 32
#: Reading fewer bytes takes less than a millisecond: not worth the 0.6 s and the 100 MB of the
#: compiler. Narrower rows gain little; in wider ones a few numbers are large, and so is the bound:
#: of 3,000 numbers of real sounds or pictures, half of the rows lie within it.
PAYS_BYTES = 30_000_000
PAYS_WIDTH = range(64, 513)
SIGNATURE = "void(i1[:,::1], f4[::1], i2[::1], f4, f4[::1])"


def pays(matrix: Float32) -> bool:
    """Tell whether ``matrix`` (n, d) is worth a rounded copy."""
    return matrix.nbytes >= PAYS_BYTES and matrix.shape[1] in PAYS_WIDTH


def product_of(width: int) -> Product:
    """Return the product of rows (n, width) and a query, to be compiled.

    The width is a constant of the machine code, which is twice as fast as one for any width.
    """

    def product(rows: Int8, steps: Float32, query: Int16, step: np.float32, out: Float32) -> None:
        for i in range(len(rows)):
            total = np.int32(0)
            for j in range(width):  # uncast, Numba counts in 64 bits: a third as fast
                total = np.int32(total + np.int32(np.int32(rows[i, j]) * np.int32(query[j])))
            out[i] = total * steps[i] * step

    return product


_products: dict[int, Product | None] = {}


def compile_for(width: int) -> None:
    """Compile for rows of ``width`` numbers, in less than a second.

    The first time holds the interpreter's lock for up to 60 ms: not beside a show. When it fails,
    which is told, answers come more slowly and are the same.
    """
    width = filled_up(width)
    if width in _products:
        return
    try:
        import numba

        plain = product_of(width)
        _products[width] = product = numba.njit(SIGNATURE)(plain)
        if product is plain:
            raise RuntimeError("NUMBA_DISABLE_JIT is set")
    except Exception as error:  # noqa: BLE001 - whatever another Numba finds wrong
        log.warning("votes over many examples stay slow: %s", error)
        _products[width] = None


def compiler_loaded() -> bool:
    """Tell whether compiling for another width delays nobody."""
    return bool(_products)


def filled_up(width: int) -> int:
    """Return how long the rows of ``width`` numbers are kept."""
    return -(-width // BLOCK) * BLOCK


class Quantised:
    """Rows of ``width`` numbers, rounded."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._rows = np.zeros((0, filled_up(width)), np.int8)
        self._steps = np.zeros(0, np.float32)
        self._lost = self._length = 0.0  #: at most, of any row that was ever here

    @property
    def ready(self) -> bool:
        """Whether `products` is compiled."""
        return _products.get(self._rows.shape[1]) is not None

    def write(self, at: npt.NDArray[np.intp], rows: Float32) -> None:
        """Round ``rows`` (n, d) and put them where ``at`` (n,) says."""
        if (needed := int(at.max()) + 1) > len(self._rows):
            more = max(needed, 2 * len(self._rows)) - len(self._rows)
            self._rows = np.pad(self._rows, ((0, more), (0, 0)))
            self._steps = np.pad(self._steps, (0, more))
        with np.errstate(invalid="ignore"):  # what is no number makes the bound none
            integers, steps = rounded(rows, LARGEST)
            self._rows[at, : self._width], self._steps[at] = integers, steps
            lost = lengths(rows - integers * steps[:, None])
            self._lost = float(np.maximum(self._lost, lost.max()))
            self._length = float(np.maximum(self._length, lengths(rows).max()))

    def products(self, query: Float32, out: Float32) -> float | None:
        """Fill ``out`` (n,) with the first rows' products and return how far off they may be.

        Rows that were never written are zeros.
        None for what is not a number; ``out`` is then left alone. To be called when `ready`.
        """
        width = self._rows.shape[1]
        product = _products.get(width)
        assert product is not None
        largest = min(LARGEST_OF_QUERY, (2**31 - 1) // (LARGEST * width))
        with np.errstate(invalid="ignore"):
            integers, (step,) = rounded(query[None], largest)
            missed = lengths(query - integers * step)[0]
            length = lengths(query[None])[0]
            error = (self._lost + ROUNDED_OFF * self._length) * length
            error += (self._length + self._lost) * missed
        if not np.isfinite(error):
            return None
        wide = np.zeros(width, np.int16)
        wide[: self._width] = integers
        written = self._rows[: len(out)]
        product(written, self._steps[: len(written)], wide, step, out)
        out[len(written) :] = 0
        return float(error)


def rounded(rows: Float32, largest: int) -> tuple[Float32, Float32]:
    """Return whole numbers (n, d) up to ``largest``, and what one of them is worth (n,)."""
    steps = np.abs(rows).max(axis=1) / np.float32(largest)
    steps[steps == 0] = 1
    return np.rint(rows / steps[:, None]), steps


def lengths(rows: Float32) -> npt.NDArray[np.float64]:
    """Return the length of every row; in float32 squares of small numbers would be lost."""
    exact = rows.astype(np.float64)
    return np.asarray(np.sqrt(np.vecdot(exact, exact)))
