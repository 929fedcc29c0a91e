"""Timbre is MFCC as librosa knows them, and deaf to loudness."""

from __future__ import annotations

import numpy as np
import pytest

from tmstream.maths.timbre import COEFFICIENTS, SIZE, cosines, timbre

TABLE = cosines(40, COEFFICIENTS)


def frames(count: int) -> np.ndarray:
    return np.random.default_rng(5).uniform(-60, -20, (count, 40)).astype(np.float32)


def test_the_cepstra_are_those_of_librosa_without_the_first() -> None:
    librosa = pytest.importorskip("librosa")
    theirs = librosa.feature.mfcc(S=frames(8).T, n_mfcc=20).T[:, 1:]
    made = timbre(frames(8), TABLE)
    np.testing.assert_allclose(made[:19], theirs[:2].mean(axis=0), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(made[57:76], theirs[6:].mean(axis=0), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(made[76:], theirs.std(axis=0), rtol=1e-4, atol=1e-3)


def test_twice_as_far_away_is_the_same_timbre() -> None:
    np.testing.assert_allclose(timbre(frames(9) - 6, TABLE), timbre(frames(9), TABLE), atol=1e-3)


def test_what_is_far_below_the_sound_is_not_heard() -> None:
    quiet, quieter = frames(9), frames(9)
    quiet[:, 30:], quieter[:, 30:] = -90, -120
    assert np.array_equal(timbre(quiet, TABLE), timbre(quieter, TABLE))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 1000])
def test_any_length_gives_the_same_shape(count: int) -> None:
    made = timbre(frames(count), TABLE)
    assert made.shape == (SIZE,)
    assert made.dtype == np.float32
    assert np.isfinite(made).all()
