"""Exactness: whatever was added and removed, the answer is float64 brute force's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from tmstream.head import rows as rows_module
from tmstream.head.rows import Rows
from tmstream.maths.neighbours import unit_rows
from tmstream.maths.quantised import Quantised

LABELS = ("clap", "snap", "hum", "whistle")
Held = dict[str, tuple[str, str, np.ndarray]]  # id: label, take, row


def brute(held: Held, query: np.ndarray, k: int) -> dict[str, list[float]]:
    """Return, by the definition, the similarities of every label's best takes, best first."""
    takes: dict[str, dict[str, float]] = {}
    for label, take, row in held.values():
        of_label = takes.setdefault(label, {})
        value = float(row.astype(np.float64) @ query.astype(np.float64))
        of_label[take] = max(value, of_label.get(take, -9.0))
    return {label: sorted(of_label.values())[::-1][:k] for label, of_label in takes.items()}


def check(rows: Rows, held: Held, query: np.ndarray, k: int) -> None:
    said, wanted = rows.best(query, k), brute(held, query, k)
    assert set(said) == set(wanted)
    for label, values in wanted.items():
        np.testing.assert_allclose([value for value, _ in said[label]], values, atol=1e-5)
        for value, name in said[label]:
            assert held[name][0] == label
            np.testing.assert_allclose(held[name][2] @ query, value, atol=1e-5)
        assert len({held[name][1] for _, name in said[label]}) == len(values)


def as_wrong_as_can_be(rng: np.random.Generator, by: float) -> Callable[..., float | None]:
    """Return `Quantised.products`, whose answers are off by as much as it says."""
    right = Quantised.products

    def products(self: Quantised, query: np.ndarray, out: np.ndarray) -> float | None:
        error = right(self, query, out)
        out += rng.choice([-by, by], len(out))
        return None if error is None else error + by

    return products


@pytest.mark.parametrize(("few", "quantised"), [(512, False), (0, False), (0, True)])
@given(
    seed=st.integers(0, 2**32 - 1), steps=st.integers(1, 300), page=st.sampled_from([2, 4, 64]),
    k=st.integers(1, 6), takes=st.sampled_from([3, 12, 200]), gone=st.floats(0, 0.6),
)  # fmt: skip
def test_it_is_brute_force_after_any_history(
    few: int, quantised: bool, seed: int, steps: int, page: int, k: int, takes: int, gone: float
) -> None:
    rng = np.random.default_rng(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows_module, "FEW", few)
        patch.setattr(rows_module, "PAGE", page)
        patch.setattr(rows_module, "PLACES", np.arange(page))
        patch.setattr(rows_module, "pays", lambda _: quantised)
        patch.setattr(Quantised, "products", as_wrong_as_can_be(rng, 0.3))
        patch.setattr(rows_module, "MANY", seed % 2 * 9)  # fall back always, or never
        patch.setattr(rows_module, "GROUPS", 1 + seed % 16)
        patch.setattr(rows_module, "LEAST_GROUP", 2)
        patch.setattr(rows_module, "ROUNDED_AT_ONCE", 60)  # ten rows and one
        rows, held = Rows(6), Held()
        for i in range(steps):
            if held and rng.random() < gone:
                name = sorted(held)[rng.integers(len(held))]
                del held[name]
                rows.remove(name)
            else:
                label, take = LABELS[min(3, rng.geometric(0.4) - 1)], f"t{rng.integers(takes)}"
                row = unit_rows(rng.normal(size=(1, 6)))[0]
                held[f"e{i}"] = (label, take, row)
                rows.add(f"e{i}", label, take, row)
            if i == 50:
                rows.prepare()
            if i % 37 == 0 and held:
                check(rows, held, row, k)
        assert len(rows) == len(held)
        assert rows.labels == sorted({label for label, _, _ in held.values()})
        assert all(name in rows for name in held)
        if held:
            check(rows, held, unit_rows(rng.normal(size=(1, 6)))[0], k)


@pytest.mark.parametrize("share", [0.7, 1e-5])
def test_quantised_rows_answer_as_they_did_to_the_last_bit(share: float) -> None:
    """Some are equal, and ``share`` of one take."""
    rng = np.random.default_rng(3)
    matrix = unit_rows(rng.normal(size=(22_000, 96)))
    matrix[::50] = matrix[0]
    rows = Rows(96)
    for i, row in enumerate(matrix):
        rows.add(f"e{i}", LABELS[i % 4], f"t{rng.geometric(share)}", row)
    queries = [*matrix[:5], *unit_rows(rng.normal(size=(15, 96)))]

    def answers() -> list[object]:
        return [rows.best(query, 5) for query in queries]

    read = answers()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows_module, "pays", lambda _: True)
        rows.prepare()
        patch.setattr(rows_module, "similarities", None)  # nothing is read in full
        patch.setattr(rows_module, "MANY", 1)
        assert answers() == read
        patch.setattr(Quantised, "products", as_wrong_as_can_be(rng, 0.05))
        assert answers() == read
        for name in ("SURE", "MANY"):  # but for what is too rough, and for too many
            patch.setattr(rows_module, name, 0)
            with pytest.raises(TypeError):
                answers()
            patch.setattr(rows_module, name, 1)


def test_a_quantised_row_that_moved_into_a_hole_is_found_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rows_module, "pays", lambda _: True)
    monkeypatch.setattr(rows_module, "FEW", 0)
    rows, matrix = Rows(96), unit_rows(np.random.default_rng(2).normal(size=(200, 96)))
    for i, row in enumerate(matrix):
        rows.add(f"e{i}", "clap", f"t{i}", row)
    rows.prepare()
    rows.remove("e0")
    assert rows.best(matrix[199], 1)["clap"][0][1] == "e199"


def test_what_is_opposite_is_not_outvoted_by_rows_without_an_example() -> None:
    """A row of zeros is more similar to a query than an example that points away from it."""
    rows = Rows(3)
    for i in range(2000):
        rows.add(f"e{i}", "clap" if i % 2 else "hum", f"t{i}", np.array([1, 0, 0], np.float32))
    for i in range(0, 1500, 2):
        rows.remove(f"e{i}")
    found = rows.best(np.array([-1, 0, 0], np.float32), 5)
    assert [value for value, _ in found["clap"] + found["hum"]] == [-1.0] * 10
    for i in range(1500, 1996, 2):
        rows.remove(f"e{i}")
    left = rows.best(np.array([-1, 0, 0], np.float32), 5)
    assert sorted(left["hum"]) == [(-1.0, "e1996"), (-1.0, "e1998")]


def test_a_label_that_went_away_is_not_heard_until_it_comes_back() -> None:
    rows = Rows(2)
    here = np.array([1, 0], np.float32)
    rows.add("a", "clap", "t", here)
    rows.add("b", "hum", "t", here)
    rows.remove("a")
    rows.remove("a")  # once more is no mistake
    assert rows.best(here, 3) == {"hum": [(1.0, "b")]}
    rows.add("c", "clap", "t", here)
    assert rows.best(here, 3) == {"hum": [(1.0, "b")], "clap": [(1.0, "c")]}


def test_a_take_of_many_frames_leaves_room_for_the_others() -> None:
    """A thousand frames of one take lie nearer than any of four others: all five speak."""
    rng = np.random.default_rng(1)
    rows, held = Rows(4), Held()
    for i in range(4000):
        far = 0.01 if i < 3000 else 1.0
        row = unit_rows(np.array([[1.0, 0, 0, 0]]) + far * rng.normal(size=(1, 4)))[0]
        held[f"e{i}"] = ("hold", "near" if i < 3000 else f"t{i % 4}", row)
        rows.add(f"e{i}", *held[f"e{i}"])
    check(rows, held, np.array([1, 0, 0, 0], np.float32), 5)


@pytest.mark.parametrize("count", [3, 3000])
def test_what_is_not_a_number_is_answered_by_no_number(count: int) -> None:
    """The head lets none in; were one to slip through, the search must come to an end."""
    rows = Rows(2)
    for i in range(count):
        rows.add(f"e{i}", "clap", "one take" if i % 2 else f"t{i}", np.ones(2, np.float32))
    found = rows.best(np.full(2, np.nan, np.float32), 3)
    assert len(found["clap"]) == 3
    assert all(np.isnan(value) for value, _ in found["clap"])


def test_scikit_learn_finds_the_same_neighbours() -> None:
    rng = np.random.default_rng(5)
    examples, queries = rng.normal(size=(4000, 96)), rng.normal(size=(20, 96))
    oracle = NearestNeighbors(n_neighbors=9, algorithm="brute", metric="cosine").fit(examples)
    _, wanted = oracle.kneighbors(queries)
    rows = Rows(96)
    for i, row in enumerate(unit_rows(examples)):
        rows.add(str(i), "label", str(i), row)
    for query, right in zip(unit_rows(queries), wanted, strict=True):
        assert [int(name) for _, name in rows.best(query, 9)["label"]] == right.tolist()
