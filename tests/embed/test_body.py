import csv

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tmstream.capture.walker import MOVES, body_points
from tmstream.core.packet import Absent, Landmarks, Packet
from tmstream.embed.body import BodyEmbedding, body_vector, mirrored
from tmstream.testing import check_transform, feed, opened

POSES = ("stand", "t_pose", "arms_up", "hands_on_hips")


def pose(name, width=1.0, size=0.9, centre=0.5, aspect=4 / 3):
    return body_points(MOVES[name](1.0, width), size, centre, aspect)


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@given(
    st.sampled_from(POSES), st.floats(0.1, 0.9), st.floats(0.3, 0.7), st.sampled_from([1.0, 1.7])
)
def test_place_size_and_shape_of_the_picture_do_not_matter(name, size, centre, aspect):
    points = pose(name, 1.0, size, centre, aspect)
    # What lies outside the picture counts as unseen, and is another promise.
    assume(((points[:, :2] >= 0) & (points[:, :2] <= 1)).all())
    for parts in ("upper", "full"):
        here = body_vector(pose(name), 4 / 3, parts)
        there = body_vector(points, aspect, parts)
        np.testing.assert_allclose(there, here, atol=2e-3)


def sitting(points):
    made = points.copy()
    made[25:33, 1] = 0.9
    made[25:33, 3] = 0.1
    return made


def cut_at_hips(points):
    made = points.copy()
    lowest = made[[23, 24], 1].min() - 0.01
    made[:, 1] /= lowest
    made[:, 0] = (made[:, 0] - 0.5) / lowest + 0.5
    made[23:33, 3] = 0.05
    return made


@pytest.mark.parametrize("change", [sitting, cut_at_hips])
def test_hidden_legs_never_hurt(change):
    taught = {name: body_vector(pose(name), 4 / 3, "upper") for name in POSES}
    for name in POSES:
        for width in (0.9, 1.0, 1.1):
            vector = body_vector(change(pose(name, width)), 4 / 3, "upper")
            best = max(taught, key=lambda other: cosine(taught[other], vector))
            assert best == name


def test_full_says_nothing_of_hidden_knees_and_upper_does():
    packet = Packet(0, Landmarks(sitting(pose("t_pose")), "body", "p1", 4 / 3))
    assert feed(opened(BodyEmbedding(parts="full")), packet) == []
    (made,) = feed(opened(BodyEmbedding()), packet)
    assert made.data.space == "body.upper"
    assert made.data.subject == "p1"


def test_what_is_outside_the_picture_is_unseen():
    outside, hidden = pose("t_pose"), pose("t_pose")
    outside[[15, 17, 19, 21], 0] = 1.2
    hidden[[15, 17, 19, 21], 3] = 0.0
    for parts in ("upper", "full"):
        one, other = (body_vector(points, 4 / 3, parts) for points in (outside, hidden))
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_mirrored_body_has_its_left_where_its_right_was():
    points = pose("stand", centre=0.3)
    points[15, :2] = 0.9, 0.1  # the left wrist
    turned = mirrored(points)
    np.testing.assert_allclose(turned[16, :2], (0.1, 0.1), atol=1e-6)
    np.testing.assert_allclose(turned[0, 0], 1 - points[0, 0], atol=1e-6)
    np.testing.assert_allclose(mirrored(turned), points, atol=1e-6)


def test_left_and_right_differ_unless_either_side():
    points = pose("stand")
    points[[13, 15], 1] -= 0.3  # the left arm up
    for parts in ("upper", "full"):
        one, other = (body_vector(p, 4 / 3, parts) for p in (points, mirrored(points)))
        assert cosine(one, other) < 0.97
        same = [
            feed(
                opened(BodyEmbedding(parts=parts, either_side=True)),
                Packet(0, Landmarks(p, "body", "p", 4 / 3)),
            )[0].data.vector
            for p in (points, mirrored(points))
        ]
        np.testing.assert_allclose(*same, atol=1e-5)


@given(st.floats(0.15, 0.5), st.floats(0, 0.6))
def test_the_whole_body_forgives_a_pose_done_to_the_other_side(arm, lean):
    points = pose("stand")
    points[[13, 15], 1] -= arm  # the left arm up, and the trunk bent to that side
    points[:23, 0] += lean * (points[23, 1] - points[:23, 1])
    both = points, mirrored(points)
    upper, full = ([body_vector(p, 4 / 3, parts) for p in both] for parts in ("upper", "full"))
    one, other = (vector[-81:] for vector in full)
    # Only which way it is differs: the same, turned.
    np.testing.assert_allclose(one[:54], other[:54], atol=1e-5)
    np.testing.assert_allclose(one[54:], -other[54:], atol=1e-5)
    assert cosine(*upper) < cosine(one, other) < 1


def test_it_keeps_the_promises_of_a_transform():
    bad = pose("stand")
    bad[3, 1] = np.inf
    packets = [
        Packet(0, Landmarks(pose("t_pose"), "body", "p1")),
        Packet(1, Landmarks(bad, "body", "p1")),
        Packet(2, Landmarks(np.zeros((33, 4), np.float32), "body", "p1")),
        Packet(3, Landmarks(pose("stand")[:21], "hand", "h1")),
    ]
    for parts in ("upper", "full"):
        made = check_transform(lambda parts=parts: opened(BodyEmbedding(parts=parts)), packets)
        assert [one.data.reason for one in made if isinstance(one.data, Absent)] == ["not_finite"]
        assert all(np.isfinite(m.data.vector).all() for m in made if not isinstance(m.data, Absent))


def test_fingerprints_tell_variants_apart():
    made = {BodyEmbedding(p, e).fingerprint for p in ("upper", "full") for e in (True, False)}
    assert len(made) == 4


def table(path, group):
    with path.open() as file:
        for row in csv.DictReader(file):
            names = [key[:-2] for key in row if key.endswith("_x")]
            points = np.array(
                [[float(row[f"{n}_{axis}"]) for axis in "xyz"] + [1.0] for n in names], np.float32
            )
            low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
            scale = 0.8 / (high - low).max()
            points[:, :2] = (points[:, :2] - (low + high) / 2) * scale + 0.5
            points[:, 2] *= scale
            yield body_vector(points, 1.0, "full"), row["label"], row[group]


@pytest.mark.parametrize(
    ("name", "group", "least"),
    [("fitness_landmarks", "group", 0.85), ("yoga_landmarks", "person", 0.97)],
)
def test_five_examples_tell_other_peoples_poses_apart(needs_data, name, group, least):
    vectors, labels, groups = map(
        np.array, zip(*table(needs_data(name) / "labels.csv", group), strict=True)
    )
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rng = np.random.default_rng(0)
    right = []
    for one in sorted(set(groups)):
        others, tested = np.flatnonzero(groups != one), np.flatnonzero(groups == one)
        taught = np.concatenate(
            [rng.permutation(others[labels[others] == label])[:5] for label in sorted(set(labels))]
        )
        nearest = taught[(vectors[tested] @ vectors[taught].T).argmax(axis=1)]
        right.append((labels[nearest] == labels[tested]).mean())
    assert np.mean(right) >= least
