"""The rules for landmarks of bodies, hands and faces, before a landmarker that sees what a script says."""

from typing import ClassVar

import numpy as np
import pytest

from tests.features.scenes import DARK, FRAME_US, ROOM, kinds
from tmstream.backends.landmarker import Found
from tmstream.capture.walker import MOVES, body_points
from tmstream.core.errors import DeviceError
from tmstream.core.packet import Absent, Gap, Image, Landmarks, Packet, Presence
from tmstream.features._eye import Eye
from tmstream.features.body import BodyLandmarks
from tmstream.features.face import FaceLandmarks
from tmstream.features.hands import HandLandmarks
from tmstream.testing import FakeServices, check_order, feed, opened


def body(centre=0.5, size=0.9, move="stand"):
    return Found(body_points(MOVES[move](1.0, 1.0), size, centre, 4 / 3), 1.0, None)


def forearm():
    """Return what the landmarker makes of a forearm: everything in a heap."""
    points = body().points.copy()
    points[:11, :2] = 0.5 + 0.005 * np.arange(22).reshape(11, 2) % 0.02
    points[11:23, :2] = 0.5 + 0.002 * np.arange(24).reshape(12, 2) % 0.01
    return Found(points, 1.0, None)


@pytest.fixture
def scripted(monkeypatch):
    """Let the eye see what a script says, without a process."""

    def install(script):
        seen = iter(script)

        def look(self, t_us, picture):
            now = next(seen)
            if isinstance(now, Exception):
                raise now
            return now

        monkeypatch.setattr(Eye, "open", lambda *_: None)
        monkeypatch.setattr(Eye, "look", look)

    return install


def frames(count, pixels=ROOM, start=0):
    return [Packet((start + i) * FRAME_US, Image(pixels)) for i in range(count)]


def test_people_arrive_depart_and_never_share_an_id(scripted):
    scripted([[], [body()], [body()], *[[]] * 60, [body()]])
    node = opened(BodyLandmarks())
    made = feed(node, *frames(64))
    check_order(made)
    assert [(p.subject, p.state) for p in kinds(made, Presence)] == [
        ("p1", "arrive"),
        ("p1", "depart"),
        ("p2", "arrive"),
    ]
    assert {a.reason for a in kinds(made, Absent)} == {"no_person"}
    assert set(node._followed._filters) == {"p2"}  # who departed is forgotten


def test_two_people_side_by_side_keep_their_ids(scripted):
    left, right = body(0.3), body(0.7)
    scripted([[left, right], [right, left], [right], [left, right]])
    made = kinds(feed(opened(BodyLandmarks(people=2)), *frames(4)), Landmarks)
    places = {(one.subject, round(float(one.points[0, 0]), 1)) for one in made}
    assert places == {("p1", 0.3), ("p2", 0.7)}


def test_one_person_found_twice_is_one(scripted):
    scripted([[body(0.5), body(0.505)]])
    assert len(kinds(feed(opened(BodyLandmarks(people=2)), *frames(1)), Landmarks)) == 1


def test_a_forearm_is_nobody(scripted):
    scripted([[forearm()]])
    assert [a.reason for a in kinds(feed(opened(BodyLandmarks()), *frames(1)), Absent)] == [
        "no_person"
    ]


def test_darkness_is_told_only_when_nobody_is_seen(scripted):
    scripted([[], [body()]])
    made = feed(opened(BodyLandmarks()), *frames(2, DARK))
    assert [a.reason for a in kinds(made, Absent)] == ["too_dark"]
    assert len(kinds(made, Landmarks)) == 1


def test_what_is_cut_off_is_information(scripted):
    near = body(0.5, 0.9).points.copy()
    near[:, 1] *= 1.7
    scripted([[Found(near, 1.0, None)], [body(0.5, 0.2)]])
    node = opened(BodyLandmarks())
    made = feed(node, *frames(1), Packet(FRAME_US, Gap("cut")), *frames(1, start=2))
    near_by, far = (p for p in kinds(made, Presence) if p.state == "arrive")
    assert near_by.cut_off == ("legs",)
    assert far.cut_off == ()
    assert far.size < 0.3 < near_by.size <= 1


def test_focus_follows_the_nearest_and_does_not_flutter(scripted):
    script = [[body(0.3, s), body(0.7, 0.6)] for s in (0.7, 0.58, 0.62, 0.55, 0.4)]
    scripted(script)
    made = feed(opened(BodyLandmarks(people=2, focus="nearest")), *frames(5))
    assert [one.subject for one in kinds(made, Landmarks)] == ["p1"] * 4 + ["p2"]
    check_order(made)
    # Whoever lost the focus is nobody to those who listen, though still seen.
    assert [(p.t_us // FRAME_US, p.data.subject) for p in made if isinstance(p.data, Absent)] == [
        (4, "p1")
    ]


def test_when_only_the_nearest_is_wanted_from_now_on_the_others_are_passed_over(scripted):
    scripted([[body(0.3), body(0.7, 0.6)]] * 3)
    node = opened(BodyLandmarks(people=2))
    feed(node, *frames(1))
    node.focus = "nearest"  # as `set` does
    gone = kinds(feed(node, *frames(2, start=1)), Absent)
    assert [one.subject for one in gone] == ["p2", "p2"]


def test_a_zone_is_seen_alone_and_given_in_the_whole_picture(scripted, monkeypatch):
    seen = body(0.5, move="squat")
    scripted([[seen]])
    looked = []
    whole = Eye.look
    monkeypatch.setattr(Eye, "look", lambda self, t, p: looked.append(p.shape) or whole(self, t, p))
    node = opened(BodyLandmarks(zone=[0.5, 0.0, 1.0, 1.0], smooth_hz=0))
    (made,) = kinds(feed(node, *frames(1)), Landmarks)
    assert looked == [(240, 160, 3)]
    assert made.points[0, 0] == pytest.approx(0.75, abs=2e-3)
    assert made.points[25, 2] == pytest.approx(seen.points[25, 2] / 2)  # of the whole width
    assert seen.points[25, 2] != 0
    with pytest.raises(ValueError, match="zone"):
        BodyLandmarks(zone=[0.5, 0, 0.4, 1])


def test_smoothing_calms_and_zero_leaves_alone(scripted):
    rng = np.random.default_rng(0)
    shaken = []
    for _ in range(60):
        one = body()
        one.points[:, :2] += rng.normal(0, 0.004, (33, 2)).astype(np.float32)
        shaken.append([one])
    spread = {}
    for hz in (0.0, 2.0):
        scripted(shaken)
        made = kinds(feed(opened(BodyLandmarks(smooth_hz=hz)), *frames(60)), Landmarks)
        spread[hz] = np.std([one.points[11, 0] for one in made[20:]])
    assert spread[2.0] < 0.7 * spread[0.0]


def test_a_fault_is_told_and_ids_outlive_it(scripted):
    scripted([[body()], DeviceError("it ended"), [body()]])
    services = FakeServices()
    node = BodyLandmarks()
    node.open(services)
    made = feed(node, *frames(3))
    assert [one.reason for one in kinds(made, Gap)] == ["it ended"]
    assert [one.subject for one in kinds(made, Landmarks)] == ["p1", "p1"]


def test_three_faults_in_a_row_are_the_engines_business(scripted):
    scripted([DeviceError("no")] * 3)
    node = opened(BodyLandmarks())
    with pytest.raises(DeviceError):
        feed(node, *frames(3))


def test_a_single_picture_without_anybody_is_looked_at_from_closer_and_a_stream_is_not(
    scripted, monkeypatch
):
    looked = []
    monkeypatch.setattr(Eye, "open", lambda *_: None)
    monkeypatch.setattr(Eye, "look", lambda self, t, picture: looked.append(picture.shape) or [])
    node, large = opened(BodyLandmarks()), np.full((480, 640, 3), 120, np.uint8)
    feed(node, *frames(2, large))
    assert looked == [(480, 640, 3)] * 2
    feed(node, Packet(10**6, Gap("another picture")), *frames(1, large, start=99))
    assert looked[2:] == [(480, 640, 3), *[(240, 320, 3)] * 7]


def test_a_landmarker_is_told_the_milliseconds_between_frames():
    class Landmarker:
        told: ClassVar = []

        def detect(self, picture, elapsed_ms, *, still):
            self.told.append((elapsed_ms, still))
            return []

        def forget(self):
            self.told.append("forget")

    eye = Eye("body", count=1, detection=0.5, zone=None)
    eye._landmarker = Landmarker()
    for t_us in (0, 40_000):
        eye.look(t_us, ROOM)
    eye.interrupted()
    eye.look(90_000, ROOM)
    assert Landmarker.told == [(33.0, False), (40.0, False), "forget", (33.0, True)]


def test_a_hand_seen_only_in_the_mirror_is_given_as_it_is(scripted, monkeypatch):
    shape = np.random.default_rng(1).uniform(0.1, 0.4, (21, 4)).astype(np.float32)
    shape[:, 3] = 1
    lit = ROOM.copy()
    lit[:, :10] = 255
    looks = []

    def look(self, t_us, picture):
        looks.append(picture)
        mirrored = picture[0, -1, 0] > picture[0, 0, 0]
        return [Found(shape.copy(), 0.9, "left")] if mirrored else []

    scripted([])
    monkeypatch.setattr(Eye, "look", look)
    gap = Packet(0, Gap("another sample"))
    node = opened(HandLandmarks(smooth_hz=0))
    (one,) = kinds(feed(node, gap, *frames(1, lit, start=1)), Landmarks)
    assert one.side == "right"
    np.testing.assert_allclose(one.points[:, 0], 1 - shape[:, 0], atol=1e-6)
    np.testing.assert_array_equal(one.points[:, 1:], shape[:, 1:])
    assert len(looks) == 4

    looks.clear()  # a stream has its next frame instead
    made = feed(opened(HandLandmarks()), *frames(2, lit))
    assert [a.reason for a in kinds(made, Absent)] == ["no_person"] * 2
    assert len(looks) == 2


def face(x=0.5, y=0.4, size=0.2):
    """Return points of a face in an oval around a place."""
    turn = np.linspace(0, 2 * np.pi, 468)
    oval = [x + size / 2 * np.sin(turn), y + size / 2 * np.cos(turn), 0 * turn, 1 + 0 * turn]
    return Found(np.column_stack(oval).astype(np.float32), 1.0, None)


def test_faces_keep_their_ids_and_depart(scripted):
    left, right = face(0.3), face(0.7)
    scripted([[left, right], [left, right], [right, left], [right], *[[]] * 60])
    made = feed(opened(FaceLandmarks(faces=2)), *frames(64))
    check_order(made)
    places = {
        (one.subject, round(float(one.points[:, 0].mean()), 1)) for one in kinds(made, Landmarks)
    }
    assert places == {("f1", 0.3), ("f2", 0.7)}
    gone = [a.subject for a in kinds(made, Absent) if a.subject]
    assert sorted(gone) == ["f1", "f2"]


def test_a_face_in_a_single_picture_is_looked_at_again_from_near(scripted, monkeypatch):
    looked, nearer = [], face(0.5, 0.5, 0.33)
    scripted([[face(0.25, 0.5)], [face(0.9, 0.5, 0.1), nearer]])
    whole = Eye.look
    monkeypatch.setattr(Eye, "look", lambda self, t, p: looked.append(p.shape) or whole(self, t, p))
    node = opened(FaceLandmarks(smooth_hz=0))
    made = kinds(feed(node, Packet(0, Gap("next")), *frames(1)), Landmarks)
    assert looked[0] == (240, 320, 3)
    height, width, _ = looked[1]
    assert height < 240
    assert width < 240
    # The crop begins at the left edge; of two faces in it the one in the same place is meant.
    assert made[0].points[:, 0].mean() == pytest.approx(0.5 * width / 320, abs=1e-3)


def test_a_small_face_in_a_single_picture_is_looked_for_in_parts(scripted):
    scripted([[], [], [face(0.5, 0.5)], []])
    big = np.zeros((480, 640, 3), np.uint8) + 90
    made = feed(opened(FaceLandmarks(smooth_hz=0)), Packet(0, Gap("next")), *frames(1, big))
    (found,) = kinds(made, Landmarks)
    assert found.points[:, :2].mean(axis=0) == pytest.approx((0.5, 0.75), abs=0.01)


def test_a_face_at_the_very_edge_has_nothing_nearer_to_look_at(scripted):
    beyond = face(1.2, 0.5, 0.1)
    scripted([[beyond]])
    made = feed(opened(FaceLandmarks(smooth_hz=0)), Packet(0, Gap("next")), *frames(1))
    (found,) = kinds(made, Landmarks)
    np.testing.assert_array_equal(found.points, beyond.points)
