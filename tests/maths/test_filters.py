import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tmstream.maths.filters import OneEuro

FRAME_US = 33_333


def run(values, *args, **kwargs):
    smooth = OneEuro(*args, **kwargs)
    return np.array([smooth(i * FRAME_US, np.float32([v]))[0] for i, v in enumerate(values)])


def test_at_rest_it_is_a_first_order_low_pass_of_its_cutoff():
    values = np.r_[np.zeros(1), np.ones(30)]
    made = run(values, 2.0)
    tau_s = 1 / (2 * math.pi * 2.0)
    kept = 1 / (1 + (FRAME_US / 1e6) / tau_s)
    np.testing.assert_allclose(1 - made, kept ** np.arange(31), atol=1e-5)


def test_it_calms_jitter_and_follows_motion():
    rng = np.random.default_rng(0)
    calm = run(rng.normal(0, 0.01, 300), 1.0, 10.0)
    assert calm[50:].std() < 0.006
    ramp = np.arange(90) / 30.0  # one unit a second
    lag_slow, lag_fast = ramp[-1] - run(ramp, 1.0)[-1], ramp[-1] - run(ramp, 1.0, 10.0)[-1]
    assert lag_fast < 0.25 * lag_slow


def test_after_a_pause_it_begins_anew():
    smooth = OneEuro(1.0)
    smooth(0, np.float32([0]))
    assert smooth(2_000_000, np.float32([5]))[0] == 5


@given(st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=30), st.floats(0.1, 20))
def test_it_never_leaves_the_range_of_its_input(values, cutoff):
    made = run(values, cutoff, 5.0)
    assert made.min() >= min(values) - 1e-4
    assert made.max() <= max(values) + 1e-4
