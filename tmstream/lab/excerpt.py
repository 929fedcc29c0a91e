"""What of a recording is meant: which of its sounds, and how to show them to the segmenter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..core.packet import Embedding, Float32, Packet
from ..store import clips
from ..store.project import Clip
from .sample import Sound

#: Quiet before and after a sound that comes without any: what the segmenter needs to see its edges.
QUIET_S = 0.6
#: Fade at both ends of a cut, so that it makes no click.
FADE_S = 0.01
#: A sound quieter than this (RMS of its loudest `LEVEL_S`, dB re full scale) is none.
SILENT_DB = -62.0
LEVEL_S = 0.1
#: Other sounds of a clip count when at most this much weaker than its strongest (energy, dB).
WEAKER_DB = 20.0
#: When nothing stands out, this much before and after the loudest moment is taken as the sound.
LOUDEST_S = (0.4, 0.8)
LOUDEST_DB = -20.0
#: What is kept with an example around its sound, to embed it again one day.
KEEP_AROUND_S = 0.5
MOST_CLIP_S = 40.0

#: What a walk gave: each packet with the node it came from.
Made = list[tuple[str, Packet[Any]]]


def is_silent(piece: Sound) -> bool:
    """Tell whether what was asked for is too quiet to be anything."""
    return _level_db(_cut(piece, piece.from_s, piece.until_s)) < SILENT_DB


def ways(piece: Sound) -> Iterator[tuple[str | None, Sound, Sound]]:
    """Yield ways to hear ``piece``, the best first: a note on it, the part meant, what is shown.

    What is shown to the segmenter begins where the part does and may end in more quiet.
    """
    tail = np.zeros((round(QUIET_S * piece.rate_hz), piece.samples.shape[1]), np.float32)
    yield None, piece, replace(piece, samples=np.concatenate([piece.samples, tail]))
    asked = _cut(piece, piece.from_s, piece.until_s)
    whole = _in_quiet(asked)
    yield "no clear beginning; taken whole", whole, whole
    loudest = _loudest(asked)
    yield "nothing stood out; its loudest part was taken", loudest, loudest


def asked_for(made: Made, piece: Sound) -> Made:
    """Return the sounds that overlap what was asked for, by half of the shorter of the two."""
    spans: dict[int | None, tuple[int, int]] = {}
    for _, packet in made:
        data = packet.data
        if isinstance(data, Embedding):
            first, last = spans.get(data.take, (packet.t_us, data.end_us))
            spans[data.take] = (min(first, packet.t_us), max(last, data.end_us))
    from_us, until_us = piece.from_s * 1e6, piece.until_s * 1e6
    wanted = {
        take
        for take, (first, last) in spans.items()
        if min(last, until_us) - max(first, from_us) >= min(last - first, until_us - from_us) / 2
    }
    return [(n, p) for n, p in made if isinstance(p.data, Embedding) and p.data.take in wanted]


def strong(made: Made, piece: Sound) -> tuple[Made, dict[int | None, float]]:
    """Return the sounds that are not far weaker than the strongest, and the energy of each."""
    energies: dict[int | None, float] = {}
    for _, packet in made:
        heard = _cut(piece, packet.t_us / 1e6, packet.data.end_us / 1e6).samples
        energy = float((heard.astype(np.float64) ** 2).sum())
        energies[packet.data.take] = max(energies.get(packet.data.take, 0.0), energy)
    least = max(energies.values(), default=0.0) * 10 ** (-WEAKER_DB / 10)
    energies = {take: energy for take, energy in energies.items() if energy >= least}
    return [(name, packet) for name, packet in made if packet.data.take in energies], energies


def clip(
    piece: Sound, packets: Sequence[tuple[str, Packet[Any]]], packet: Packet[Embedding]
) -> Clip:
    """Return the sound that ``packet`` is of, with what is around it, as one channel."""
    same = [p for _, p in packets if p.data.take == packet.data.take]
    first_s = min(p.t_us for p in same) / 1e6 - KEEP_AROUND_S
    last_s = max(p.data.end_us for p in same) / 1e6 + KEEP_AROUND_S
    part = _cut(piece, max(0.0, first_s), min(last_s, first_s + MOST_CLIP_S))
    return clips.from_audio(part.samples.mean(axis=1, keepdims=True), piece.rate_hz)


def _cut(piece: Sound, from_s: float, until_s: float) -> Sound:
    first, last = (round(max(0.0, at) * piece.rate_hz) for at in (from_s, until_s))
    samples = piece.samples[first : max(last, first + 1)]
    return Sound(samples, piece.rate_hz, piece.offset_s + from_s, 0.0, until_s - from_s)


def _power(piece: Sound) -> Float32:
    """Return the mean square over a window of `LEVEL_S`, for each place of it."""
    square = np.square(piece.samples.astype(np.float64)).mean(axis=1)
    width = max(1, min(len(square), round(LEVEL_S * piece.rate_hz)))
    total = np.concatenate([[0.0], np.cumsum(square)])
    power: Float32 = ((total[width:] - total[:-width]) / width).astype(np.float32)
    return power


def _level_db(piece: Sound) -> float:
    """Return the RMS of the loudest `LEVEL_S`, dB re full scale."""
    if not len(piece.samples):
        return -200.0
    return float(10 * np.log10(max(float(_power(piece).max()), 1e-20)))


def _loudest(asked: Sound) -> Sound:
    """Return what is around the loudest moment, in quiet, at a usual level."""
    at_s = float(_power(asked).argmax()) / asked.rate_hz
    part = _cut(asked, max(0.0, at_s - LOUDEST_S[0]), at_s + LOUDEST_S[1])
    gain = 10 ** ((LOUDEST_DB - _level_db(part)) / 20)
    return _in_quiet(replace(part, samples=np.clip(part.samples * gain, -1.0, 1.0)))


def _in_quiet(part: Sound) -> Sound:
    """Return ``part`` with quiet around it and soft edges."""
    samples = part.samples.copy()
    edge = min(len(samples) // 2, round(FADE_S * part.rate_hz))
    if edge:
        ramp = np.linspace(0.0, 1.0, edge, dtype=np.float32)[:, None]
        samples[:edge] *= ramp
        samples[-edge:] *= ramp[::-1]
    quiet = np.zeros((round(QUIET_S * part.rate_hz), samples.shape[1]), np.float32)
    return Sound(
        np.concatenate([quiet, samples, quiet]), part.rate_hz, part.offset_s - QUIET_S, QUIET_S,
        QUIET_S + len(samples) / part.rate_hz,
    )  # fmt: skip
