"""Exactness: whatever the size and the method, the answer is float64 brute force's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from tmstream.maths import neighbours
from tmstream.maths.neighbours import best_of, nearest, similarities, top_k, unit_rows


@given(
    rows=st.integers(1, 3000), dimensions=st.integers(1, 40), k=st.integers(1, 60),
    seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_nearest_is_brute_force_in_float64(rows: int, dimensions: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = unit_rows(rng.normal(size=(rows, dimensions)))
    query = unit_rows(rng.normal(size=(1, dimensions)))[0]
    found, cosines = nearest(matrix, query, k)
    exact = matrix.astype(np.float64) @ query.astype(np.float64)
    best = np.sort(exact)[::-1][:k]
    assert len(found) == min(k, rows)
    assert len(set(found.tolist())) == len(found)
    np.testing.assert_allclose(exact[found], best, atol=3e-6)
    np.testing.assert_allclose(cosines, best, atol=3e-6)


@given(
    values=st.lists(st.sampled_from([-1.0, 0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=2500),
    k=st.integers(1, 40),
)
def test_ties_go_to_the_earlier_row(values: list[float], k: int) -> None:
    array = np.array(values, np.float32)
    wanted = sorted(range(len(values)), key=lambda i: (-values[i], i))[:k]
    assert top_k(array, k).tolist() == wanted


@given(
    values=st.lists(st.sampled_from([-1.0, 0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=300),
    k=st.integers(1, 40),
    block=st.integers(1, 50),
)
def test_block_by_block_the_best_are_the_same(values: list[float], k: int, block: int) -> None:
    array = np.array(values, np.float32)
    wanted = sorted(range(len(values)), key=lambda i: (-values[i], i))[:k]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "BLOCK_ROWS", block)
        rows, best = best_of(lambda part: array[part], len(array), k)
    assert rows.tolist() == wanted
    assert best.tolist() == [values[row] for row in wanted]


def test_the_threshold_way_is_taken_and_right(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(3).normal(size=20_000).astype(np.float32)
    quick = top_k(values, 7)
    monkeypatch.setattr(neighbours, "SORTED_VALUES", 10**9)
    assert quick.tolist() == top_k(values, 7).tolist()


def test_both_ways_to_multiply_agree() -> None:
    rng = np.random.default_rng(4)
    matrix = rng.normal(size=(500, 96)).astype(np.float32)
    query = rng.normal(size=96).astype(np.float32)
    small, large = similarities(matrix, query, 1), similarities(matrix, query, 10**9)
    np.testing.assert_allclose(small, large, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(small, matrix @ query, rtol=1e-5)


def test_scikit_learn_finds_the_same_neighbours() -> None:
    rng = np.random.default_rng(5)
    rows, queries = rng.normal(size=(4000, 96)), rng.normal(size=(20, 96))
    oracle = NearestNeighbors(n_neighbors=9, algorithm="brute", metric="cosine").fit(rows)
    _, wanted = oracle.kneighbors(queries)
    matrix = unit_rows(rows)
    for query, right in zip(unit_rows(queries), wanted, strict=True):
        assert nearest(matrix, query, 9)[0].tolist() == right.tolist()


def test_a_row_of_zeros_has_no_direction() -> None:
    assert unit_rows(np.zeros((2, 3), np.float32)).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_large_numbers_do_not_overflow() -> None:
    rows = unit_rows(np.full((1, 4), 1e14, np.float32))
    np.testing.assert_allclose(rows, 0.5, rtol=1e-6)
