"""Samples are counted; the clock only corrects the count slowly, or after a loss."""

from __future__ import annotations

import numpy as np

from tmstream.capture._timeline import GAP_US, Timeline

BLOCK, RATE = 160, 16000


def run(seconds: float, ppm: float = 0.0, jitter_us: float = 0.0) -> np.ndarray:
    """Stamps of a device whose crystal is off by ``ppm``, minus the true instants."""
    rng, line, errors = np.random.default_rng(0), Timeline(RATE, latency_us=5000), []
    for i in range(round(seconds * RATE / BLOCK)):
        true_us = 1_000_000 + i * 10_000 * (1 + ppm * 1e-6)
        now_us = round(true_us + 10_000 + 5000 + rng.exponential(jitter_us))
        t_us, gap = line.stamp(BLOCK, now_us)
        assert not gap
        errors.append(t_us - true_us)
    return np.array(errors)


def test_late_arrival_does_not_move_the_stamps() -> None:
    errors = run(120, jitter_us=8000)
    assert abs(errors[-1]) < 600, "the most punctual blocks are right, however late the first was"
    assert np.ptp(errors[6000:]) < 600
    steps = np.diff(errors) + 10_000
    assert (np.abs(steps - 10_000) < 510).all()


def test_a_crystal_that_is_off_is_followed() -> None:
    for ppm in (-60.0, 60.0):
        errors = run(600, ppm=ppm)
        assert np.abs(errors - errors[0]).max() < 1500
        assert 20 * np.abs(errors - errors[0]).max() < 600 * 60, "the slew is what kept it there"


def test_time_starts_anew_after_a_stall_and_never_runs_back() -> None:
    line = Timeline(RATE)
    assert line.stamp(BLOCK, 1_000_000) == (990_000, False)
    assert line.stamp(BLOCK, 1_010_000 + GAP_US // 2) == (1_000_000, False)
    assert line.stamp(BLOCK, 2_000_000) == (1_990_000, True)
    assert line.stamp(BLOCK, 2_010_000) == (2_000_000, False)


def test_time_starts_anew_where_the_device_lost_some() -> None:
    line = Timeline(RATE)
    assert line.stamp(BLOCK, 1_000_000) == (990_000, False)
    assert line.stamp(BLOCK, 1_110_000, lost=True) == (1_100_000, True)  # 100 ms are missing
    assert line.stamp(BLOCK, 1_120_000) == (1_110_000, False)
    # What is handed over early cannot have been before what came before it.
    assert line.stamp(BLOCK, 1_121_000, lost=True) == (1_120_000, True)
