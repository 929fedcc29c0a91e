"""Many performers, made of arithmetic: other hands, lips, voices and rooms at every turn.

What one performer teaches, strangers are turned away from. So the demo is taught by a cast: the
ranges below are those of people, and every turn takes another place in them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Player = Callable[[np.random.Generator, int, int], Float64]
Gains = Callable[[npt.NDArray[np.floating]], Float64]

#: Steps of the golden ratio leave no gap: few turns already cover a range evenly (Kronecker).
GOLDEN = (5.0**0.5 - 1.0) / 2.0
#: Lowest and highest hum (Hz): from a low man's to a child's.
HUM_HZ = (85.0, 380.0)
#: What hums: formants (Hz), bandwidths (Hz) and gains. Mostly closed lips (a nasal murmur is low
#: and dull; Fujimura 1962), and now and then "oo", "aw" and "ah" (Peterson and Barney 1952).
LIPS = ((270.0, 1050.0, 2200.0), (80.0, 250.0, 400.0), (1.0, 0.12, 0.04))
OO = ((300.0, 870.0, 2240.0), (90.0, 110.0, 160.0), (1.0, 0.6, 0.3))
AW = ((570.0, 840.0, 2410.0), (90.0, 110.0, 160.0), (1.0, 0.6, 0.3))
AH = ((730.0, 1090.0, 2440.0), (90.0, 110.0, 160.0), (1.0, 0.6, 0.3))
MOUTHS = (LIPS, OO, LIPS, LIPS, AW, LIPS, AH, LIPS)
#: Centre of a clap (Hz): cupped palms to flat fingers (Repp 1987).
CLAP_HZ = (600.0, 2200.0)
WHISTLE_HZ = (800.0, 2600.0)
#: How a whistle bends: octaves over its length.
BENDS = (0.0, 0.4, -0.3, 0.2, 0.0, -0.5)


def play(name: str, rng: np.random.Generator, rate_hz: int, turn: int) -> Float64 | None:
    """Return what the performer of this turn makes of a sound; None where nobody plays it."""
    player = CAST.get(name)
    if player is None:
        return None
    made = _loudest(player(rng, rate_hz, turn))
    # A clap is never without its room: dry, it would be the click of a key.
    if name == "clap" or rng.random() < 0.75:
        made = _in_room(rng, made, rate_hz)
    return np.asarray(_loudest(made) * 10.0 ** (rng.uniform(-20.0, -3.0) / 20.0))


def _place(turn: int, low_hz: float, high_hz: float) -> float:
    """Return this turn's place in a range of frequencies."""
    return float(low_hz * (high_hz / low_hz) ** ((0.5 + turn * GOLDEN) % 1.0))


def clap(rng: np.random.Generator, rate_hz: int, turn: int) -> Float64:
    """Return one to three impacts within some milliseconds, ringing in the hollow of the hands."""
    t = np.arange(round(0.15 * rate_hz)) / rate_hz
    struck = np.zeros(len(t))
    for at_s in np.cumsum(rng.exponential(0.0015, rng.integers(1, 4))):
        decay = np.exp(-np.maximum(0.0, t - at_s) / rng.uniform(0.001, 0.008))
        struck += rng.uniform(0.5, 1.0) * rng.normal(0.0, 1.0, len(t)) * (t >= at_s) * decay
    low_hz, low_q = _place(turn, *CLAP_HZ), rng.uniform(0.6, 2.5)
    high_hz, high = low_hz * rng.uniform(1.5, 3.5), rng.uniform(0.1, 0.8)
    return _filtered(
        struck, rate_hz, lambda hz: _band(hz, low_hz, low_q) + high * _band(hz, high_hz, 2.0)
    )


def whistle(rng: np.random.Generator, rate_hz: int, turn: int) -> Float64:
    """Return a tone that stays, rises or falls, with some breath."""
    t = np.arange(round(rng.uniform(0.4, 1.0) * rate_hz)) / rate_hz
    bend = BENDS[turn % len(BENDS)] * rng.uniform(0.5, 1.5) * t / t[-1]
    vibrato = rng.uniform(0.0, 0.01) * np.sin(2 * np.pi * rng.uniform(4.0, 7.0) * t)
    phase = 2 * np.pi * np.cumsum(_place(turn, *WHISTLE_HZ) * 2.0**bend * (1 + vibrato)) / rate_hz
    tone = np.sin(phase) + rng.uniform(0.0, 0.08) * np.sin(2 * phase)
    breath = rng.normal(0.0, rng.uniform(0.01, 0.08), len(t))
    return (tone + breath) * _swell(t, rng.uniform(0.02, 0.06), rng.uniform(0.04, 0.1))


def hum(rng: np.random.Generator, rate_hz: int, turn: int) -> Float64:
    """Return harmonics of a voice through lips or an open mouth, with vibrato and breath."""
    t = np.arange(round(rng.uniform(0.8, 1.4) * rate_hz)) / rate_hz
    pitch_hz = _place(turn, *HUM_HZ)
    drift = 2.0 ** (rng.uniform(-0.12, 0.12) * t / t[-1])
    vibrato = rng.uniform(0.0, 0.015) * np.sin(2 * np.pi * rng.uniform(4.5, 6.5) * t)
    jitter = np.cumsum(rng.normal(0.0, 0.003, len(t))) / rate_hz**0.5
    phase = 2 * np.pi * np.cumsum(pitch_hz * drift * (1.0 + vibrato + jitter)) / rate_hz
    # Higher voices live in shorter throats, so their formants lie higher.
    size = (pitch_hz / 120.0) ** 0.22 * rng.uniform(0.9, 1.1)
    centres, widths, gains = MOUTHS[turn % len(MOUTHS)]
    uneven = [1.0, *rng.uniform(0.3, 2.0, 2)]

    def mouth(hz: npt.NDArray[np.floating]) -> Float64:
        shape = np.full(np.shape(hz), 0.003)
        for centre, width, gain, more in zip(centres, widths, gains, uneven, strict=True):
            shape += gain * more / (1.0 + ((hz - centre * size) / width) ** 2)
        return shape

    harmonics = np.arange(1, int(4500.0 / pitch_hz) + 1)
    loud = mouth(harmonics * pitch_hz) / harmonics ** rng.uniform(0.5, 1.7)
    voice = np.zeros(len(t))
    for n, gain in zip(harmonics, loud, strict=True):
        voice += gain * np.sin(n * phase)
    breath = _loudest(_filtered(rng.normal(0.0, 1.0, len(t)), rate_hz, mouth))
    voice = _loudest(voice) + rng.uniform(0.005, 0.08) * breath
    return voice * _swell(t, rng.uniform(0.04, 0.15), rng.uniform(0.06, 0.2))


def _in_room(rng: np.random.Generator, made: Float64, rate_hz: int) -> Float64:
    """Add the echoes of a room: noise that has fallen by 60 dB after 0.15 to 0.8 seconds."""
    fall_s = rng.uniform(0.15, 0.8)
    t = np.arange(round(0.8 * fall_s * rate_hz)) / rate_hz
    echoes = rng.normal(0.0, 1.0, len(t)) * 10.0 ** (-3.0 * t / fall_s) * (t > 0.003)
    echoes *= rng.uniform(0.1, 0.7) / float(np.sqrt((echoes**2).sum()))
    echoes[0] = 1.0
    size = 1 << (len(made) + len(echoes)).bit_length()
    return np.fft.irfft(np.fft.rfft(made, size) * np.fft.rfft(echoes, size))[
        : len(made) + len(echoes) - 1
    ]


def _filtered(sound: Float64, rate_hz: int, gain: Gains) -> Float64:
    """Return ``sound`` through the filter of these gains that answers soonest (minimum phase).

    Its cepstrum is the causal half of that of the gains (Oppenheim and Schafer, 1975).
    """
    size = 1 << (2 * len(sound) - 1).bit_length()
    cepstrum = np.fft.irfft(np.log(np.maximum(gain(np.fft.rfftfreq(size, 1 / rate_hz)), 1e-4)))
    cepstrum[1 : size // 2] *= 2.0
    cepstrum[size // 2 + 1 :] = 0.0
    response = np.exp(np.fft.rfft(cepstrum))
    return np.fft.irfft(np.fft.rfft(sound, size) * response)[: len(sound)]


def _band(hz: npt.NDArray[np.floating], centre_hz: float, q: float) -> Float64:
    """Return the gains of a resonance."""
    away = hz / centre_hz - centre_hz / np.maximum(hz, 1.0)
    return np.asarray(1.0 / np.sqrt(1.0 + (q * away) ** 2))


def _swell(t: Float64, attack_s: float, release_s: float) -> Float64:
    return np.asarray(np.minimum(1.0, np.minimum(t / attack_s, (t[-1] - t) / release_s)))


def _loudest(sound: Float64) -> Float64:
    """Return ``sound`` with its loudest sample at full scale."""
    return np.asarray(sound / np.abs(sound).max())


CAST: dict[str, Player] = {"clap": clap, "whistle": whistle, "hum": hum}
