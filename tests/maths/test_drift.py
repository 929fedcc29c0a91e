"""A trend is told from a bad evening, by medians over periods."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmstream.maths.drift import Drift


def after(values: list[float], *, every_s: float = 60.0) -> Drift:
    """A drift with a period of ten values."""
    drift = Drift(period_s=600.0, recent=3, least=8)
    for i, value in enumerate(values):
        drift.add(value, i * every_s)
    return drift


def test_it_says_nothing_before_it_knows_enough() -> None:
    assert after([1.0] * 80).change is None  # the eighth period is not over
    assert after([1.0] * 81).change == 0.0


@given(st.lists(st.floats(-100, 100), min_size=120, max_size=160), st.floats(-50, 50))
def test_it_is_the_median_of_recent_medians_minus_the_one_before(
    values: list[float], by: float
) -> None:
    medians = [
        float(np.median(values[i : i + 10])) for i in range(0, (len(values) - 1) // 10 * 10, 10)
    ]
    wanted = np.median(medians[-3:]) - np.median(medians[:-3])
    drift = after(values)
    assert drift.change == pytest.approx(wanted)
    assert drift.usual == pytest.approx(np.median(medians[:-3]))
    shifted = after([value + by for value in values])
    assert shifted.change == pytest.approx(wanted, abs=1e-9)  # only the change counts


def test_one_bad_evening_is_no_trend_and_a_slow_slope_is() -> None:
    quiet = [0.0] * 200
    spoilt = [*quiet[:-40], *[9.0] * 10, *quiet[-30:]]
    assert after(spoilt).change == 0.0
    assert after(list(np.linspace(0, 10, 200))).change == pytest.approx(5.0, abs=1.0)


def test_nonsense_and_a_turned_clock_do_no_harm() -> None:
    drift = after([1.0] * 100)
    drift.add(float("nan"), 1e6)
    drift.add(float("inf"), 2e6)
    drift.add(1.0, 5.0)
    assert drift.change == 0.0
    known = len(drift._medians)
    for i in range(40):  # a period begins anew with the clock, and NaN counts for nothing
        drift.add(float("nan") if i % 2 else 1.0, 10.0 + i * 60.0)
    assert len(drift._medians) > known
    assert drift.change == 0.0
