"""Log-mel frames equal librosa's, however the stream is cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmstream.maths.mel import PowerStream, decibels, hann, hz_to_mel, mel_filters, mel_to_hz

librosa = pytest.importorskip("librosa")


def noise(count: int) -> np.ndarray:
    return np.random.default_rng(3).normal(0, 0.1, count).astype(np.float32)


@pytest.mark.parametrize(
    ("rate", "n_fft", "bands", "low", "high"),
    [(16000, 512, 40, 0, 8000), (16000, 512, 32, 60, 3800), (44100, 2048, 128, 20, 20000)],
)
def test_filters_are_those_of_librosa(
    rate: int, n_fft: int, bands: int, low: float, high: float
) -> None:
    theirs = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=bands, fmin=low, fmax=high).T
    np.testing.assert_allclose(mel_filters(rate, n_fft, bands, low, high), theirs, atol=1e-7)


def test_mels_and_back() -> None:
    hz = np.array([0.0, 500.0, 1000.0, 1001.0, 8000.0])
    np.testing.assert_allclose(mel_to_hz(hz_to_mel(hz)), hz)
    np.testing.assert_allclose(hz_to_mel(hz), librosa.hz_to_mel(hz))


@pytest.mark.parametrize(("n_fft", "bands"), [(512, 40), (512, 80), (1024, 64)])
def test_frames_are_those_of_librosa_within_a_thousandth_of_a_decibel(
    n_fft: int, bands: int
) -> None:
    samples = noise(16000) * np.linspace(0, 1, 16000, dtype=np.float32)
    stream = PowerStream(hann(n_fft, n_fft), 160, mel_filters(16000, n_fft, bands, 0, 8000))
    ours = decibels(stream.push(samples))
    theirs = librosa.power_to_db(
        librosa.feature.melspectrogram(
            y=samples.astype(np.float64), sr=16000, n_fft=n_fft, hop_length=160, n_mels=bands,
            center=False,
        ),
        top_db=None,
    ).T  # fmt: skip
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


@given(st.lists(st.integers(0, 700), max_size=30))
def test_the_cutting_of_a_stream_does_not_change_a_bit(cuts: list[int]) -> None:
    samples = noise(6000)
    make = lambda: PowerStream(hann(400, 512), 160, mel_filters(16000, 512, 40, 0, 8000))  # noqa: E731
    whole = make().push(samples)
    stream, at, rows = make(), 0, []
    for cut in [*cuts, len(samples)]:
        rows.append(stream.push(samples[at : at + cut]))
        at += cut
    assert np.array_equal(np.concatenate(rows), whole)


def test_reset_forgets_half_a_frame() -> None:
    stream = PowerStream(hann(400, 512), 160, mel_filters(16000, 512, 40, 0, 8000))
    first = stream.push(noise(2000))
    stream.push(noise(500))
    stream.reset()
    assert np.array_equal(stream.push(noise(2000)), first)
