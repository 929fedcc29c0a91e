"""A cast is many people: every turn another pitch, another room, and all of them audible."""

from __future__ import annotations

import numpy as np
import pytest

from tmstream.capture.cast import CAST, CLAP_HZ, HUM_HZ, WHISTLE_HZ, play

RATE_HZ = 16000
TURNS = 16


def played(name: str, turn: int) -> np.ndarray:
    made = play(name, np.random.default_rng([3, turn]), RATE_HZ, turn)
    assert made is not None
    return made


def peak_hz(sound: np.ndarray) -> float:
    """Return the loudest frequency."""
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(power.argmax() * RATE_HZ / len(sound))


def period_hz(sound: np.ndarray) -> float:
    """Return the pitch of what repeats itself, by autocorrelation (its middle 100 ms)."""
    middle = sound[len(sound) // 4 :][:1600]
    power = np.abs(np.fft.rfft(middle, 4096)) ** 2
    alike = np.fft.irfft(power)[: RATE_HZ // 60]
    shortest = RATE_HZ // 450
    return float(RATE_HZ / (shortest + alike[shortest:].argmax()))


@pytest.mark.parametrize("name", list(CAST))
def test_all_of_the_cast_are_heard_and_fit_their_turn(name: str) -> None:
    for turn in range(TURNS):
        made = played(name, turn)
        assert np.isfinite(made).all()
        assert 0.09 < np.abs(made).max() < 0.75
        assert len(made) < 2.2 * RATE_HZ


def test_hums_are_those_of_men_women_and_children() -> None:
    pitches = np.sort([period_hz(played("hum", turn)) for turn in range(TURNS)])
    assert HUM_HZ[0] / 1.2 < pitches[0] < 110
    assert 280 < pitches[-1] < HUM_HZ[1] * 1.2
    # No gap of more than a third: everybody's voice is near one of them.
    assert (pitches[1:] / pitches[:-1]).max() < 4 / 3


def test_whistles_and_claps_are_high_and_low() -> None:
    whistles = [peak_hz(played("whistle", turn)) for turn in range(TURNS)]
    assert min(whistles) < 1000
    assert WHISTLE_HZ[1] * 0.7 < max(whistles) < WHISTLE_HZ[1] * 1.6
    claps = [peak_hz(played("clap", turn)) for turn in range(TURNS)]
    assert min(claps) < CLAP_HZ[0] * 1.5
    assert max(claps) > CLAP_HZ[1] * 0.7


def test_a_hum_goes_on_and_a_clap_is_over() -> None:
    def half_s(sound: np.ndarray) -> float:
        """Return after how many seconds half of the energy was heard."""
        heard = np.cumsum(sound**2)
        return float(np.searchsorted(heard, heard[-1] / 2) / RATE_HZ)

    assert max(half_s(played("clap", turn)) for turn in range(TURNS)) < 0.1
    assert min(half_s(played("hum", turn)) for turn in range(TURNS)) > 0.25


def test_who_plays_no_part_is_none() -> None:
    assert play("knock", np.random.default_rng(0), RATE_HZ, 0) is None
