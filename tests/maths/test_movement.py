import numpy as np
import pytest

from tmstream.maths.movement import Movement, MovementSegmenter, movement_vector

FPS = 30


def segments(path, jitter=0.0):
    rng = np.random.default_rng(1)
    cut = MovementSegmenter()
    made = []
    for i, point in enumerate(path):
        shaken = np.array([point]) + rng.normal(0, jitter, (1, 2))
        if (one := cut.push(i * 1_000_000 // FPS, shaken)) is not None:
            made.append(one)
    last = cut.finish()
    return made + ([last] if last else [])


def still(seconds, at=(0.0, 0.0)):
    return [at] * round(seconds * FPS)


def arc(seconds, size=1.0, turns=1.0):
    angle = np.linspace(0, 2 * np.pi * turns, round(seconds * FPS))
    return [(size * (np.cos(a) - 1), size * np.sin(a)) for a in angle]


def test_a_movement_is_found_where_it_is():
    (one,) = segments(still(1) + arc(1.0) + still(1), jitter=0.005)
    assert one.onset_us == pytest.approx(1_000_000, abs=200_000)
    assert one.end_us == pytest.approx(2_150_000, abs=250_000)
    assert (one.times_us[0], one.times_us[-1]) == (one.onset_us, one.end_us)  # and no rest after


def test_a_larger_movement_at_the_same_place_is_the_same():
    (one,) = segments(still(1) + arc(1.0, size=0.5) + still(1))
    middle = one.tracks.mean(axis=0)
    larger = one._replace(tracks=middle + 2 * (one.tracks - middle))
    np.testing.assert_allclose(movement_vector(larger), movement_vector(one), atol=1e-5)


def test_two_movements_with_a_pause_are_two():
    assert len(segments(still(1) + arc(0.8) + still(1.0) + arc(0.8) + still(1))) == 2


def test_standing_still_and_trembling_are_none():
    assert segments(still(5), jitter=0.01) == []


def test_a_twitch_is_none():
    assert segments(still(1) + [(0.3, 0.0)] * 2 + still(1)) == []


def test_a_movement_that_never_ends_is_cut():
    made = segments(arc(10, turns=10))
    assert len(made) >= 2
    assert all(one.end_us - one.onset_us <= 4_100_000 for one in made)


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def as_movement(path):
    times = np.arange(len(path)) * 1e6 / FPS
    return Movement(0, int(times[-1]), times, np.array(path)[:, None])


def test_speed_does_not_matter_and_direction_does():
    slow, fast = movement_vector(as_movement(arc(2))), movement_vector(as_movement(arc(0.7)))
    back = movement_vector(as_movement([(x, -y) for x, y in arc(2)]))
    assert cosine(slow, fast) > 0.995
    assert cosine(slow, back) < 0.8


def test_a_wave_is_a_wave_however_often_it_swings():
    def wave(times):
        t = np.linspace(0, times, 60)
        return movement_vector(as_movement([(0.5 * np.sin(2 * np.pi * x), -1.0) for x in t]))

    circle = movement_vector(as_movement(arc(2, 0.5)))
    assert cosine(wave(3), wave(4)) > 0.9 > cosine(wave(3), circle)
