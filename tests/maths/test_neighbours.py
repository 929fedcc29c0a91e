"""Unit rows and their similarities, both ways."""

from __future__ import annotations

import numpy as np
import pytest

from tmstream.maths import neighbours
from tmstream.maths.neighbours import similarities, unit_rows


def test_both_ways_to_multiply_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    matrix = rng.normal(size=(500, 96)).astype(np.float32)
    query = rng.normal(size=96).astype(np.float32)
    exact = matrix.astype(np.float64) @ query
    for cached_bytes in (0, 10**9):
        monkeypatch.setattr(neighbours, "CACHED_BYTES", cached_bytes)
        found = np.zeros(500, np.float32)
        assert similarities(matrix, query, found) is found
        np.testing.assert_allclose(found, exact, rtol=1e-4, atol=1e-4)


def test_a_row_of_zeros_has_no_direction() -> None:
    assert unit_rows(np.zeros((2, 3), np.float32)).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_large_numbers_do_not_overflow() -> None:
    rows = unit_rows(np.full((1, 4), 1e14, np.float32))
    np.testing.assert_allclose(rows, 0.5, rtol=1e-6)
