"""Recognition on real data: few examples, other people and recordings, beside two plain peers.

Every sample goes the road of `tmstream teach`: the shipped pipelines' own nodes embed it. Per set,
groups (speakers, people, videos, folds) are held out in turn; of the others, ``shots`` samples a
label teach. Sets without groups: repeated random draws. `surface_taps`: the first half of each
recording teaches, the second is asked. Embeddings are kept in a folder outside the checkout.

``vote`` is the share whose own label came first, as goals and peers (who turn nobody away) are
measured; ``answered`` counts a member that was turned away as an error, and beside it stands what
logistic regression has left when the same samples are turned away. Where a goal is missed,
``ceiling`` says what logistic regression reaches by all samples of all other groups.

    make bench ARGS=recognition          (reads TMSTREAM_DATA, or ../shared/data)
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

import msgspec
import numpy as np
import numpy.typing as npt

from tmstream.core.packet import Gap, Packet, Scores
from tmstream.core.resources import resource
from tmstream.engine.registry import Registry
from tmstream.engine.spec import read
from tmstream.head.knn import Knn
from tmstream.head.openset import area
from tmstream.head.scratch import Scratch
from tmstream.lab.classify import Answer, combined
from tmstream.lab.embedder import Embedder, Heard
from tmstream.lab.part import graph_for
from tmstream.lab.samples import find
from tmstream.store.project import NewExample
from tmstream.testing import FakeServices

from .measure import Row
from .peers import ceiling, peers

Ints: TypeAlias = npt.NDArray[np.intp]

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("TMSTREAM_DATA", ROOT.parent / "shared" / "data"))
CACHE = Path(os.environ.get("TMSTREAM_BENCH_CACHE", Path(tempfile.gettempdir()) / "tmstream-bench"))
K = 5
MOST_FOLDS, MOST_ASKED, MOST_SHOWN = 8, 250, 60
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


class Taught:
    """A head of the shipped kind, taught some samples, asked others as `tmstream classify` does."""

    def __init__(self, table: Table, samples: Iterable[int], strictness: float = 0.5) -> None:
        self._table, self._head, self._now_us = table, Knn(k=K, strictness=strictness), 0
        book = Scratch()
        book.add(table.examples(samples))
        self._head.open(FakeServices(), book)

    def ask(self, sample: int) -> Answer:
        """Return the answer to one sample."""
        heard = self._table.heard[sample]
        found: list[Packet[Scores]] = []
        for packet in heard.embeddings:
            data = msgspec.structs.replace(packet.data, end_us=packet.data.end_us + self._now_us)
            found += self._head.process(Packet(packet.t_us + self._now_us, data))
        self._now_us += 60_000_000
        list(self._head.process(Packet(self._now_us, Gap("another sample"))))
        # Two spaces of one frame give two answers; the later one knows both.
        last = {(one.data.end_us, one.data.subject, one.data.take): one for one in found}
        return combined(heard, list(last.values()))


@dataclass
class Measured:
    """What one set gave at one number of shots: means over the draws."""

    groups: int
    vote: float  #: accuracy of the first label
    answered: float  #: accuracy, a wrong rejection being an error
    peers: dict[str, float]
    peer_answered: float  #: of logistic regression, when our rejections count as its errors
    area: float | None
    rejected: float  #: of strangers
    lost: float  #: of members whose own label was nearest


def measure(table: Table, one: Set, shots: int, times: int = 8, strangers: int = 3) -> Measured:
    """Teach and ask by the protocol; then leave labels out of teaching, and show them."""
    rng = np.random.default_rng(7)
    vote: list[float] = []
    ours: list[float] = []
    left: list[float] = []
    theirs: dict[str, list[float]] = {}
    areas: list[float] = []
    rejected: list[bool] = []
    lost: list[bool] = []
    for taught, asked in draws(table, one, shots, times):
        wanted = table.labels[asked]
        head = Taught(table, taught)
        answers = [head.ask(i) for i in asked]
        first = np.array([one.results[0].label if one.results else "" for one in answers])
        kept = np.array([one.label is not None for one in answers])
        vote.append(float((first == wanted).mean()))
        ours.append(float(((first == wanted) & kept).mean()))
        others_say = peers(table, taught, asked)
        left.append(float(((others_say["logistic"] == wanted) & kept).mean()))
        for name, said in others_say.items():
            theirs.setdefault(name, []).append(float((said == wanted).mean()))
        for label in rng.permutation(np.unique(table.labels[taught]))[:strangers]:
            rest = Taught(table, taught[table.labels[taught] != label])
            shown = rng.permutation(asked)
            known = [i for i in shown if table.labels[i] != label][:MOST_SHOWN]
            strange = [i for i in shown if table.labels[i] == label][:MOST_SHOWN]
            members = [(i, rest.ask(i)) for i in known]
            right = [a for i, a in members if a.results and a.results[0].label == table.labels[i]]
            others = [rest.ask(i) for i in strange]
            if right and others:
                areas.append(area(_far(right), _far(others)))
                rejected += [answer.label is None for answer in others]
                lost += [answer.label is None for answer in right]
    return Measured(
        len(np.unique(table.groups)),
        float(np.mean(vote)),
        float(np.mean(ours)),
        {name: float(np.mean(values)) for name, values in theirs.items()},
        float(np.mean(left)),
        float(np.mean(areas)) if areas else None,
        float(np.mean(rejected)) if rejected else 0.0,
        float(np.mean(lost)) if lost else 0.0,
    )


def _far(answers: list[Answer]) -> npt.NDArray[np.float64]:
    return np.array([-a.results[0].closeness if a.results else 0.0 for a in answers])


def rows() -> Iterator[Row]:
    """Yield the table of goals; without the data, nothing."""
    if not DATA.is_dir():
        print(f"   no real data at {DATA} (set TMSTREAM_DATA)")
        return
    for one in SETS:
        table = Table(one)
        for shots, goal in one.goals.items():
            found = measure(table, one, shots)
            knn, logistic = found.peers["knn"], found.peers["logistic"]
            met = found.vote >= goal and found.vote >= logistic
            yield Row(
                f"{one.name}, {shots}-shot, {found.groups} groups",
                f"vote {found.vote:.3f} answered {found.answered:.3f}",
                f"kNN {knn:.3f} LR {logistic:.3f} ({found.peer_answered:.3f})"
                + ("" if met else f" ceiling {ceiling(table):.3f}"),
                found.vote / max(logistic, 1e-9),
                f">= {goal} and >= LR",
                met,
            )
            if shots == 5 and found.area is not None:
                yield Row(
                    f"{one.name}, open set, {shots}-shot",
                    f"area {found.area:.3f}",
                    f"lost {found.lost:.0%}",
                    found.rejected,
                    (f">= {one.area}, " if one.area else "") + ">= 70 % rejected, <= 10 % lost",
                    found.area >= (one.area or 0) and found.rejected >= 0.7 and found.lost <= 0.1,
                )
