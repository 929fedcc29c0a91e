"""Landmarks of bodies, hands and faces of real clips and photos, found by the real landmarker."""

import asyncio
import os
import signal
import sys
from itertools import pairwise

import numpy as np
import pytest

from tests.features.scenes import DARK, FRAME_US, ROOM, kinds
from tmstream.backends.pictures import decode_picture
from tmstream.capture.pictures import Pictures
from tmstream.capture.video_file import VideoFile
from tmstream.capture.walker import MOVES, body_points
from tmstream.core.packet import Absent, Embedding, Gap, Image, Landmarks, Packet, Presence
from tmstream.embed.body import BodyEmbedding, body_vector
from tmstream.features.body import BodyLandmarks
from tmstream.features.face import FaceLandmarks
from tmstream.features.hands import HandLandmarks
from tmstream.testing import FakeServices, check_order, check_transform, feed, opened


@pytest.mark.parametrize("make", [BodyLandmarks, HandLandmarks, FaceLandmarks])
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
    nodes = [opened(make()), opened(make())]  # at once: their processes start side by side
    try:
        made = check_transform(iter(nodes).__next__, packets)
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


@pytest.fixture(scope="module")
def staff(needs_data):
    """Give what sees the pose in a picture, the photos of poses, and how each is seen."""
    node = opened(BodyLandmarks())
    times = iter(range(0, 10**12, 1_000_000))

    def seen(picture):
        t_us = next(times)
        made = kinds(feed(node, Packet(t_us, Gap("next")), Packet(t_us, Image(picture))), Landmarks)
        vector = body_vector(made[0].points, made[0].aspect, "upper")
        return vector / np.linalg.norm(vector), float(made[0].points[[23, 24], 1].mean())

    photos = [
        (file.parent.name, decode_picture(file))
        for file in sorted(needs_data("pose_staff_photos").glob("*/*.jpg"))
    ]
    try:
        yield seen, photos, [seen(picture) for _, picture in photos]
    finally:
        node.close()


@pytest.mark.parametrize("change", ["small", "cut"])
def test_the_same_pose_from_afar_or_cut_at_the_hips_is_the_same(staff, change):
    import cv2

    def changed(picture, hips):
        height, width, _ = picture.shape
        if change == "cut":
            return np.ascontiguousarray(picture[: round(hips * height)])
        small = cv2.resize(picture, None, fx=1 / 3, fy=1 / 3, interpolation=cv2.INTER_AREA)
        edges = height // 3, height // 3, width // 3, width // 3
        return cv2.copyMakeBorder(small, *edges, cv2.BORDER_CONSTANT, value=(110, 110, 110))

    seen, photos, taught = staff
    poses = [pose for pose, _ in photos]
    vectors = np.array([vector for vector, _ in taught])
    asked = [seen(changed(p, hips))[0] for (_, p), (_, hips) in zip(photos, taught, strict=True)]
    assert [poses[int((vectors @ one).argmax())] for one in asked] == poses


EYES = ((33, 133, 159, 145), (263, 362, 386, 374))  # corners and lids of the face: right, left


def apart(pictures):
    """Return packets of pictures none of which follows another."""
    for i, pixels in enumerate(pictures):
        yield Packet(2 * i * FRAME_US, Gap("another picture"))
        yield Packet(2 * i * FRAME_US, Image(pixels))


def features_of(face, body):
    """Return nose, eyes and mouth's corners (5, 2) by the face's points, and by the body's."""
    eyes = [face[list(eye), :2].mean(axis=0) for eye in EYES]
    return np.array([face[4, :2], *eyes, *face[[61, 291], :2]]), body[[0, 5, 2, 10, 9], :2]


def test_points_of_real_faces_lie_where_the_bodys_nose_eyes_and_mouth_do(needs_data):
    folder = needs_data("webcam_pose_photos")
    pictures = [p for name in ("rest", "hand_raised") for p in shown(Pictures(str(folder / name)))]
    photos = [p.data.pixels for p in pictures if isinstance(p.data, Image)][::2]
    mirrored = [np.ascontiguousarray(pixels[:, ::-1]) for pixels in photos]
    faces, again, bodies = (
        kinds(watch(make(), apart(some)), Landmarks)
        for make, some in (
            (FaceLandmarks, photos),
            (FaceLandmarks, mirrored),
            (BodyLandmarks, photos),
        )
    )
    assert len(faces) == len(again) == len(bodies) == len(photos)
    other, itself = [], []
    for one, mirror, body in zip(faces, again, bodies, strict=True):
        size = np.array([one.aspect, 1.0])
        width = np.hypot(*((one.points[234, :2] - one.points[454, :2]) * size))
        own, bodys = features_of(one.points, body.points)
        turned = features_of(mirror.points, body.points)[0][[0, 2, 1, 4, 3]] * (-1, 1) + (1, 0)
        other.append(np.hypot(*((own - bodys) * size).T).mean() / width)
        itself.append(np.hypot(*((own - turned) * size).T).mean() / width)
    # The body's own points differ by .046 of it from those of the mirrored photo.
    assert np.median(other) < 0.075
    assert np.median(itself) < 0.025


def test_a_face_in_a_stream_is_one_all_along_and_two_are_two(needs_data):
    clip = shown(VideoFile(str(needs_data("webcam_clips") / "asl_yes.mkv"), end_s=0.8))
    heads = [(p.t_us, p.data.pixels[:, 160:480]) for p in clip]
    both = [Packet(t, Image(np.concatenate([at, at[:, ::-1]], axis=1))) for t, at in heads]
    made = watch(FaceLandmarks(faces=2), both)
    check_order(made)
    found = kinds(made, Landmarks)
    left = {one.subject for one in found if one.points[4, 0] < 0.5}
    right = {one.subject for one in found if one.points[4, 0] >= 0.5}
    assert len(found) >= 1.9 * len(clip)
    assert len(left) == len(right) == 1
    assert left != right


def test_fruit_has_no_face(needs_data):
    photos = shown(Pictures(str(needs_data("grocery_photos") / "banana")))[:8]
    made = watch(FaceLandmarks(), photos)
    assert {one.reason for one in kinds(made, Absent)} == {"no_person"}
    assert not kinds(made, Landmarks)
