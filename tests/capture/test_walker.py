import asyncio

import numpy as np
import pytest

from tmstream.capture.walker import MOVES, Walker, body_points
from tmstream.core.packet import Image
from tmstream.maths.geometry import ANKLES, SHOULDERS, WRISTS
from tmstream.testing import check_declared, check_order


def walk(**params):
    async def all_of():
        return [packet async for packet in Walker(**params).packets()]

    return asyncio.run(all_of())


def test_the_same_seed_gives_the_same_performance():
    a, b, c = (walk(seconds=2, seed=seed) for seed in (1, 1, 2))
    assert all(np.array_equal(x.data.points, y.data.points) for x, y in zip(a, b, strict=True))
    assert not np.array_equal(a[-1].data.points, c[-1].data.points)


def test_several_people_stand_side_by_side_with_ids_of_their_own():
    made = walk(seconds=1, people=3)
    check_order(made)
    places = {p.data.subject: p.data.points[0, 0] for p in made[:3]}
    assert list(places) == ["p1", "p2", "p3"]
    assert places["p1"] < places["p2"] < places["p3"]


@pytest.mark.parametrize("move", MOVES)
def test_every_move_keeps_the_bones_as_long_as_they_are(move):
    for t_s in np.linspace(-0.5, 3, 30):
        at = body_points(MOVES[move](float(t_s), 1.0), 1.0, 0.5, 1.0)[:, :2]
        for start, end in ((11, 13), (13, 15), (12, 14), (14, 16)):
            bone = np.hypot(*(at[end] - at[start]))
            assert bone == pytest.approx(0.85 * (0.16 if start < 13 else 0.14), rel=1e-3)


def test_left_is_the_persons_left_and_feet_stay_on_the_ground():
    for move in MOVES.values():
        deep = body_points(move(0.75, 1.0), 1.0, 0.5, 4 / 3)
        assert deep[SHOULDERS[0], 0] > deep[SHOULDERS[1], 0]
        assert deep[list(ANKLES), 1] == pytest.approx([0.934, 0.934], abs=0.02)
    up = body_points(MOVES["arms_up"](1.0, 1.0), 1.0, 0.5, 4 / 3)
    assert (up[list(WRISTS), 1] < up[0, 1]).all()


def test_it_can_be_drawn():
    made = walk(seconds=0.2, picture=True, people=2)
    assert isinstance(made[0].data, Image)
    assert made[0].data.pixels.shape == (480, 640, 3)
    assert (made[0].data.pixels == 235).any()


@pytest.mark.parametrize(
    "params",
    [
        {"moves": []},
        {"speed": 0},
        {"size": 2},
        {"people": 0},
        {"fps": 0},
        {"seconds": 0},
        {"seed": -1},
    ],
)
def test_wrong_parameters_are_named(params):
    with pytest.raises(ValueError, match=next(iter(params))):
        Walker(**params)


def test_it_declares_what_it_gives():
    check_declared(Walker())
