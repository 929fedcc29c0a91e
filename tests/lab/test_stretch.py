"""The phase vocoder is the one that librosa has, and is there without waiting for it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from tmstream.lab import stretch

RATE_HZ = 16000


def noisy_tone(length: int) -> np.ndarray:
    rng = np.random.default_rng(length)
    tone = 0.3 * np.sin(2 * np.pi * 440 / RATE_HZ * np.arange(length))
    return (tone + rng.normal(0, 0.05, length)).astype(np.float32)


# librosa adds phases up in 32 bits, and strays further the longer a sound is.
@pytest.mark.filterwarnings("ignore:n_fft")
@pytest.mark.parametrize(("length", "apart"), [(1, 1e-6), (700, 2e-5), (3001, 2e-4), (16000, 3e-3)])
def test_sounds_are_those_of_librosa(length: int, apart: float) -> None:
    librosa = pytest.importorskip("librosa")
    samples = noisy_tone(length)
    for rate in (1.12, 1 / 1.12):
        theirs = librosa.effects.time_stretch(samples, rate=rate)
        np.testing.assert_allclose(stretch.stretched(samples, rate), theirs, atol=apart)
    for semitones in (1.0, -1.0):
        theirs = librosa.effects.pitch_shift(samples, sr=RATE_HZ, n_steps=semitones)
        np.testing.assert_allclose(stretch.shifted(samples, RATE_HZ, semitones), theirs, atol=apart)
    theirs = librosa.resample(samples, orig_sr=44_100, target_sr=RATE_HZ)
    np.testing.assert_allclose(stretch.resampled(samples, 44_100, RATE_HZ), theirs, atol=1e-6)


@pytest.mark.parametrize("semitones", [2.0, -2.0])
def test_a_tone_moves_by_so_many_semitones_and_stays_as_loud(semitones: float) -> None:
    tone = np.sin(2 * np.pi * 440 / RATE_HZ * np.arange(RATE_HZ)).astype(np.float32)
    moved = stretch.shifted(tone, RATE_HZ, semitones)[2048:-2048]
    spectrum = np.abs(np.fft.rfft(moved * np.hanning(len(moved)), 8 * RATE_HZ))
    assert spectrum.argmax() / 8 == pytest.approx(440 * 2 ** (semitones / 12), abs=1.0)
    assert np.sqrt(np.mean(moved**2)) == pytest.approx(np.sqrt(0.5), rel=0.1)


def test_variants_of_a_sound_wait_for_no_large_library() -> None:
    code = (
        "import sys, numpy as np; from tmstream.lab import augment; from tmstream.lab.decode import Sound\n"
        "piece = Sound(np.ones((4000, 1), np.float32), 16000, 0.0, 0.0, 0.25)\n"
        "for one in augment.VARIANTS['sound']: augment.sound(piece, one)\n"
        "print([m for m in ('librosa', 'scipy', 'numba', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
