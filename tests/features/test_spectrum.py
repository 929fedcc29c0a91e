"""A spectrum for the eye: right band, right level, right rate."""

from __future__ import annotations

import numpy as np
import pytest

from tmstream.core.packet import Audio, Gap, Packet
from tmstream.features.spectrum import Spectrum
from tmstream.maths.mel import hz_to_mel
from tmstream.testing import feed


def sine(hz: float, gain: float = 1.0, rate: int = 16000, seconds: float = 2.0) -> np.ndarray:
    t = np.arange(round(seconds * rate)) / rate
    return (gain * np.sin(2 * np.pi * hz * t)).astype(np.float32)[:, None]


def shown(samples: np.ndarray, rate: int = 16000, cut: int = 320, **params: float) -> list[Packet]:
    node = Spectrum(**params)  # type: ignore[arg-type]
    return feed(
        node,
        *(
            Packet(round(i * 1e6 / rate), Audio(samples[i : i + cut], rate))
            for i in range(0, len(samples), cut)
        ),
    )


@pytest.mark.parametrize("hz", [200.0, 1000.0, 5000.0])
@pytest.mark.parametrize("rate", [16000, 44100])
def test_a_sine_lights_its_band_and_has_its_level(hz: float, rate: int) -> None:
    made = shown(sine(hz, rate=rate), rate)
    edges = np.linspace(hz_to_mel(60.0), hz_to_mel(8000.0), 34)
    band = int(np.argmin(np.abs(edges[1:-1] - hz_to_mel(hz))))
    for packet in made:
        assert abs(int(packet.data.values[0].argmax()) - band) <= 1
        assert packet.data.level_db == pytest.approx(-3.0, abs=0.2)
        assert packet.data.values.shape == (1, 32)


def test_ten_times_weaker_is_twenty_decibels_less_and_silence_is_finite() -> None:
    loud, soft = shown(sine(1000.0))[3].data, shown(sine(1000.0, 0.1))[3].data
    assert loud.level_db - soft.level_db == pytest.approx(20, abs=0.01)
    silent = shown(np.zeros((32000, 1), np.float32))[0].data
    assert silent.level_db == -100.0
    assert (silent.values == -100.0).all()


@pytest.mark.parametrize("hz", [5.0, 20.0, 50.0])
@pytest.mark.parametrize("cut", [160, 5000])
def test_no_more_often_than_asked(hz: float, cut: int) -> None:
    made = shown(sine(500.0), cut=cut, hz=hz)
    assert len(made) == pytest.approx(2.0 * hz, abs=max(2, hz * 0.1))
    np.testing.assert_allclose(np.diff([p.t_us for p in made]), 1e6 / hz, atol=70)


@pytest.mark.parametrize("fault", [np.nan, np.inf, -np.inf, 3e38])
def test_a_gap_starts_anew_and_what_is_no_number_is_not_shown(fault: float) -> None:
    node = Spectrum()
    feed(node, Packet(0, Audio(sine(500.0)[:500], 16000)), Packet(1, Gap("late")))
    bad = sine(500.0)
    bad[100] = fault
    made = feed(node, Packet(9_000_000, Audio(bad, 16000)))
    assert made[0].t_us == 9_000_000
    assert all(np.isfinite(p.data.values).all() for p in made)
    assert all(p.data.level_db < 0.0 for p in made)


@pytest.mark.parametrize("bad", [{"bands": 0}, {"hz": 0}, {"low_hz": 9000.0}, {"least_db": 1.0}])
def test_a_parameter_out_of_range_is_named(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        Spectrum(**bad)  # type: ignore[arg-type]


def test_a_rate_below_twice_the_highest_band_still_fills_all() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (16000, 1)).astype(np.float32)
    for packet in shown(noise, rate=8000, bands=16):
        assert packet.data.values.min() > -60


def test_frames_follow_a_source_that_is_slewed() -> None:
    node, made = Spectrum(hz=10.0), []
    for second in range(100):
        block = Audio(np.zeros((16000, 1), np.float32), 16000)
        made += feed(node, Packet(second * 1_000_500, block))
    times = np.array([p.t_us for p in made])
    assert np.abs(times - np.arange(len(made)) * 100_050).max() < 2000
