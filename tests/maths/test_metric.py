"""The learned metric beside scikit-learn, and safe wherever little is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from tmstream.maths.metric import (
    discriminate,
    effective_count,
    identity,
    ledoit_wolf,
    standardise,
)


def clusters(
    labels: int, each: int, dimensions: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(labels), each)
    spread = rng.uniform(0.2, 2, dimensions)
    return rng.normal(size=(labels, dimensions))[codes] + spread * rng.normal(
        size=(len(codes), dimensions)
    ), codes


@given(n=st.integers(2, 60), d=st.integers(2, 60), seed=st.integers(0, 10**6))
def test_the_shrinkage_is_scikit_learns(n: int, d: int, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(n, d)) * np.arange(1, d + 1)
    rows -= rows.mean(axis=0)
    assert ledoit_wolf(rows) == pytest.approx(
        ledoit_wolf_shrinkage(rows, assume_centered=True), abs=1e-9
    )


def test_fewer_independent_rows_shrink_more() -> None:
    rows, _ = clusters(1, 80, 20)
    rows = rows - rows.mean(axis=0)
    assert ledoit_wolf(rows, 10) > ledoit_wolf(rows, 80) == ledoit_wolf(rows)


def shrunk_within(x: np.ndarray, codes: np.ndarray, amount: float) -> tuple[np.ndarray, np.ndarray]:
    means = np.stack([x[codes == c].mean(axis=0) for c in range(codes.max() + 1)])
    within = x - means[codes]
    s = within.T @ within / len(x)
    d = x.shape[1]
    return (1 - amount) * s + amount * np.trace(s) / d * np.eye(d), means - means.mean(axis=0)


@pytest.mark.parametrize(("each", "dimensions"), [(40, 12), (4, 90)])
def test_discriminants_whiten_and_span_what_separates(each: int, dimensions: int) -> None:
    """Fisher's answer, checked by its definition, in the direct and in the dual form."""
    x, codes = clusters(4, each, dimensions)
    turn = discriminate(x, codes, shrinkage=0.3)
    assert turn is not None
    assert turn.shape == (dimensions, 3)
    s, between = shrunk_within(x, codes, 0.3)
    np.testing.assert_allclose(turn.T @ s @ turn, np.eye(3), atol=1e-7)
    separated = turn.T @ between.T @ between @ turn
    np.testing.assert_allclose(separated, np.diag(np.diag(separated)), atol=1e-6 * separated.max())
    q = np.linalg.qr(np.linalg.solve(s, between.T))[0]
    np.testing.assert_allclose(q @ (q.T @ turn), turn, atol=1e-6)


def test_of_a_covariance_that_is_not_believed_nothing_is_solved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A few takes shrink it wholly; solving d x d for that made judging thirteen times slower."""
    x, codes = clusters(3, 4, 200)
    s, between = shrunk_within(x, codes, 1.0)
    wanted = np.linalg.qr(np.linalg.solve(s, between.T)[:, :2])[0]
    monkeypatch.setattr(np.linalg, "solve", lambda *_: pytest.fail("solved"))
    turn = discriminate(x, codes, shrinkage=1.0)
    assert turn is not None
    np.testing.assert_allclose(turn.T @ s @ turn, np.eye(2), atol=1e-7)
    np.testing.assert_allclose(wanted @ (wanted.T @ turn), turn, atol=1e-6)


def test_it_answers_like_scikit_learns_lda() -> None:
    x, codes = clusters(5, 60, 10, seed=3)
    turn = discriminate(x, codes)
    assert turn is not None
    means = np.stack([(x @ turn)[codes == c].mean(axis=0) for c in range(5)])
    ours = (((x @ turn)[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(x, codes).predict(x)
    assert (ours == theirs).mean() > 0.97


@pytest.mark.parametrize(
    ("rows", "codes"),
    [([[1.0, 2.0]], [0]), ([[1.0, 2.0], [3.0, 1.0]], [0, 1]), ([[1.0, 2.0]] * 4, [0, 0, 1, 1]),
     ([[1.0, 2.0], [2.0, 2.0]], [0, 0]), ([[0.0, 0.0]] * 3, [0, 1, 1])],
)  # fmt: skip
def test_too_little_to_learn_is_said_not_guessed(rows: list[list[float]], codes: list[int]) -> None:
    assert discriminate(np.array(rows), np.array(codes)) is None


@given(
    labels=st.integers(1, 5), each=st.integers(1, 4), dimensions=st.integers(1, 30),
    seed=st.integers(0, 1000),
)  # fmt: skip
def test_standardising_is_always_finite(labels: int, each: int, dimensions: int, seed: int) -> None:
    x, codes = clusters(labels, each, dimensions, seed)
    metric = standardise(x.astype(np.float32), codes, np.ones(len(x)), 10)
    made = metric.apply(x.astype(np.float32))
    assert np.isfinite(made).all()
    assert made.dtype == np.float32


def test_one_label_keeps_its_own_middle() -> None:
    """Its mean is what it is recognised by: taking it away would leave only noise."""
    x = np.array([[5.0, 5.0, 5.0]] * 3, np.float32)
    metric = standardise(x, np.zeros(3, np.intp), np.ones(3), 10)
    assert metric.apply(x)[0].tolist() == pytest.approx([3**-0.5] * 3)


def test_much_evidence_standardises_fully_and_little_hardly() -> None:
    rng = np.random.default_rng(1)
    x = (rng.normal(size=(4000, 2)) * [1, 10]).astype(np.float32)
    codes = np.arange(4000) % 2
    full = standardise(x, codes, np.ones(4000), 0.1).scale
    assert full[0] / full[1] == pytest.approx(10, rel=0.05)
    little = standardise(x[:4], codes[:4], np.ones(4), 1000).scale
    assert little[0] / little[1] == pytest.approx(1, rel=0.05)


def test_equal_weights_count_fully_and_one_heavy_row_once() -> None:
    assert effective_count(np.ones(7)) == 7
    assert effective_count(np.array([1.0, 0, 0, 0])) == 1


def test_the_plain_cosine_changes_no_direction() -> None:
    x = np.random.default_rng(2).normal(size=(5, 6)).astype(np.float32)
    assert np.allclose(identity(6).apply(x), x / np.linalg.norm(x, axis=1, keepdims=True))


def test_directions_are_fewer_than_labels_however_often_each_was_taught() -> None:
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1, 2], [200, 5, 5])
    vectors = rng.normal(0, 0.1, (len(codes), 8)) + np.eye(8)[codes]
    made = discriminate(vectors, codes)
    assert made is not None
    assert made.shape == (8, 2)


def test_a_number_that_never_changes_is_no_division_by_nothing() -> None:
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1], 20)
    vectors = np.hstack([rng.normal(0, 1, (40, 3)) + codes[:, None], np.ones((40, 1))])
    made = discriminate(vectors, codes, shrinkage=0.0)
    assert made is not None
    assert np.isfinite(made).all()
