import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmstream.core.packet import Absent, Landmarks, Packet
from tmstream.embed.hands import HandEmbedding, hand_vector
from tmstream.testing import check_transform, feed, opened


def hand(spread=1.0, bend=0.0):
    """Return an upright right hand (21, 4): fingers fan out from the wrist; ``bend`` curls them."""
    at = np.zeros((21, 4), np.float32)
    at[:, 3] = 1
    at[0, :2] = 0.5, 0.9
    for finger, angle in enumerate(np.array([-0.9, -0.3, 0.0, 0.25, 0.5]) * spread):
        direction, place = angle, at[0, :2].copy()
        for joint, length in enumerate((0.2, 0.08, 0.06, 0.05)):
            direction = angle + bend * joint
            place = place + length * np.array([np.sin(direction), -np.cos(direction)])
            at[1 + finger * 4 + joint, :2] = place
    return at


def one(node, points, side="right", aspect=1.0):
    return feed(opened(node), Packet(0, Landmarks(points, "hand", "h1", aspect, side)))[0].data


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@given(st.floats(0.2, 1.0), st.floats(-0.3, 0.3), st.floats(-3.1, 3.1))
def test_place_size_and_with_remove_rotation_do_not_matter(size, shift, turn):
    at = hand(bend=0.4)
    moved = at.copy()
    wheel = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved[:, :2] = (at[:, :2] - 0.5) @ wheel.T * size + 0.5 + shift
    node = HandEmbedding(rotation="remove")
    np.testing.assert_allclose(one(node, moved).vector, one(node, at).vector, atol=2e-3)


def test_kept_rotation_tells_up_from_down():
    up, down = hand(), hand()
    down[:, 1] = 1 - down[:, 1]
    down[:, 0] = 1 - down[:, 0]
    assert cosine(one(HandEmbedding(), up).vector, one(HandEmbedding(), down).vector) < 0.95


def test_either_hand_and_one_hand():
    right, left = hand(bend=0.3), hand(bend=0.3)
    left[:, 0] = 1 - left[:, 0]
    same = one(HandEmbedding(), right, "right").vector, one(HandEmbedding(), left, "left").vector
    np.testing.assert_allclose(*same, atol=1e-5)
    node = HandEmbedding(either_hand=False)
    assert cosine(one(node, right, "right").vector, one(node, left, "left").vector) < 0.9


def test_a_fist_is_not_a_flat_hand():
    flat, fist = (hand_vector(hand(bend=b)[:, :3], turn=False) for b in (0.0, 1.3))
    assert cosine(flat, fist) < 0.6


@pytest.mark.parametrize("rotation", ["keep", "remove"])
def test_it_keeps_the_promises_of_a_transform(rotation):
    packets = [
        Packet(0, Landmarks(hand(), "hand", "h1", side="left")),
        Packet(1, Landmarks(np.zeros((21, 4), np.float32), "hand", "h1")),
        Packet(2, Landmarks(np.full((21, 4), np.nan, np.float32), "hand", "h1")),
        Packet(3, Landmarks(np.zeros((33, 4), np.float32), "body", "p1")),
    ]
    made = check_transform(lambda: opened(HandEmbedding(rotation=rotation)), packets)
    assert [isinstance(m.data, Absent) for m in made] == [False, False, True]
    assert np.isfinite(made[1].data.vector).all()
