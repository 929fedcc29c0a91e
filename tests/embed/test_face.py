"""What a face's vector hears and what it is deaf to, on a face drawn of the points that count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmstream.core.packet import Absent, Landmarks, Packet
from tmstream.embed.face import CALM, DIRECTION, REST, FaceEmbedding, face_vector
from tmstream.testing import check_transform, feed, opened

EYE_R, EYE_L, OPEN, WIDE, HIGH, CORNER_R, CORNER_L = range(1, 8)
BROW_R, BROW_L, SHIFT = 10, 11, 17


def face(*, gape=0.02, wide=0.54, lift=0.0, shut_right=0.0, brows=0.0):
    """Return a face (468, 4) that looks ahead, 0.2 of the picture between its eyes' corners."""
    at = np.zeros((468, 3))
    for side, outer, inner, lids, brow in (
        (-1, 33, 133, ((159, 145), (158, 153), (160, 144)), ((70, 63), (66, 107))),
        (1, 263, 362, ((386, 374), (385, 380), (387, 373)), ((300, 293), (296, 336))),
    ):
        at[outer], at[inner] = (side * 0.5, 0, 0.1), (side * 0.2, 0, 0)
        shut = shut_right if side < 0 else 0.0
        for upper, lower in lids:
            at[upper], at[lower] = (side * 0.35, -0.042 * (1 - shut), 0), (side * 0.35, 0.042, 0)
        for pair, x, y in zip(brow, (0.5, 0.158), (-0.19, -0.22), strict=True):
            at[list(pair)] = (side * x, y - brows, 0)
    at[168], at[2], at[152] = (0, 0, -0.1), (0, 0.42, -0.25), (0, 1.14 + gape, -0.25)
    at[0], at[13], at[14], at[17] = ((0, y, -0.2) for y in (0.62, 0.68, 0.68 + gape, 0.79 + gape))
    at[61], at[291] = ((side * wide / 2, 0.69 - lift, -0.2) for side in (-1, 1))
    return np.column_stack([at * 0.2 + (0.5, 0.3, 0), np.ones(468)]).astype(np.float32)


def vector(points, **parameters):
    landmarks = Landmarks(points, "face", "f1")
    return feed(opened(FaceEmbedding(**parameters)), Packet(0, landmarks))[0].data.vector


def turned(points, yaw, pitch, roll):
    """Return a face turned by degrees about its middle."""
    y, p, r = np.radians([yaw, pitch, roll])
    about_y = [[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]]
    about_x = [[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]]
    about_z = [[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]]
    made = points.copy()
    middle = points[:, :3].mean(axis=0)
    turn = np.array(about_z) @ about_x @ about_y
    made[:, :3] = (points[:, :3] - middle) @ turn.T + middle
    return made


angles = st.floats(-40, 40)


@given(angles, angles, angles, st.floats(0.3, 1.5), st.floats(-0.3, 0.3))
def test_without_the_head_only_the_expression_counts(yaw, pitch, roll, size, shift):
    at = face(gape=0.1, lift=0.03)
    moved = turned(at, yaw, pitch, roll)
    moved[:, :3] = moved[:, :3] * size + shift
    kept = vector(at, head="remove")
    np.testing.assert_allclose(vector(moved, head="remove"), kept, atol=2e-2)
    assert kept.shape == (18,)


def test_with_the_head_its_turn_and_tilt_count_and_the_expression_stays():
    ahead = vector(face())
    for turn in ((30, 0, 0), (0, 20, 0), (0, 0, 20)):
        there, back = vector(turned(face(), *turn)), vector(turned(face(), *np.negative(turn)))
        np.testing.assert_allclose(there[:18], ahead[:18], atol=2e-2)
        told = (there - ahead)[18:] / DIRECTION
        assert np.abs(told).max() > 0.25
        assert told[np.abs(told).argmax()] * (back - ahead)[18:][np.abs(told).argmax()] < 0


@pytest.mark.parametrize(
    ("change", "number", "sign"),
    [
        ({"gape": 0.2}, OPEN, 1),
        ({"wide": 0.40}, WIDE, -1),
        ({"lift": 0.06}, CORNER_R, -1),
        ({"lift": 0.06}, CORNER_L, -1),
        ({"shut_right": 0.9}, EYE_R, -1),
        ({"brows": 0.1}, BROW_R, -1),
    ],
)
def test_an_expression_moves_its_number_clearly(change, number, sign):
    calm, moved = vector(face()), vector(face(**change))
    assert sign * (moved - calm)[number] > 2.0  # spreads between people


def test_a_calm_face_is_rest_alone():
    calm = vector(face())
    assert calm[0] == REST
    assert np.abs(calm[1:]).max() < 1.5
    assert CALM.shape == (17, 2)
    assert (CALM[:, 1] > 0).all()


def test_one_eye_is_not_the_other_and_the_mirror_exchanges_them():
    wink = face(shut_right=0.9)
    mirrored = wink.copy()
    mirrored[:, 0] = 1 - mirrored[:, 0]
    pairs = {33: 263, 133: 362, 61: 291, 159: 386, 145: 374, 158: 385, 153: 380, 160: 387}
    pairs |= {144: 373, 70: 300, 63: 293, 66: 296, 107: 336}
    for right, left in pairs.items():
        mirrored[[right, left]] = mirrored[[left, right]]
    here, there = vector(wink), vector(mirrored)
    assert here[EYE_R] < here[EYE_L] - 2
    np.testing.assert_allclose(there[EYE_L], here[EYE_R], atol=1e-3)
    np.testing.assert_allclose(there[EYE_R], here[EYE_L], atol=1e-3)
    np.testing.assert_allclose(there[SHIFT], -here[SHIFT], atol=1e-3)


def test_the_width_of_the_picture_does_not_matter():
    wide = face(gape=0.1)
    wide[:, 0] /= 2
    wide[:, 2] /= 2
    landmarks = Landmarks(wide, "face", "f1", 2.0)
    made = feed(opened(FaceEmbedding()), Packet(0, landmarks))[0].data.vector
    np.testing.assert_allclose(made, face_vector(face(gape=0.1)[:, :3], turn=False), atol=1e-2)


def test_others_are_passed_over_and_what_is_no_number_is_told():
    hand = Landmarks(np.ones((21, 4), np.float32), "hand")
    broken = face()
    broken[7] = np.nan
    packets = [Packet(i * 10, Landmarks(face(gape=i / 50), "face", "f1")) for i in range(3)]
    packets += [Packet(40, hand), Packet(50, Landmarks(broken, "face", "f1"))]
    made = check_transform(lambda: opened(FaceEmbedding()), packets)
    assert [type(one.data).__name__ for one in made] == ["Embedding"] * 3 + ["Absent"]
    absent = made[-1].data
    assert isinstance(absent, Absent)
    assert (absent.reason, absent.subject) == ("not_finite", "f1")


def test_a_face_of_no_size_gives_numbers():
    flat = np.full((468, 4), 0.5, np.float32)
    assert np.isfinite(vector(flat)).all()


def test_each_way_has_its_own_fingerprint():
    assert FaceEmbedding().fingerprint != FaceEmbedding(head="remove").fingerprint
