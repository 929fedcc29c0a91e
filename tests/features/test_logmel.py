"""Log-mel frames for other embedders, as librosa would make them."""

from __future__ import annotations

import numpy as np
import pytest

from tmstream.core.packet import Audio, Features, Gap, Packet
from tmstream.features.logmel import LogMel
from tmstream.testing import feed
from tmstream.window.slide import Slide


def stream(samples: np.ndarray, cut: int, start_us: int = 0) -> list[Packet]:
    samples = samples.reshape(len(samples), -1)
    return [
        Packet(start_us + round(i * 1e6 / 16000), Audio(samples[i : i + cut], 16000))
        for i in range(0, len(samples), cut)
    ]


def test_frames_and_times() -> None:
    librosa = pytest.importorskip("librosa")
    samples = np.random.default_rng(0).normal(0, 0.1, 8000).astype(np.float32)
    made = feed(LogMel(bands=64, n_fft=1024), *stream(samples, 777, start_us=5_000_000))
    ours = np.concatenate([p.data.values for p in made])
    theirs = librosa.power_to_db(
        librosa.feature.melspectrogram(
            y=samples, sr=16000, n_fft=1024, hop_length=160, n_mels=64, center=False
        ),
        top_db=None,
    ).T
    np.testing.assert_allclose(ours, theirs, atol=1e-3)
    frames = 0
    for packet in made:
        assert isinstance(packet.data, Features)
        assert packet.t_us == 5_000_000 + frames * 10_000
        assert packet.data.hop_s == 0.01
        frames += len(packet.data.values)


def test_channels_are_mixed_and_a_gap_starts_anew() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, (3200, 2)).astype(np.float32)
    node = LogMel()
    first = feed(node, *stream(samples, 3200))
    feed(node, *stream(samples[:200], 200), Packet(0, Gap("late")))
    again = feed(node, *stream(samples, 3200, start_us=9_000_000))
    assert np.array_equal(first[0].data.values, again[0].data.values)
    mixed = feed(LogMel(), *stream(samples.mean(axis=1), 3200))
    np.testing.assert_allclose(mixed[0].data.values, first[0].data.values, atol=1e-3)


def test_windows_that_overlap_are_each_taken_by_itself() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 32000).astype(np.float32)
    windows = feed(Slide(length_s=1.0, hop_s=0.5), *stream(samples, 320))
    made = feed(LogMel(), *windows)
    assert [p.t_us for p in made] == [p.t_us for p in windows] == [0, 500_000, 1_000_000]
    for packet, window in zip(made, windows, strict=True):
        (alone,) = feed(LogMel(), window)
        assert np.array_equal(packet.data.values, alone.data.values)


def test_frames_follow_a_source_that_is_slewed() -> None:
    node, late_us = LogMel(), 0
    for second in range(100):
        late_us = second * 500
        block = Audio(np.zeros((16000, 1), np.float32), 16000)
        (made,) = feed(node, Packet(second * 1_000_000 + late_us, block))
    assert abs(made.t_us + 30_000 - 99_000_000 - late_us) <= 1000  # three frames were waiting


@pytest.mark.parametrize("low_hz", [8000.0, 20_000.0])
def test_bands_above_what_the_rate_can_hold_are_numbers_too(low_hz: float) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 3200).astype(np.float32)
    (made,) = feed(LogMel(low_hz=low_hz), *stream(samples, 3200))
    assert np.isfinite(made.data.values).all()


@pytest.mark.parametrize("fault", [np.nan, np.inf, -np.inf, 3e38])
def test_what_is_no_number_is_not_heard(fault: float) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, (3200, 2)).astype(np.float32)
    bad = samples.copy()
    bad[100] = fault
    samples[100] = 0.0
    (made,), (meant,) = (feed(LogMel(), *stream(one, 3200)) for one in (bad, samples))
    assert np.array_equal(made.data.values, meant.data.values)


@pytest.mark.parametrize(
    "bad",
    [{"n_fft": 4}, {"hop": 0}, {"hop": 600}, {"bands": 0}, {"low_hz": -1}, {"high_hz": 0.0}],
)
def test_a_parameter_out_of_range_is_named(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        LogMel(**bad)  # type: ignore[arg-type]
