from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.lab.conftest import RATE_HZ, sound
from tmstream.core.errors import InputError
from tmstream.core.packet import Landmarks
from tmstream.lab import augment
from tmstream.lab.sample import Sound


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


# librosa 1.0 warns of what it does itself, and has an array cast before it is filled.
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore:invalid value:RuntimeWarning")
def test_pitch_and_tempo_are_changed_as_librosa_does() -> None:
    import librosa

    given = sound("whistle", 1)
    for variant, made in (
        ("higher", librosa.effects.pitch_shift(given, sr=RATE_HZ, n_steps=augment.SEMITONES)),
        ("slower", librosa.effects.time_stretch(given, rate=1 / augment.TEMPO)),
    ):
        ours = augment.sound(Sound(given[:, None], RATE_HZ, 0.0, 0.2, 0.9), variant).samples[:, 0]
        np.testing.assert_allclose(ours, np.clip(made, -1, 1), atol=1e-6)


def test_the_rooms_noise_lies_around_and_under_a_sound(tmp_path: Path) -> None:
    whistles = [sound("whistle", i)[:, None] for i in range(2)]
    room = np.random.default_rng(3).normal(0, 0.02, (44_100 * 3, 2)).astype(np.float32)
    soundfile.write(tmp_path / "room.wav", room, 44_100, subtype="FLOAT")
    heard = augment.room_of(tmp_path / "room.wav")
    rest = []
    for given in whistles:
        made = augment.sound(Sound(given, RATE_HZ, 3.0, 0.2, 0.9), "noise", heard)
        again = augment.sound(Sound(given, RATE_HZ, 3.0, 0.2, 0.9), "noise", heard)
        assert made.samples.tobytes() == again.samples.tobytes()
        before = round(augment.ROOM_BEFORE_S * RATE_HZ)
        noise = made.samples.copy()
        noise[before : before + len(given)] -= given
        itself = given[round(0.4 * RATE_HZ) : -round(0.4 * RATE_HZ)]
        level_db = 10 * np.log10(np.mean(noise**2) / np.mean(itself**2))
        assert level_db == pytest.approx(augment.ROOM_DB, abs=1.0)
        parts = np.array_split(noise, 8)
        assert min(np.std(part) for part in parts) > 0.9 * np.std(noise), "from start to end"
        at_s = augment.ROOM_BEFORE_S + 0.4
        asked = (made.from_s, made.until_s)
        assert asked == pytest.approx((at_s, at_s + len(itself) / RATE_HZ), abs=0.05)
        assert made.offset_s + made.from_s == pytest.approx(3.4, abs=0.05)
        rest.append(noise)
    alike = np.corrcoef(rest[0][:1000, 0], rest[1][:1000, 0])[0, 1]
    assert abs(alike) < 0.5, "another piece of it for each sound"
    soundfile.write(tmp_path / "silence.wav", np.zeros(RATE_HZ), RATE_HZ)
    with pytest.raises(InputError, match="silent"):
        augment.room_of(tmp_path / "silence.wav")


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
