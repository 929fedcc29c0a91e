"""Real recordings: sounds are found where people marked them, and strangers' words are near."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tmstream.core.packet import Audio, Embedding, Gap, Packet
from tmstream.embed.audio import AudioEmbedding
from tmstream.testing import feed, opened

Folder = Callable[[str], Path]


def heard(path: Path) -> list[Packet[Embedding]]:
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    end_us = round(len(samples) * 1e6 / rate)
    stream = [Packet(0, Audio(samples, rate)), Packet(end_us, Gap("end"))]
    return [p for p in feed(opened(AudioEmbedding()), *stream) if isinstance(p.data, Embedding)]


def table(folder: Path, **wanted: str) -> list[dict[str, str]]:
    with (folder / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def onsets(packets: list[Packet[Embedding]]) -> list[float]:
    first: dict[int | None, float] = {}
    for packet in packets:
        first.setdefault(packet.data.take, packet.t_us / 1e6)
    return list(first.values())


def match(found: list[float], rows: list[dict[str, str]], before_s: float) -> tuple[int, int]:
    """How many spans hold an onset, and how many onsets lie in no span."""
    spans = [(float(row["start"]) - before_s, float(row["end"])) for row in rows]
    hit = sum(any(a <= t <= b for t in found) for a, b in spans)
    stray = sum(not any(a <= t <= b for a, b in spans) for t in found)
    return hit, stray


@pytest.mark.parametrize("kind", ["knuckle", "pad", "nail_tap", "nail_tip_tap"])
def test_every_tap_is_found_within_a_few_hundredths(kind: str, needs_data: Folder) -> None:
    folder = needs_data("surface_taps")
    rows = table(folder, file=f"{kind}.flac")
    hit, stray = match(onsets(heard(folder / f"{kind}.flac")), rows, before_s=0.04)
    assert hit >= len(rows) - 1
    assert stray <= 3


def test_every_word_over_background_noise_is_found_and_little_else(needs_data: Folder) -> None:
    folder = needs_data("mic_sessions")
    rows = table(folder, file="words.flac")
    hit, stray = match(onsets(heard(folder / "words.flac")), rows, before_s=0.1)
    assert hit == len(rows)
    assert stray <= 5


def test_a_stranger_is_understood_from_five_examples_a_word(needs_data: Folder) -> None:
    """Plain nearest neighbours of the vectors; the head's learned metric comes on top."""
    folder = needs_data("spoken_digits")
    vectors, labels, speakers, count = [], [], [], {}
    for row in table(folder):
        key = (row["label"], row["speaker"])
        count[key] = count.get(key, 0) + 1
        if count[key] <= (5 if row["speaker"] == "nicolas" else 2):
            finals = [p for p in heard(folder / row["file"]) if p.data.phase == "final"]
            vector = max(finals, key=lambda p: p.data.end_us - p.t_us).data.vector
            vectors.append(vector / np.linalg.norm(vector))
            labels.append(row["label"])
            speakers.append(row["speaker"])
    v, names, asked = np.array(vectors), np.array(labels), np.array(speakers) == "nicolas"
    nearest = (v[asked] @ v[~asked].T).argmax(axis=1)
    assert (names[~asked][nearest] == names[asked]).mean() >= 0.75
