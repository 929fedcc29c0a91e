"""Log-mel frames of a stream: one rfft per hop, the same however the stream is cut."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .ring import Tail

Float32 = npt.NDArray[np.float32]

#: Slaney's Auditory Toolbox (1998): linear below 1 kHz (66.67 Hz a mel), logarithmic above.
_BREAK_HZ, _HZ_PER_MEL, _LOG_STEP = 1000.0, 200.0 / 3.0, np.log(6.4) / 27.0


def hz_to_mel(hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return Slaney mels of frequencies in Hz."""
    hz = np.asarray(hz, np.float64)
    above = np.log(np.maximum(hz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return np.asarray(np.minimum(hz, _BREAK_HZ) / _HZ_PER_MEL + above)


def mel_to_hz(mel: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return frequencies in Hz of Slaney mels."""
    mel = np.asarray(mel, np.float64)
    knee = _BREAK_HZ / _HZ_PER_MEL
    return np.where(mel < knee, mel * _HZ_PER_MEL, _BREAK_HZ * np.exp(_LOG_STEP * (mel - knee)))


def mel_filters(rate_hz: int, n_fft: int, bands: int, low_hz: float, high_hz: float) -> Float32:
    """Return triangular filters of unit area, float32 ``(n_fft // 2 + 1, bands)``.

    Equal to ``librosa.filters.mel(...).T`` with its defaults (Slaney scale and area).
    """
    edges = mel_to_hz(np.linspace(hz_to_mel(low_hz), hz_to_mel(high_hz), bands + 2))
    bins = np.arange(n_fft // 2 + 1) * (rate_hz / n_fft)
    rising = (bins[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    area = 2.0 / (edges[2:] - edges[:-2])
    return (np.maximum(0.0, np.minimum(rising, falling)) * area).astype(np.float32)


def hann(length: int, n_fft: int) -> Float32:
    """Return a periodic Hann window of ``length``, centred in ``n_fft`` samples."""
    before = (n_fft - length) // 2
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)
    return np.pad(window, (before, n_fft - length - before)).astype(np.float32)


#: A sample a thousand times full scale is a fault of a file or driver, and no sound.
ABSURD = np.float32(1e3)


def audible(samples: Float32) -> Float32:
    """Return the mean of the channels, ``(n, channels)`` to ``(n,)``, with 0 for what is no sound.

    That is whatever is not finite or beyond `ABSURD`: its square would be no number either.
    """
    mono: Float32 = np.where(np.abs(samples) <= ABSURD, samples, np.float32(0)).mean(axis=1)
    return mono


class PowerStream:
    """Turns samples into weighted sums of their power spectrum, one row per hop.

    Row ``i`` covers samples ``[i * hop, i * hop + n_fft)``: nothing is padded. Every row is
    computed alone, so that the cutting of the stream cannot change its last bit.
    """

    def __init__(self, window: Float32, hop: int, weights: Float32) -> None:
        """``weights`` is float32 ``(n_fft // 2 + 1, bands)``."""
        self._window, self._hop = window, hop
        # |X|^2 is re^2 + im^2: squared where they lie, each with its bin's weight.
        self._weights = np.repeat(weights, 2, axis=0)
        self._tail = Tail(len(window))
        self._shaded = np.empty(len(window), np.float32)
        self._spectrum = np.empty(len(window) // 2 + 1, np.complex64)
        self._squares = self._spectrum.view(np.float32)

    def push(self, samples: Float32) -> Float32:
        """Take mono ``samples`` and return the rows they complete, float32 ``(rows, bands)``."""
        n_fft, hop = len(self._window), self._hop
        held = self._tail.extend(samples)
        rows = max(0, (len(held) - n_fft) // hop + 1)
        powers = np.empty((rows, self._weights.shape[1]), np.float32)
        window, weights, shaded = self._window, self._weights, self._shaded
        spectrum, squares, rfft = self._spectrum, self._squares, np.fft.rfft
        for row in range(rows):
            np.multiply(held[row * hop : row * hop + n_fft], window, shaded)
            rfft(shaded, out=spectrum)  # type: ignore[arg-type]  # single precision is taken
            np.multiply(squares, squares, squares)
            np.dot(squares, weights, powers[row])
        self._tail.drop(rows * hop)
        return powers

    def reset(self) -> None:
        """Forget the samples of an unfinished row."""
        self._tail.clear()


def decibels(power: Float32, floor: float = 1e-10) -> Float32:
    """Return ``10 log10(max(power, floor))``."""
    out: Float32 = np.maximum(power, np.float32(floor))
    np.log10(out, out)
    out *= np.float32(10.0)
    return out
