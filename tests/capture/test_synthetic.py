"""The performer keeps time, repeats itself, and can be told apart."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from tmstream.capture.synthetic import MAKERS, Sound, Synthetic
from tmstream.core.packet import Packet


def perform(**params: Any) -> list[Packet[Any]]:
    async def run() -> list[Packet[Any]]:
        return [packet async for packet in Synthetic(**params).packets()]

    return asyncio.run(run())


def wave(packets: list[Packet[Any]]) -> np.ndarray:
    return np.concatenate([packet.data.samples[:, 0] for packet in packets])


def test_the_same_seed_is_the_same_performance_and_another_is_not() -> None:
    first = wave(perform(seconds=5.0, seed=4))
    assert np.array_equal(first, wave(perform(seconds=5.0, seed=4)))
    assert not np.array_equal(first, wave(perform(seconds=5.0, seed=5)))
    assert len(first) == 80_000
    assert np.abs(first).max() <= 1.0


def test_times_count_samples() -> None:
    packets = perform(seconds=3.0, rate_hz=44100)
    counts = np.cumsum([0, *(len(p.data.samples) for p in packets[:-1])])
    assert [p.t_us for p in packets] == [round(n * 1e6 / 44100) for n in counts]


def test_each_sound_begins_half_a_second_into_its_turn() -> None:
    samples = wave(perform(sounds=["clap", "knock"], every_s=1.5, seconds=6.0))
    power = (samples.reshape(-1, 160) ** 2).mean(axis=1)
    loud = np.flatnonzero(power > 1e-3) / 100
    starts = loud[np.diff(loud, prepend=-9) > 0.5]
    np.testing.assert_allclose(starts, [0.5, 2.0, 3.5, 5.0], atol=0.02)


@pytest.mark.parametrize("name", list(MAKERS))
def test_every_sound_fits_its_turn_and_the_range(name: Sound) -> None:
    for seed in range(5):
        made = MAKERS[name](np.random.default_rng(seed), 16000)
        assert len(made) <= 1.2 * 16000
        assert np.isfinite(made).all()
        if name != "silence":
            assert 0.1 < np.abs(made).max() < 2.0


def test_silence_is_the_room_alone() -> None:
    samples = wave(perform(sounds=["silence"], seconds=2.0, noise_db=-60.0))
    assert 20 * np.log10(samples.std()) == pytest.approx(-60, abs=0.5)


@pytest.mark.parametrize(
    "bad",
    [
        {"sounds": []},
        {"every_s": 0.1},
        {"noise_db": 3},
        {"seed": -1},
        {"seconds": 0.0},
        {"rate_hz": 3},
    ],
)
def test_a_parameter_out_of_range_is_named(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        Synthetic(**bad)
