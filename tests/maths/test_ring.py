"""Rings give back exactly what went in last."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmstream.maths.ring import Rows, Tail


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 1200)), max_size=60))
def test_a_tail_is_a_list_that_forgets_its_beginning(steps: list[tuple[int, int]]) -> None:
    tail, model, n = Tail(64), np.empty(0, np.float32), 0
    for add, drop in steps:
        new = np.arange(n, n + add, dtype=np.float32)
        n += add
        model = np.concatenate([model, new])
        assert np.array_equal(tail.extend(new), model)
        tail.drop(drop)
        model = model[drop:]


@given(st.integers(1, 9), st.integers(0, 40))
def test_rows_are_found_by_their_number(capacity: int, count: int) -> None:
    rows = Rows(capacity, 2)
    for i in range(count):
        rows.push(np.array([i, -i], np.float32))
    oldest = max(0, count - capacity)
    assert rows.oldest == oldest
    for first in range(oldest, count + 1):
        assert rows.span(first, count)[:, 0].tolist() == list(range(first, count))
    with pytest.raises(IndexError, match="are not in"):
        rows.span(oldest - 1, count)
    with pytest.raises(IndexError, match="are not in"):
        rows.span(oldest, count + 1)
