"""Body and hand landmarks: a fake landmarker for the rules, the real one for real clips."""

import asyncio
import os
import signal
import sys
from itertools import pairwise

import numpy as np
import pytest

from tmstream.backends.landmarker import Found
from tmstream.backends.pictures import decode_picture
from tmstream.capture.pictures import Pictures
from tmstream.capture.video_file import VideoFile
from tmstream.capture.walker import MOVES, body_points
from tmstream.core.errors import DeviceError
from tmstream.core.packet import Absent, Embedding, Gap, Image, Landmarks, Packet, Presence
from tmstream.embed.body import BodyEmbedding, body_vector
from tmstream.features._eye import Eye
from tmstream.features.body import BodyLandmarks
from tmstream.features.hands import HandLandmarks
from tmstream.testing import FakeServices, check_order, check_transform, feed, opened

FRAME_US = 33_333
ROOM = np.full((240, 320, 3), 120, np.uint8)
DARK = np.full((240, 320, 3), 5, np.uint8)


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


def kinds(made, kind):
    return [packet.data for packet in made if isinstance(packet.data, kind)]


def test_people_arrive_depart_and_never_share_an_id(scripted):
    scripted([[], [body()], [body()], *[[]] * 60, [body()]])
    made = feed(opened(BodyLandmarks()), *frames(64))
    check_order(made)
    assert [(p.subject, p.state) for p in kinds(made, Presence)] == [
        ("p1", "arrive"),
        ("p1", "depart"),
        ("p2", "arrive"),
    ]
    assert {a.reason for a in kinds(made, Absent)} == {"no_person"}


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
    assert far.size < 0.3 < near_by.size


def test_focus_follows_the_nearest_and_does_not_flutter(scripted):
    script = [[body(0.3, s), body(0.7, 0.6)] for s in (0.7, 0.58, 0.62, 0.55, 0.4)]
    scripted(script)
    made = kinds(feed(opened(BodyLandmarks(people=2, focus="nearest")), *frames(5)), Landmarks)
    assert [one.subject for one in made] == ["p1"] * 4 + ["p2"]


def test_a_zone_is_seen_alone_and_given_in_the_whole_picture(scripted, monkeypatch):
    scripted([[body(0.5)]])
    looked = []
    whole = Eye.look
    monkeypatch.setattr(Eye, "look", lambda self, t, p: looked.append(p.shape) or whole(self, t, p))
    node = opened(BodyLandmarks(zone=[0.5, 0.0, 1.0, 1.0], smooth_hz=0))
    (made,) = kinds(feed(node, *frames(1)), Landmarks)
    assert looked == [(240, 160, 3)]
    assert made.points[0, 0] == pytest.approx(0.75, abs=2e-3)
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


@pytest.mark.parametrize("make", [BodyLandmarks, HandLandmarks])
def test_the_real_one_keeps_the_promises_of_a_transform(make):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (96, 128, 3), dtype=np.uint8)
    pictures = [
        ROOM,
        np.zeros((0, 0, 3), np.uint8),
        np.zeros((1, 1, 3), np.uint8),
        np.zeros((64, 64, 3), np.float32),
        noise,
        DARK,
    ]
    packets = [Packet(i * FRAME_US, Image(p)) for i, p in enumerate(pictures)]
    packets.insert(4, Packet(4 * FRAME_US - 1, Gap("lost")))
    nodes = []

    def fresh():
        nodes.append(opened(make()))
        return nodes[-1]

    try:
        made = check_transform(fresh, packets)
    finally:
        for node in nodes:
            node.close()
    assert [one.reason for one in kinds(made, Absent)] == [
        "no_person",
        *["bad_frame"] * 3,
        "no_person",
        "too_dark",
    ]


def shown(source):
    async def all_of():
        await source.open(FakeServices())
        return [packet async for packet in source.packets()]

    return asyncio.run(all_of())


def watch(node, packets):
    opened(node)
    try:
        return feed(node, *packets)
    finally:
        node.close()


def test_somebody_at_a_webcam_is_followed_all_along(needs_data):
    packets = shown(VideoFile(str(needs_data("webcam_clips") / "asl_walk.mkv"), end_s=1.5))
    made = watch(BodyLandmarks(people=2), packets)
    check_order(made)
    assert {one.subject for one in kinds(made, Landmarks)} == {"p1"}
    assert len(kinds(made, Landmarks)) >= 0.95 * len(packets)
    assert kinds(made, Presence)[0].cut_off == ("legs",)


def test_two_real_people_side_by_side(needs_data):
    clip = needs_data("webcam_clips") / "asl_walk.mkv"
    one = shown(VideoFile(str(clip), end_s=1.0))
    both = [
        Packet(p.t_us, Image(np.concatenate([p.data.pixels, p.data.pixels[:, ::-1]], axis=1)))
        for p in one
    ]
    made = kinds(watch(BodyLandmarks(people=2), both), Landmarks)
    left = {one.subject for one in made if one.points[0, 0] < 0.5}
    right = {one.subject for one in made if one.points[0, 0] >= 0.5}
    assert len(left) == len(right) == 1
    assert left != right


def test_entering_and_leaving_is_seen(needs_data):
    clip = shown(VideoFile(str(needs_data("webcam_clips") / "asl_walk.mkv"), end_s=1.0))
    empty = np.full_like(clip[0].data.pixels, 110)
    pictures = [empty] * 10 + [p.data.pixels for p in clip] + [empty] * 55
    packets = [Packet(i * FRAME_US, Image(p)) for i, p in enumerate(pictures)]
    made = [
        (one.data.state, round(one.t_us / FRAME_US))
        for one in watch(BodyLandmarks(), packets)
        if isinstance(one.data, Presence)
    ]
    assert [state for state, _ in made] == ["arrive", "depart"]
    assert 10 <= made[0][1] <= 12
    assert made[1][1] == pytest.approx(10 + len(clip) + 46, abs=6)


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


def test_small_photos_of_hands_are_found_and_photos_do_not_mix(needs_data):
    folder = needs_data("hand_digits_photos")
    packets = shown(Pictures(str(folder / "5")))
    made = watch(HandLandmarks(), packets)
    found = kinds(made, Landmarks)
    assert len(found) >= len(packets) // 2 - 1
    assert {one.side for one in found} == {"right"}
    again = kinds(watch(HandLandmarks(), packets[20:22]), Landmarks)
    at = next(
        i
        for i, p in enumerate(made)
        if p.t_us == packets[20].t_us and isinstance(p.data, Landmarks)
    )
    np.testing.assert_array_equal(again[0].points, made[at].data.points)


def test_a_photo_without_a_person_has_a_reason(needs_data):
    folder = needs_data("grocery_photos") / "banana"
    made = watch(BodyLandmarks(), shown(Pictures(str(folder)))[:8])
    assert not kinds(made, Landmarks)
    assert {one.reason for one in kinds(made, Absent)} == {"no_person"}


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_killed_process_is_replaced_in_the_middle_of_a_clip(needs_data):
    packets = shown(VideoFile(str(needs_data("webcam_clips") / "asl_walk.mkv"), end_s=1.0))
    node = opened(BodyLandmarks())
    try:
        before = feed(node, *packets[:10])
        os.kill(node._eye._landmarker.pid, signal.SIGKILL)
        after = feed(node, *packets[10:])
    finally:
        node.close()
    assert len(kinds(after, Gap)) == 1
    subjects = {one.subject for one in kinds([*before, *after], Landmarks)}
    assert subjects == {"p1"}
    assert len(kinds(after, Landmarks)) >= len(packets) - 13


def test_real_squats_are_counted_with_poses_taught_by_the_walker(needs_data):
    def taught(move, t_s):
        points = body_points(MOVES[move](t_s, 1.0), 0.9, 0.5, 4 / 3)
        vector = body_vector(points, 4 / 3, "full")
        return vector / np.linalg.norm(vector)

    packets = shown(VideoFile(str(needs_data("webcam_clips") / "squats.mp4")))
    made = feed(opened(BodyEmbedding(parts="full")), *watch(BodyLandmarks(), packets))
    vectors = [one.vector for one in kinds(made, Embedding)]
    assert len(vectors) >= 0.95 * len(packets)
    down, up = taught("squat", 0.75), taught("stand", 0.1)
    low = [bool(one @ down > one @ up) for one in vectors]
    assert sum(after and not before for before, after in pairwise(low)) == 3


@pytest.mark.parametrize("change", ["small", "cut"])
def test_the_same_pose_from_afar_or_cut_at_the_hips_is_the_same(needs_data, change):
    import cv2

    def changed(picture, hips):
        height, width, _ = picture.shape
        if change == "cut":
            return np.ascontiguousarray(picture[: round(hips * height)])
        small = cv2.resize(picture, None, fx=1 / 3, fy=1 / 3, interpolation=cv2.INTER_AREA)
        edges = height // 3, height // 3, width // 3, width // 3
        return cv2.copyMakeBorder(small, *edges, cv2.BORDER_CONSTANT, value=(110, 110, 110))

    files = sorted(needs_data("pose_staff_photos").glob("*/*.jpg"))
    node = opened(BodyLandmarks())
    times = iter(range(0, 10**12, 1_000_000))

    def seen(picture):
        t_us = next(times)
        made = kinds(feed(node, Packet(t_us, Gap("next")), Packet(t_us, Image(picture))), Landmarks)
        vector = body_vector(made[0].points, made[0].aspect, "upper")
        return vector / np.linalg.norm(vector), float(made[0].points[[23, 24], 1].mean())

    try:
        pictures = [decode_picture(file) for file in files]
        taught = [seen(picture) for picture in pictures]
        asked = [seen(changed(p, hips))[0] for p, (_, hips) in zip(pictures, taught, strict=True)]
    finally:
        node.close()
    vectors = np.array([vector for vector, _ in taught])
    found = [files[int((vectors @ one).argmax())].parent.name for one in asked]
    assert found == [file.parent.name for file in files]
