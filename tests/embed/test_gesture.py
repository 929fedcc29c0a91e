import asyncio

import numpy as np
import pytest

from tmstream.capture.walker import Walker
from tmstream.core.packet import Absent, Embedding, Gap, Landmarks, Packet
from tmstream.embed.gesture import GestureEmbedding
from tmstream.testing import check_transform, feed, opened

MOVES = ("wave", "circle", "swipe", "squat")


def walk(**params):
    async def all_of():
        return [packet async for packet in Walker(**params).packets()]

    return asyncio.run(all_of())


def movements(move, seed, speed=1.0, size=1.0, times=3):
    packets = walk(
        moves=[move], seed=seed, speed=speed, size=size, every_s=5, seconds=5 * times, fps=30
    )
    made = feed(opened(GestureEmbedding()), *packets, Packet(packets[-1].t_us + 1, Gap("end")))
    return [one for one in made if isinstance(one.data, Embedding)]


def test_every_movement_is_one_example_with_its_span():
    made = movements("wave", 0, times=4)
    assert len(made) == 4
    for turn, one in enumerate(made):
        assert one.t_us / 1e6 == pytest.approx(5 * turn + 0.5, abs=0.3)
        assert 0.8e6 < one.data.end_us - one.t_us < 2.5e6
        assert one.data.phase == "final"
    assert len({one.data.take for one in made}) == 4


def test_movements_at_other_speeds_and_sizes_are_told_apart():
    taught = [(move, one.data.vector) for move in MOVES for one in movements(move, 1)]
    right = tried = 0
    for move in MOVES:
        for speed, size in ((0.6, 1.0), (1.6, 0.6), (1.0, 0.3), (2.0, 0.4)):
            for one in movements(move, 7, speed, size, times=2):
                cosines = [v @ one.data.vector / np.linalg.norm(v) for _, v in taught]
                right += taught[int(np.argmax(cosines))][0] == move
                tried += 1
    assert tried >= 32
    assert right / tried >= 0.9


def test_standing_still_is_none():
    packets = walk(moves=["stand"], seconds=6)
    made = feed(opened(GestureEmbedding()), *packets)
    assert 40 <= len(made) <= 60  # in 6 s, of 180 frames
    assert all(isinstance(one.data, Absent) and one.data.reason == "still" for one in made)


def test_a_frame_that_comes_twice_changes_nothing():
    packets = walk(moves=["wave"], seconds=5)
    once, twice = (
        feed(opened(GestureEmbedding()), *(one for one in packets for _ in range(times)))
        for times in (1, 2)
    )
    assert [one.t_us for one in once] == [one.t_us for one in twice]
    for one, other in zip(once, twice, strict=True):
        if isinstance(one.data, Embedding):
            np.testing.assert_array_equal(one.data.vector, other.data.vector)


def test_who_is_away_for_two_seconds_has_left_and_is_forgotten():
    node = opened(GestureEmbedding())
    packets = walk(moves=["wave"], every_s=5, seconds=1.8)  # in the midst of it
    feed(node, *packets)
    last_us = packets[-1].t_us

    def nobody(seconds):
        t_us = last_us + round(seconds * 1e6)
        return feed(node, Packet(t_us, Absent("body", "no_person", t_us)))

    assert [type(one.data) for one in nobody(1.9)] == [Absent]
    assert [type(one.data) for one in nobody(2.1)] == [Embedding, Absent]
    assert node._people == {}


def test_two_people_move_independently():
    made = feed(opened(GestureEmbedding()), *walk(moves=["wave", "stand"], people=2, seconds=7))
    subjects = {one.data.subject for one in made if isinstance(one.data, Embedding)}
    assert subjects == {"p1", "p2"}


def test_it_keeps_the_promises_of_a_transform():
    packets = walk(moves=["wave"], seconds=4)
    points = packets[0].data.points
    bad = np.full((33, 4), np.nan, np.float32)
    packets += [
        Packet(5_000_000, Landmarks(bad, "body", "p1")),
        Packet(5_100_000, Landmarks(points, "body", "p1")),
        Packet(5_100_000, Landmarks(points[:21], "hand", "h1")),
        Packet(5_200_000, Absent("body", "no_person", 5_200_000)),
        Packet(5_300_000, Gap("lost")),
    ]
    made = check_transform(lambda: opened(GestureEmbedding()), packets)
    assert any(isinstance(one.data, Embedding) for one in made)
    assert "not_finite" in {one.data.reason for one in made if isinstance(one.data, Absent)}
