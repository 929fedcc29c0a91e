"""Landmarks in one unit, and the shapes they make."""

from __future__ import annotations

import numpy as np

from tmstream.maths.geometry import angles, box_of, length, square, unit, visible


def test_all_three_axes_come_in_heights_of_the_picture() -> None:
    points = np.array([[0.5, 0.5, 0.1, 1.0]], np.float32)
    np.testing.assert_allclose(square(points, 2.0), [[1.0, 0.5, 0.2]])
    assert box_of(points, 2.0) == (1.0, 0.5, 1.0, 0.5)


def test_a_point_is_seen_inside_the_picture_and_when_its_model_says_so() -> None:
    points = np.array(
        [[0.5, 0.5, 0, 0.5], [0.5, 0.5, 0, 0.4], [1.1, 0.5, 0, 1], [0.5, -0.1, 0, 1]], np.float32
    )
    assert visible(points).tolist() == [True, False, False, False]


def test_a_straight_arm_is_pi_and_a_folded_one_nothing() -> None:
    joint, end = np.zeros((3, 2), np.float32), np.array([[1, 0]] * 3, np.float32)
    others = np.array([[-2, 0], [0, 3], [4, 0]], np.float32)
    np.testing.assert_allclose(angles(end, joint, others), [np.pi, np.pi / 2, 0], atol=1e-6)


def test_what_has_no_length_has_no_direction() -> None:
    assert not unit(np.zeros((2, 3), np.float32)).any()
    assert length(unit(np.array([3.0, 4.0], np.float32))) == 1
