"""The labelled sets of `../data`: the goals of each, and what is taught and asked of it.

Embeddings are kept in a folder outside the checkout.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tmstream.core.resources import resource
from tmstream.engine.registry import Registry
from tmstream.engine.spec import read
from tmstream.lab.embedder import Embedder, Heard
from tmstream.lab.part import graph_for
from tmstream.lab.samples import find
from tmstream.store.project import NewExample

Ints: TypeAlias = npt.NDArray[np.intp]

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("TMSTREAM_DATA", ROOT.parent / "shared" / "data"))
CACHE = Path(os.environ.get("TMSTREAM_BENCH_CACHE", Path(tempfile.gettempdir()) / "tmstream-bench"))
MOST_FOLDS, MOST_ASKED = 8, 250
#: What an embedding depends on: changed code embeds anew.
CODE = (
    "embed/*.py",
    "features/*.py",
    "maths/[!mn]*.py",
    "maths/mel.py",
    "lab/embedder.py",
    "lab/excerpt.py",
    "lab/decode.py",
)


@dataclass(frozen=True)
class Set:
    """One set of `../data`, and what is to be reached on it."""

    name: str
    pipeline: str
    group: str | None
    goals: dict[int, float]  #: accuracy by shots
    area: float | None = None  #: of the open set, 5-shot
    skip: tuple[str, ...] = ()  #: labels that are not taught


SETS = (
    Set("spoken_digits", "sound", "speaker", {1: 0.88, 5: 0.96}, 0.90),
    Set("speech_commands_mini", "sound", "speaker", {5: 0.80, 10: 0.86}, skip=("silence",)),
    Set("env_sounds_esc10", "sound", "fold", {5: 0.74}),
    Set("surface_taps", "sound", "half", {5: 0.75}),
    Set("grocery_photos", "image", None, {1: 0.62, 5: 0.86, 10: 0.92}, 0.85),
    Set("clothing_photos", "image", None, {10: 0.76}),
    Set("hand_digits_photos", "hands", "person", {1: 0.85, 5: 0.99}, 0.97),
    Set("hand_gestures_photos", "hands", None, {5: 0.88}),
    Set("hand_landmarks", "hands", None, {20: 0.80}),
    Set("webcam_pose_photos", "body", "person", {5: 0.85}, 0.97),
    Set("fitness_landmarks", "body", "group", {5: 0.88, 20: 0.96}),
    Set("yoga_landmarks", "body", "person", {5: 0.99}),
)


def embedded(one: Set) -> list[Heard]:
    """Return the samples of a set, embedded now or on an earlier run."""
    folder, registry = DATA / one.name, Registry.installed()
    pipeline = read(resource("pipelines") / f"{one.pipeline}.yaml")
    samples = find([folder], folder / "labels.csv", ["half", "event", *filter(None, [one.group])])
    with Embedder(graph_for(pipeline, registry, samples[0].kind)) as embedder:
        key = hashlib.sha256(repr((one.name, embedder.fingerprints(), len(samples))).encode())
        for file in sorted(path for part in CODE for path in (ROOT / "tmstream").glob(part)):
            key.update(file.read_bytes())
        cached = CACHE / f"{one.name}-{key.hexdigest()[:16]}.pickle"
        if cached.is_file():
            return pickle.loads(cached.read_bytes())  # our own file, in our own folder
        made = [replace(embedder.embed(sample), raw=None) for sample in samples]
    CACHE.mkdir(parents=True, exist_ok=True)
    cached.write_bytes(pickle.dumps(made))
    return made


class Table:
    """A set's samples with their labels and groups."""

    def __init__(self, one: Set) -> None:
        self.heard = [each for each in embedded(one) if each.sample.label not in one.skip]
        self.labels = np.array([each.sample.label for each in self.heard])
        self.groups = np.array([_group(one, each) for each in self.heard])
        self.empty = np.array([not each.embeddings for each in self.heard])
        self.grouped = one.group not in (None, "half")

    def examples(self, samples: Iterable[int]) -> list[NewExample]:
        """Return samples as `tmstream teach` keeps them: every sample a take of its group."""
        return [
            NewExample(str(self.labels[i]), packet.data.space, packet.data.vector, f"take {i}",
                       person=str(self.groups[i]) if self.grouped else None,
                       phase=packet.data.phase, id=f"{i:05d}-{j:03d}")
            for i in samples for j, packet in enumerate(self.heard[i].embeddings)
        ]  # fmt: skip


def _group(one: Set, heard: Heard) -> str:
    groups = heard.sample.groups
    if one.group == "half":
        return "first" if int(groups["event"]) <= 15 else "second"
    return groups.get(one.group, heard.sample.name) if one.group else ""


def draws(table: Table, one: Set, shots: int, times: int) -> Iterator[tuple[Ints, Ints]]:
    """Yield (samples that teach, samples that are asked), groups apart, the same on every run."""
    rng = np.random.default_rng(20260101)
    labels = np.unique(table.labels)
    if table.grouped:
        labels = np.array([x for x in labels if len(set(table.groups[table.labels == x])) > 1])
    groups = rng.permutation(np.unique(table.groups))
    folds = np.array_split(groups, min(len(groups), MOST_FOLDS)) if one.group else []
    for i in range(times):
        held_out = np.zeros(len(table.labels), dtype=bool)
        if one.group == "half":
            held_out = table.groups == "second"
        elif folds:
            held_out = np.isin(table.groups, folds[i % len(folds)])
        teach: list[int] = []
        for label in labels:
            pool = np.flatnonzero((table.labels == label) & ~held_out & ~table.empty)
            teach += list(rng.choice(pool, min(shots, len(pool)), replace=False))
        taught = np.array(teach)
        asked = held_out if one.group else ~np.isin(np.arange(len(held_out)), taught)
        found = np.flatnonzero(asked & np.isin(table.labels, table.labels[taught]))
        if len(found):
            yield (
                taught,
                found if len(found) <= MOST_ASKED else rng.choice(found, MOST_ASKED, False),
            )
