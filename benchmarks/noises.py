"""Remakes ``tmstream/head/noise_audio.npy``: common noise, as the audio embedder hears it.

Synthesised, so that no recording is among it: keys, knocks, plucked strings, rumble, chatter, hiss,
tones and rustling, loud and soft. ``python -m benchmarks.noises``
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tmstream.core.packet import Audio, Embedding, Float32, Packet
from tmstream.embed.audio import AudioEmbedding
from tmstream.head.noise import shipped
from tmstream.testing import feed, opened

Samples: TypeAlias = npt.NDArray[np.float64]
Random: TypeAlias = np.random.Generator

RATE_HZ = 16_000
SOUND_S = 1.6
#: Sounds of every kind, and of keys, which differ most from one another.
EACH, KEYS = 8, 24
#: Vectors kept; 600 turned away a few more noises, 64 let typing pass.
ROWS = 256


def shaped(rng: Random, count: int, low_hz: float, high_hz: float, slope: float = 0.0) -> Samples:
    """Return noise between two frequencies, its power falling as ``f ** slope``; spread 1."""
    spectrum = np.fft.rfft(rng.normal(size=count))
    at_hz = np.fft.rfftfreq(count, 1 / RATE_HZ)
    gain = np.maximum(at_hz, 20) ** (slope / 2)
    gain /= np.sqrt((1 + (low_hz / np.maximum(at_hz, 1)) ** 4) * (1 + (at_hz / high_hz) ** 4))
    made = np.fft.irfft(spectrum * gain, count)
    return np.asarray(made / made.std())


def struck(rng: Random, count: int, low_hz: float, high_hz: float, ring_s: float) -> Samples:
    """Return something hit: a burst of noise and a few partials that ring for about ``ring_s``."""
    t = np.arange(count) / RATE_HZ
    made = rng.normal(size=count) * np.exp(-t / rng.uniform(0.0008, 0.006))
    for _ in range(rng.integers(1, 5)):
        hz = np.exp(rng.uniform(np.log(low_hz), np.log(high_hz)))
        wave = np.sin(2 * np.pi * hz * t + rng.uniform(0, 2 * np.pi))
        made += rng.uniform(0.1, 1) * wave * np.exp(-t / rng.uniform(ring_s / 10, ring_s))
    return np.asarray(made / np.abs(made).max())


def repeated(
    rng: Random, count: int, one: Callable[[], Samples], least_s: float, most_s: float
) -> Samples:
    """Return a sound again and again, ``least_s`` to ``most_s`` apart, louder and softer."""
    made, at = np.zeros(count), int(rng.uniform(0, 0.1) * RATE_HZ)
    while at < count:
        sound = one()[: count - at] * rng.uniform(0.2, 1)
        made[at : at + len(sound)] += sound
        at += int(rng.uniform(least_s, most_s) * RATE_HZ)
    return made


def keys(rng: Random, count: int) -> Samples:
    """Return typing: every key goes down and, softer, up again."""

    def key() -> Samples:
        made = np.zeros(RATE_HZ // 4)
        for start_s, level in ((0.0, 1.0), (rng.uniform(0.04, 0.1), rng.uniform(0, 0.5))):
            start = int(start_s * RATE_HZ)
            made[start : start + 1920] += level * struck(rng, 1920, 150, 6500, 0.03)
        return made

    return repeated(rng, count, key, 0.07, 0.45)


def knocks(rng: Random, count: int) -> Samples:
    """Return something dull, knocked at or put down."""
    return repeated(rng, count, lambda: struck(rng, 4000, 60, 900, 0.06), 0.15, 0.8)


def strings(rng: Random, count: int) -> Samples:
    """Return plucked strings (Karplus and Strong, Computer Music Journal 7(2), 1983)."""

    def string() -> Samples:
        period = int(RATE_HZ / rng.uniform(80, 700))
        wave, made = rng.normal(size=period), []
        for _ in range(RATE_HZ // period):
            made.append(wave)
            wave = 0.995 * (wave + np.roll(wave, 1)) / 2
        return np.concatenate(made)

    return repeated(rng, count, string, 0.1, 0.6)


def rumble(rng: Random, count: int) -> Samples:
    """Return an engine or a train: low noise that beats."""
    t = np.arange(count) / RATE_HZ
    beat = np.sin(2 * np.pi * rng.uniform(1, 8) * t + rng.uniform(0, 2 * np.pi))
    low = shaped(rng, count, 20, 7900, -rng.uniform(1, 2.5)) * (1 + rng.uniform(0, 0.9) * beat)
    return low + rng.uniform(0, 0.5) * shaped(rng, count, 300, 3000)


def chatter(rng: Random, count: int) -> Samples:
    """Return a crowd: thirty voices nobody can make out, and some applause."""
    t, made = np.arange(count) / RATE_HZ, np.zeros(count)
    for _ in range(30):
        glide = 1 + 0.05 * np.cumsum(rng.normal(size=count)) / np.sqrt(count)
        phase = np.cumsum(2 * np.pi * rng.uniform(90, 400) * glide) / RATE_HZ
        formant = rng.uniform(2, 12)
        voice = np.sin(phase) + np.sin(np.round(formant) * phase)
        syllable = np.sin(2 * np.pi * rng.uniform(0.5, 5) * t + rng.uniform(0, 2 * np.pi))
        made += voice * np.maximum(syllable, 0)
    return made / made.std() + rng.uniform(0, 1) * shaped(rng, count, 500, 6000)


def hiss(rng: Random, count: int) -> Samples:
    """Return wind, breath or water: noise of any colour that comes and goes."""
    level = np.interp(np.arange(count), np.linspace(0, count, 8), rng.uniform(0, 1, 8))
    return shaped(rng, count, 20, 7900, rng.uniform(-2, 1)) * level


def tones(rng: Random, count: int) -> Samples:
    """Return a beep, a squeak or a siren: a few harmonics that glide."""
    t = np.arange(count) / RATE_HZ
    hz = np.exp(rng.uniform(np.log(100), np.log(4000)))
    phase = 2 * np.pi * hz * (t + (rng.uniform(0.5, 2) - 1) * t * t / 2)
    level = np.interp(t, [0, 0.02, t[-1] - 0.05, t[-1]], [0, 1, 1, 0])
    return sum(a * np.sin(k * phase) for k, a in enumerate(rng.uniform(0, 1, 4), 1)) * level


def rustle(rng: Random, count: int) -> Samples:
    """Return paper or clothes: high noise in quick gusts."""
    gusts = np.interp(np.arange(count), np.linspace(0, count, 40), rng.normal(size=40))
    return shaped(rng, count, rng.uniform(500, 3000), 7800) * gusts**2


KINDS = (keys, knocks, strings, rumble, chatter, hiss, tones, rustle)


def sounds() -> Iterator[Float32]:
    """Yield every sound (n, 1) at `RATE_HZ`, between -32 and -2 dB of full scale, and a pause."""
    rng = np.random.default_rng(1)
    for kind in KINDS:
        for _ in range(KEYS if kind is keys else EACH):
            made = kind(rng, int(SOUND_S * RATE_HZ))
            made *= 10 ** rng.uniform(-1.6, -0.1) / np.abs(made).max()
            padded = np.concatenate([np.zeros(RATE_HZ // 2), made, np.zeros(RATE_HZ)])
            yield (padded + 1e-4 * rng.normal(size=len(padded))).astype(np.float32)[:, None]


def vectors(sound: Float32) -> list[Float32]:
    """Return what the embedder makes of a sound, all looks at it."""
    made = feed(opened(AudioEmbedding()), Packet(0, Audio(sound, RATE_HZ)))
    return [one.data.vector for one in made if isinstance(one.data, Embedding)]


def main() -> None:
    found = [vector for sound in sounds() for vector in vectors(sound)]
    kept = np.random.default_rng(2).choice(len(found), ROWS, replace=False)
    np.save(shipped("audio"), np.stack(found)[np.sort(kept)].astype(np.float16))
    print(f"wrote {ROWS} of {len(found)} vectors to {shipped('audio')}")


if __name__ == "__main__":
    main()
