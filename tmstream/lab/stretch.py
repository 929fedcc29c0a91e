"""Sounds made longer, shorter, higher or lower by a phase vocoder.

As ``librosa.effects.time_stretch`` and ``pitch_shift`` make them; importing those takes two seconds
and half a dozen large libraries.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..core.packet import Float32

SIZE, HOP = 2048, 512  #: samples of a frame, and from one to the next
#: Hann, periodic.
WINDOW: npt.NDArray[np.float32] = np.hanning(SIZE + 1)[:-1].astype(np.float32)
#: By how much each frequency turns from one frame to the next, in radians.
ADVANCE: npt.NDArray[np.float64] = np.linspace(0.0, np.pi * HOP, SIZE // 2 + 1)


def stretched(samples: Float32, rate: float) -> Float32:
    """Return mono ``samples`` played ``rate`` times as fast, at the same pitch."""
    return _sound(_paced(_spectrum(samples), rate), round(len(samples) / rate))


def shifted(samples: Float32, rate_hz: int, semitones: float) -> Float32:
    """Return mono ``samples`` of the same length, higher by ``semitones``."""
    rate = 2.0 ** (-semitones / 12)
    return fitted(resampled(stretched(samples, rate), rate_hz / rate, rate_hz), len(samples))


def resampled(samples: Float32, from_hz: float, to_hz: float) -> Float32:
    """Return mono ``samples`` at another rate."""
    import soxr

    made = soxr.resample(samples, from_hz, to_hz, quality="HQ")
    return fitted(np.asarray(made, np.float32), int(np.ceil(len(samples) * to_hz / from_hz)))


def fitted(samples: Float32, length: int) -> Float32:
    """Return ``samples`` cut, or filled with silence, to ``length``."""
    return np.pad(samples[:length], (0, max(0, length - len(samples))))


def _spectrum(samples: Float32) -> npt.NDArray[np.complex64]:
    """Return the short-time Fourier transform (frames, frequencies) of ``samples`` in silence."""
    padded = np.pad(samples, SIZE // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, SIZE)[::HOP]
    made: npt.NDArray[np.complex64] = np.fft.rfft(frames * WINDOW).astype(np.complex64)
    return made


def _paced(spectrum: npt.NDArray[np.complex64], rate: float) -> npt.NDArray[np.complex64]:
    """Return frames at every ``rate``-th place: loudness in between, phases carried on.

    Each frequency turns from frame to frame as far as it does between the two frames there.
    """
    places = np.arange(0, len(spectrum), rate)
    padded = np.pad(spectrum, ((0, 2), (0, 0)))
    first, share = places.astype(int), (places % 1.0)[:, None]
    loudness, angle = np.abs(padded), np.angle(padded).astype(np.float64)
    size = (1 - share) * loudness[first] + share * loudness[first + 1]
    beyond = angle[first + 1] - angle[first] - ADVANCE
    turn = ADVANCE + beyond - 2 * np.pi * np.round(beyond / (2 * np.pi))
    phase = angle[0] + np.concatenate([np.zeros((1, len(ADVANCE))), np.cumsum(turn[:-1], axis=0)])
    made: npt.NDArray[np.complex64] = (size * np.exp(1j * phase)).astype(np.complex64)
    return made


def _sound(spectrum: npt.NDArray[np.complex64], length: int) -> Float32:
    """Return the sound of a short-time Fourier transform, of ``length`` samples."""
    spectrum = spectrum[: -(-(length + SIZE) // HOP)]
    frames = np.fft.irfft(spectrum, SIZE) * WINDOW
    whole = np.zeros((2, HOP * (len(frames) - 1) + SIZE))
    for number, frame in enumerate(frames):
        at = number * HOP
        whole[:, at : at + SIZE] += frame, WINDOW**2
    made, weight = whole[:, SIZE // 2 :]
    loud = weight > np.finfo(np.float32).tiny
    made[loud] /= weight[loud]
    return fitted(made.astype(np.float32), length)
