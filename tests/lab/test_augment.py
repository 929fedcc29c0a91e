from __future__ import annotations

import numpy as np
import pytest

from tests.lab.conftest import RATE_HZ, sound
from tmstream.core.packet import Landmarks
from tmstream.lab import augment
from tmstream.lab.decode import Sound


@pytest.mark.parametrize("variant", augment.VARIANTS["sound"])
def test_a_sound_stays_a_sound_of_its_kind(variant: str) -> None:
    given = sound("whistle", 1)[:, None]
    piece = Sound(given, RATE_HZ, 0.0, 0.2, 0.9)
    made = augment.sound(piece, variant)
    assert np.isfinite(made.samples).all()
    assert np.abs(made.samples).max() <= 1
    assert not np.array_equal(made.samples, given)
    assert made.samples.tobytes() == augment.sound(piece, variant).samples.tobytes()
    tempo = {"faster": 1 / augment.TEMPO, "slower": augment.TEMPO}.get(variant, 1.0)
    assert len(made.samples) == pytest.approx(len(given) * tempo, rel=0.01)
    assert made.until_s == pytest.approx(0.9 * tempo)


def test_pitch_goes_where_it_is_said_to_go() -> None:
    t = np.arange(RATE_HZ) / RATE_HZ
    piece = Sound(np.sin(2 * np.pi * 440 * t, dtype=np.float32)[:, None], RATE_HZ, 0.0, 0.0, 1.0)
    for variant, hz in (("higher", 440 * 2 ** (1 / 12)), ("lower", 440 / 2 ** (1 / 12))):
        heard = np.abs(np.fft.rfft(augment.sound(piece, variant).samples[:, 0]))
        assert heard.argmax() * RATE_HZ / len(t) == pytest.approx(hz, abs=3)


@pytest.mark.parametrize("variant", augment.VARIANTS["picture"])
def test_a_picture_keeps_its_size_and_changes(variant: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    made = augment.picture(pixels, variant)
    assert made.shape == pixels.shape
    assert made.dtype == np.uint8
    assert not np.array_equal(made, pixels)


@pytest.mark.parametrize("variant", augment.VARIANTS["hand"])
def test_landmarks_keep_their_shape(variant: str) -> None:
    points = np.random.default_rng(1).random((21, 4)).astype(np.float32)
    given = Landmarks(points, "hand", aspect=1.5)
    made = augment.landmarks(given, variant)

    def distances(one: Landmarks) -> np.ndarray:
        flat = one.points[:, :2] * [one.aspect, 1.0]
        return np.linalg.norm(flat[:, None] - flat[None], axis=-1)

    assert np.abs(distances(made) - distances(given)).max() < (0.1 if variant == "jitter" else 1e-5)
    assert np.array_equal(made.points[:, 3], points[:, 3])
    assert not np.array_equal(made.points, points)
