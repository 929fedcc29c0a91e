"""Resampling as a stream is resampling as a whole."""

from __future__ import annotations

import numpy as np
import pytest
import soxr

from tmstream.backends.resample import Mono


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000, 192_000])
def test_however_cut_it_is_what_soxr_makes_of_the_whole(rate: int) -> None:
    stereo = np.random.default_rng(2).normal(0, 0.1, (rate, 2)).astype(np.float32)
    mono = Mono(rate, 16000)
    made, at = [], 0
    for cut in [1, 700, 3, 12_345, rate]:
        made.append(mono.push(stereo[at : at + cut]))
        at += cut
    made.append(mono.push(np.zeros((0, 2), np.float32), last=True))
    whole = soxr.resample(stereo.mean(axis=1), rate, 16000)
    np.testing.assert_allclose(np.concatenate(made)[:15900], whole[:15900], atol=1e-5)
