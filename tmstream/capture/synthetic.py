"""A performer made of arithmetic: claps, whistles, hums and vowels, over the noise of a room."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from ..core.node import Types
from ..core.packet import Audio, Packet
from .cast import play

Float64 = npt.NDArray[np.float64]
Sound = Literal["clap", "whistle", "hum", "word", "knock", "silence"]
Maker = Callable[[np.random.Generator, int], Float64]

#: First three formants (Hz) of the vowels in "heed" and "hod" (Peterson and Barney 1952, men).
VOWELS = ((270.0, 2290.0, 3010.0), (730.0, 1090.0, 2440.0))


@dataclass
class Synthetic:
    """Performs ``sounds`` one after another, again and again, each a little different every time.

    Each sound begins ``every_s`` after the one before it. The same ``seed`` gives the same
    performance. ``seconds`` ends it; without, it goes on for ever. With ``cast: many`` somebody
    else claps, whistles and hums at every turn, in another room; the other sounds stay as they are.

        mic: {type: synthetic, sounds: [clap, whistle, hum], every_s: 2.0}
    """

    gives: ClassVar[Types] = (Audio,)
    live: ClassVar[bool] = False

    sounds: list[Sound] = field(default_factory=lambda: ["clap", "whistle", "hum"])
    every_s: float = 2.0
    noise_db: float = -60.0  #: RMS of the room, dB re full scale
    seed: int = 0
    cast: Literal["one", "many"] = "one"
    seconds: float | None = None
    rate_hz: int = 16000

    def __post_init__(self) -> None:
        if not self.sounds:
            raise ValueError("sounds must name at least one sound")
        if not 1.0 <= self.every_s <= 60.0:
            raise ValueError("every_s must lie between 1 and 60 seconds")
        if not -120.0 <= self.noise_db <= -10.0:
            raise ValueError("noise_db must lie between -120 and -10")
        if self.seed < 0:
            raise ValueError("seed must not be negative")
        if self.seconds is not None and not self.seconds > 0:
            raise ValueError("seconds must be positive")
        if not 8000 <= self.rate_hz <= 48000:
            raise ValueError("rate_hz must lie between 8000 and 48000")

    async def packets(self) -> AsyncIterator[Packet[Audio]]:
        """Yield blocks of 20 ms."""
        block = self.rate_hz // 50
        given = 0
        most = None if self.seconds is None else round(self.seconds * self.rate_hz)
        for turn in self._turns():
            for at in range(0, len(turn), block):
                if most is not None and given >= most:
                    return
                t_us = round(given * 1e6 / self.rate_hz)
                samples = turn[at : at + block, None]
                yield Packet(t_us, Audio(samples, self.rate_hz))
                given += len(samples)

    def _turns(self) -> Iterator[npt.NDArray[np.float32]]:
        """Yield one sound after another, each with half a second of room before it."""
        rng = np.random.default_rng(self.seed)
        length, before = round(self.every_s * self.rate_hz), round(0.5 * self.rate_hz)
        for performer in count():
            for name in self.sounds:
                turn = rng.normal(0.0, 10.0 ** (self.noise_db / 20.0), length)
                made = play(name, rng, self.rate_hz, performer) if self.cast == "many" else None
                if made is None:
                    made = MAKERS[name](rng, self.rate_hz)
                made = made[: length - before]
                turn[before : before + len(made)] += made * rng.uniform(0.7, 1.0)
                yield np.clip(turn, -1.0, 1.0).astype(np.float32)


def _time(seconds: float, rate_hz: int) -> Float64:
    return np.arange(round(seconds * rate_hz)) / rate_hz


def _swell(t: Float64, attack_s: float, release_s: float) -> Float64:
    """Return a gain that rises from 0 to 1 and falls back, over the times ``t``."""
    return np.asarray(np.minimum(1.0, np.minimum(t / attack_s, (t[-1] - t) / release_s)))


def clap(rng: np.random.Generator, rate_hz: int) -> Float64:
    """Return noise around 1 to 3 kHz that dies within a tenth of a second."""
    t = _time(0.15, rate_hz)
    noise = rng.normal(0.0, 1.0, len(t))
    bright = noise - np.concatenate([[0.0], noise[:-1]]) * 0.5
    return np.asarray(0.35 * bright * np.exp(-t / rng.uniform(0.012, 0.02)))


def knock(rng: np.random.Generator, rate_hz: int) -> Float64:
    """Return a struck board: three low modes that die quickly."""
    t = _time(0.2, rate_hz)
    base = rng.uniform(170.0, 210.0)
    modes = [
        np.sin(2 * np.pi * base * r * t) * np.exp(-t * d)
        for r, d in ((1, 30), (2.3, 45), (4.1, 70))
    ]
    return np.asarray(0.3 * np.sum(modes, axis=0))


def whistle(rng: np.random.Generator, rate_hz: int) -> Float64:
    """Return a tone gliding up, with some breath."""
    t = _time(rng.uniform(0.5, 0.7), rate_hz)
    hz = rng.uniform(1300.0, 1500.0) + 500.0 * t / t[-1]
    tone = np.sin(2 * np.pi * np.cumsum(hz) / rate_hz) + rng.normal(0.0, 0.03, len(t))
    return np.asarray(0.3 * tone * _swell(t, 0.03, 0.06))


def hum(rng: np.random.Generator, rate_hz: int) -> Float64:
    """Return a closed-mouth tone of falling harmonics with vibrato."""
    t = _time(rng.uniform(0.9, 1.1), rate_hz)
    hz = rng.uniform(120.0, 150.0) * (1.0 + 0.01 * np.sin(2 * np.pi * 5.0 * t))
    phase = 2 * np.pi * np.cumsum(hz) / rate_hz
    return np.asarray(
        0.35 * sum(np.sin(n * phase) / n**2 for n in range(1, 9)) * _swell(t, 0.08, 0.12)
    )


def word(rng: np.random.Generator, rate_hz: int) -> Float64:
    """Return two vowels gliding into one another, of a voice that falls."""
    t = _time(rng.uniform(0.45, 0.6), rate_hz)
    hz = np.linspace(rng.uniform(120.0, 140.0), 100.0, len(t))
    phase = 2 * np.pi * np.cumsum(hz) / rate_hz
    glide = (t / t[-1])[:, None]
    formants = (1.0 - glide) * np.array(VOWELS[0]) + glide * np.array(VOWELS[1])
    voice = np.zeros(len(t))
    for n in range(1, 31):
        gains = 1.0 / (1.0 + ((n * hz[:, None] - formants) / 90.0) ** 2)
        voice += np.sin(n * phase) * gains.sum(axis=1) / np.sqrt(n)
    return np.asarray(0.4 * voice / np.abs(voice).max() * _swell(t, 0.03, 0.08))


def silence(rng: np.random.Generator, rate_hz: int) -> Float64:
    """Return nothing at all: only the room is heard."""
    return np.zeros(0)


MAKERS: dict[Sound, Maker] = {
    "clap": clap,
    "knock": knock,
    "whistle": whistle,
    "hum": hum,
    "word": word,
    "silence": silence,
}
