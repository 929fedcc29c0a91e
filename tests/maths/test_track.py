from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from tmstream.maths.track import Seen, Tracker, assign

FRAME_US = 33_333


def at(x, y=0.5, size=0.2, side=None):
    return Seen((x - size / 2, y - size, x + size / 2, y + size), side)


def follow(tracker, frames, start=0):
    return [tracker.update((start + i) * FRAME_US, seen)[0] for i, seen in enumerate(frames)]


def test_two_people_who_pass_each_other_keep_their_ids():
    xs = np.linspace(0.1, 0.9, 60)
    ids = follow(Tracker("p", 1.5), [[at(x), at(1 - x, 0.52)] for x in xs])
    assert ids[0] == ids[-1] == ["p1", "p2"]


def test_the_order_in_which_they_are_found_does_not_matter():
    frames = [[at(0.2), at(0.8)], [at(0.8), at(0.2)], [at(0.21), at(0.79)]]
    assert follow(Tracker("p", 1.5), frames) == [["p1", "p2"], ["p2", "p1"], ["p1", "p2"]]


def test_crossing_hands_of_different_sides_never_swap():
    xs = np.linspace(0.2, 0.8, 13)  # so fast that each lands where the other is expected
    frames = [[at(x, size=0.1, side="left"), at(1 - x, size=0.1, side="right")] for x in xs]
    ids = follow(Tracker("h", 1.5), frames)
    assert all(one == ["h1", "h2"] for one in ids)


def test_a_lone_hand_keeps_its_id_when_its_side_flickers():
    frames = [[at(0.5, side="left" if i == 5 else "right")] for i in range(10)]
    tracker = Tracker("h", 1.5)
    assert follow(tracker, frames) == [["h1"]] * 10
    assert tracker.side("h1") == "right"


def test_a_hand_seen_wrongly_at_first_is_put_right():
    tracker = Tracker("h", 1.5)
    follow(tracker, [[at(0.5, side="left")]] * 2 + [[at(0.5, side="right")]] * 8)
    assert tracker.side("h1") == "right"


def test_a_short_occlusion_survives_and_a_long_one_departs_for_ever():
    tracker = Tracker("p", 1.5)
    follow(tracker, [[at(0.5)]])
    assert tracker.update(1_200_000, [at(0.55)]) == (["p1"], [])
    assert tracker.update(2_800_000, []) == ([], ["p1"])
    assert tracker.update(2_900_000, [at(0.55)]) == (["p2"], [])


def test_somebody_far_away_is_somebody_else():
    ids = follow(Tracker("p", 1.5), [[at(0.1)], [at(0.9)]])
    assert ids == [["p1"], ["p2"]]


def test_the_longer_unseen_the_farther_somebody_may_have_gone():
    for unseen_s, id_ in ((0.03, "p2"), (1.0, "p1")):
        tracker = Tracker("p", 1.5)
        tracker.update(0, [at(0.2)])
        # 0.45 wide and high: one box size away
        assert tracker.update(round(unseen_s * 1e6), [at(0.65)])[0] == [id_]


def test_how_far_is_measured_in_the_size_that_was_seen_last():
    tracker = Tracker("p", 1.5)
    follow(tracker, [[at(0.2, size=0.8 * 0.9**i)] for i in range(30)])  # walks away: 0.04
    assert follow(tracker, [[at(0.4, size=0.04)]], start=30) == [["p2"]]


@given(
    st.lists(st.lists(st.none() | st.floats(0, 10), min_size=3, max_size=3), min_size=1, max_size=4)
)
def test_assignment_is_the_best_there_is(costs):
    def worth(pairs):
        chosen = [costs[r][c] for r, c in pairs]
        return len(chosen), -sum(chosen)

    best = (0, 0.0)
    columns = [*range(3), *[None] * len(costs)]
    for order in set(permutations(columns, len(costs))):
        pairs = [(r, c) for r, c in enumerate(order) if c is not None]
        if all(costs[r][c] is not None for r, c in pairs):
            best = max(best, worth(pairs))
    made = assign(costs)
    pairs = [(r, c) for r, c in enumerate(made) if c is not None]
    assert len({c for _, c in pairs}) == len(pairs)
    found = worth(pairs)
    assert found[0] == best[0]
    assert abs(found[1] - best[1]) < 1e-9


def test_a_crowd_is_told_apart_as_quickly_as_a_frame_comes():
    rng = np.random.default_rng(0)
    costs = rng.uniform(0, 3, (12, 24))  # 12 hands, and as many ids that were lost a moment ago
    rows, columns = linear_sum_assignment(costs)
    made = assign(costs.tolist())
    assert len(set(made)) == 12
    found = sum(costs[row, column] for row, column in enumerate(made))
    assert found == pytest.approx(costs[rows, columns].sum())
