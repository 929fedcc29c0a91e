"""The bound holds whatever the rows; machine code and Python say the same."""

from __future__ import annotations

import logging

import numba
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tmstream.maths import quantised
from tmstream.maths.quantised import Quantised, compile_for, filled_up, pays, product_of, rounded


def filled(rows: np.ndarray) -> Quantised:
    compile_for(rows.shape[1])
    made = Quantised(rows.shape[1])
    made.write(np.arange(len(rows)), rows)
    return made


@example(seed=0, count=3, width=2080, scale=1.0, sparse=0.0, flat="rows and query")
@given(
    seed=st.integers(0, 2**32 - 1), count=st.integers(1, 40),
    width=st.sampled_from([1, 5, 32, 33, 96, 2080]),
    scale=st.sampled_from([1e-20, 1e-3, 1.0, 1e6]), sparse=st.floats(0, 1),
    flat=st.sampled_from(["nothing", "rows", "rows and query"]),
)  # fmt: skip
def test_no_product_is_farther_off_than_is_said(
    seed: int, count: int, width: int, scale: float, sparse: float, flat: str
) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, width)) * (rng.random((count, width)) > sparse)
    query = rng.normal(size=width)
    if flat != "nothing":  # the largest sums there can be, and nothing lost of the rows
        rows = np.abs(np.sign(rows)) * np.sign(query)
    if flat == "rows and query":
        query = np.sign(query)
    rows, query = (scale * rows).astype(np.float32), query.astype(np.float32)
    out = np.empty(count, np.float32)
    error = filled(rows).products(query, out)
    assert error is not None
    exact = rows.astype(np.float64) @ query.astype(np.float64)
    assert np.abs(out - exact).max() <= error
    lengths = np.linalg.norm(rows.astype(float), axis=1).max() * np.linalg.norm(query)
    assert error <= (0.01 * np.sqrt(width) + 1e-5) * lengths  # and it says something


def test_what_is_lost_of_the_query_alone_is_in_the_bound() -> None:
    rows, out = np.ones((1, 33), np.float32), np.empty(1, np.float32)
    query = np.array([32767] + 32 * [0.49], np.float32)
    error = filled(rows).products(query, out)
    assert error is not None
    assert 15 < abs(out[0] - (32767 + 32 * 0.49)) < error


def test_machine_code_and_python_multiply_alike() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(7, 64)).astype(np.float32)
    query = rng.normal(size=64).astype(np.float32)
    said, wanted = np.empty(7, np.float32), np.empty(7, np.float32)
    filled(rows).products(query, said)
    integers, steps = rounded(rows, 127)
    of_query, (step,) = rounded(query[None], 32767)
    product_of(64)(integers.astype(np.int8), steps, of_query[0].astype(np.int16), step, wanted)
    np.testing.assert_allclose(said, wanted, rtol=1e-6)


def test_what_is_written_again_counts_and_more_fits_behind_it() -> None:
    rows = np.eye(3, dtype=np.float32)
    made, out, query = filled(rows[:2]), np.full(5, np.nan, np.float32), np.array([3, 2, 1])
    made.products(query.astype(np.float32), out)
    np.testing.assert_allclose(out, [3, 2, 0, 0, 0], rtol=1e-2)
    made.write(np.array([2, 0]), rows[[1, 2]])
    made.products(query.astype(np.float32), out[:4])
    np.testing.assert_allclose(out, [1, 2, 2, 0, 0], rtol=1e-2)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_no_number_is_not_answered(wrong: float) -> None:
    good, out = np.ones((2, 4), np.float32), np.full(2, 7, np.float32)
    bad = good.copy()
    bad[1, 2] = wrong
    assert filled(good).products(bad[1], out) is None
    assert filled(bad).products(good[0], out) is None
    assert (out == 7).all()


@pytest.mark.parametrize(
    ("owner", "name", "wrong"),
    [(quantised, "SIGNATURE", "no such thing"), (numba.config, "DISABLE_JIT", 1)],
)
def test_a_compiler_that_fails_is_told_of_once_and_missed_by_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    owner: object, name: str, wrong: object,
) -> None:  # fmt: skip
    monkeypatch.setattr(quantised, "_products", {})
    monkeypatch.setattr(owner, name, wrong)
    assert not quantised.compiler_loaded()
    with caplog.at_level(logging.WARNING):
        made = filled(np.ones((2, 4), np.float32))
        compile_for(4)
    assert not made.ready
    assert len(caplog.records) == 1
    assert "stay slow" in caplog.text


def test_rows_end_on_whole_registers() -> None:
    assert [filled_up(width) for width in (1, 32, 33, 96)] == [32, 32, 64, 96]


@pytest.mark.parametrize(
    ("shape", "worth_it"),
    [((100_000, 96), True), ((1000, 96), False), ((1_000_000, 24), False), ((6000, 3000), False)],
)
def test_a_copy_is_kept_where_it_was_measured_to_be_quicker(
    shape: tuple[int, int], worth_it: bool
) -> None:
    assert pays(np.empty(shape, np.float32)) == worth_it
