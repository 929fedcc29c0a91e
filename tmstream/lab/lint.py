"""Find what is wrong with a project's examples, and say how to mend each."""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from ..core.errors import InputError
from ..core.words import counted
from ..head.judge import Progress, judge
from ..store.clips import to_landmarks
from ..store.project import LANDMARKS, Clip, Example, Project
from .head import params_of

#: A take is taken for mislabelled when so many of its nearest other takes ...
NEAREST = 5
#: ... are of another label, this share of them of one.
AGREE = 0.8
SAME = 1e-5  #: cosine distance of two vectors that are one recording
BLOCK = 256  #: rows compared with all others at once
SILENT_PEAK = 0.01  #: of full scale
CLIPPED_SHARE = 0.005  #: of samples at full scale
UNBALANCED = 4.0
HALF_SEEN = 0.5  #: mean visibility


#: Labels that mean that nothing is heard; sounds taught as one of them are anything but.
SILENCES = frozenset(
    {"silence", "silent", "quiet", "nothing", "none", "no sound", "stille", "ruhe", "silencio"}
)


#: What a clip shows, with what to do about it.
FAULTS = {
    "damaged": ("the clip of {} cannot be read", "delete the take and record it again"),
    "silent": ("{} is nearly silent", "delete it; go nearer to the microphone"),
    "clipped": (
        "{} is too loud: its peaks are cut off", "turn the microphone down and record it again",
    ),
    "half seen": (
        "in {} half of the body is out of sight",
        "step back, or use a pipeline for upper bodies",
    ),
}  # fmt: skip

#: What the clip of each example shows: one of `FAULTS`, or nothing.
KnownFaults: TypeAlias = dict[str, str]
#: What a person finds a take by, of each (label, take).
Names: TypeAlias = Mapping[tuple[str, str], str]


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong: ``what`` it is, and the ``remedy``."""

    kind: str
    label: str
    what: str
    remedy: str
    examples: list[str] = []  #: ids


def lint(
    project: Project,
    *,
    overlaps: bool = True,
    progress: Progress = lambda done, total: None,
    known: KnownFaults | None = None,
) -> list[Finding]:
    """Return what is wrong, most harmful first.

    ``overlaps`` takes as long as judging does, as strictly as the project answers; ``progress`` is
    told how far that is. Clips take a millisecond each: whoever asks again brings what is ``known``
    of them.
    """
    examples = [one for one in project.examples() if not one.negative]
    own = [one for one in examples if one.augmented_from is None]
    found: list[Finding] = []
    spaces: dict[str, list[Example]] = defaultdict(list)
    for one in own:
        spaces[one.space].append(one)
    names = names_of(own)
    for rows in spaces.values():
        found += _duplicates(rows, names)
        found += _mislabelled(rows, names)
    found += _clips(project, own, names, {} if known is None else known)
    found += _amounts(own)
    found += _people(own)
    found += taught_silences(own)
    if overlaps:
        judged = judge(examples, **params_of(project), progress=progress)
        found += [
            Finding(one["kind"].replace("_", " "), one["labels"][0], one["what"], one["remedy"])
            for one in judged["advised"]
            if one["kind"] in ("overlap", "one_label")
        ]
    return found


def names_of(rows: Iterable[Example]) -> Names:
    """Return what a person finds each take by: its file, else its number and when it was taught.

    The number is the one on the take's card in the studio: takes of a label in order of teaching.
    """
    firsts: dict[str, dict[str, Example]] = defaultdict(dict)
    for one in rows:
        firsts[one.label].setdefault(one.take, one)
    files = Counter(one.source for takes in firsts.values() for one in takes.values())
    names = {}
    for label, takes in firsts.items():
        for number, (take, one) in enumerate(takes.items(), start=1):
            name = f"{label} no. {number}"
            if Path(one.source).suffix:
                name = one.source if files[one.source] == 1 else f"{one.source} ({name})"
            else:
                when = datetime.fromtimestamp(one.created_us / 1e6).astimezone()
                name += f" (taught {when:%Y-%m-%d %H:%M})"
            names[label, take] = name
    return names


def _unit(rows: Sequence[Example]) -> npt.NDArray[np.float64]:
    vectors = np.stack([one.vector for one in rows]).astype(np.float64)
    unit: npt.NDArray[np.float64] = vectors / np.maximum(
        np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12
    )
    return unit


def _alike(rows: Sequence[Example]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of rows, in order, whose vectors are those of one recording."""
    exact = _unit(rows)
    units = exact.astype(np.float32)
    for start in range(0, len(rows), BLOCK):
        block = units[start : start + BLOCK] @ units[start:].T
        # Rounded as they are here, none that are the same are further apart than that.
        for i, j in np.argwhere(block > 1 - 10 * SAME) + start:
            if i < j and 1 - exact[i] @ exact[j] < SAME:
                yield int(i), int(j)


def _duplicates(rows: Sequence[Example], names: Names) -> Iterator[Finding]:
    """Yield recordings taught twice, in one label or, worse, in two."""
    told: set[tuple[str, str]] = set()
    for one, other in ((rows[i], rows[j]) for i, j in _alike(rows)):
        pair = (f"{one.label}\0{one.take}", f"{other.label}\0{other.take}")
        if pair[0] == pair[1] or pair in told:
            continue
        told.add(pair)
        name, second = names[one.label, one.take], names[other.label, other.take]
        if one.label == other.label:
            yield Finding(
                "duplicate", one.label, f"{second} is the same recording as {name}",
                "delete one: it teaches nothing and makes judging too kind", [other.id],
            )  # fmt: skip
        else:
            yield Finding(
                "mislabelled", one.label,
                f"{name} and {second} are the same recording, taught as {one.label} and as "
                f"{other.label}", "delete it from the label it is not", [one.id, other.id],
            )  # fmt: skip


def _mislabelled(rows: Sequence[Example], names: Names) -> Iterator[Finding]:
    """Yield takes whose nearest other takes agree on another label."""
    members: dict[tuple[str, str], list[Example]] = defaultdict(list)
    for one in rows:
        members[one.label, one.take].append(one)
    takes = list(members)
    amounts = Counter(label for label, _ in takes)
    if len(amounts) < 2 or len(takes) <= NEAREST:
        return
    for take, near in zip(takes, _nearest(list(members.values())), strict=True):
        label, name = take[0], names[take]
        winner, votes = Counter(takes[i][0] for i in near).most_common(1)[0]
        if winner != label and amounts[label] > 1 and votes >= AGREE * NEAREST:
            yield Finding(
                "mislabelled", label, f"{name} is taught as {label} but is most like {winner}",
                f"listen to it: move it to {winner}, or delete it",
                [one.id for one in members[take]],
            )  # fmt: skip


def _nearest(takes: Sequence[Sequence[Example]]) -> Iterator[npt.NDArray[np.intp]]:
    """Yield the `NEAREST` other takes of each, nearest first, by their nearest two examples."""
    units = _unit([one for take in takes for one in take])
    units = units - units.mean(axis=0)
    units /= np.maximum(np.linalg.norm(units, axis=1, keepdims=True), 1e-12)
    units = units.astype(np.float32)
    starts = np.concatenate([[0], np.cumsum([len(take) for take in takes])])
    for i in range(len(takes)):
        to_rows = (units @ units[starts[i] : starts[i + 1]].T).max(axis=1)
        similar = np.maximum.reduceat(to_rows, starts[:-1])
        similar[i] = -np.inf
        near = np.argpartition(-similar, NEAREST)[:NEAREST]
        yield near[np.argsort(-similar[near], kind="stable")]


def _clips(
    project: Project, rows: Iterable[Example], names: Names, known: KnownFaults
) -> Iterator[Finding]:
    """Yield the takes whose clip shows that they were recorded badly."""
    firsts: dict[tuple[str, str], Example] = {}
    for one in rows:
        if one.has_clip:
            firsts.setdefault((one.label, one.take), one)
    living = {one.id for one in firsts.values()}
    for gone in known.keys() - living:
        del known[gone]
    for take, one in firsts.items():
        if one.id not in known:
            clip = project.clip(one.id)
            known[one.id] = "" if clip is None else _fault(clip)
        if kind := known[one.id]:
            what, remedy = FAULTS[kind]
            yield Finding(kind, one.label, what.format(names[take]), remedy, [one.id])


def _fault(clip: Clip) -> str:
    """Return what is wrong with a clip, one of `FAULTS`, or nothing."""
    if clip.media_type == LANDMARKS:
        try:
            poses = to_landmarks(clip)
        except InputError:
            return ""
        seen = np.mean([pose.data.points[:, 3].mean() for pose in poses]) if poses else 1.0
        return "half seen" if seen < HALF_SEEN else ""
    if clip.media_type != "audio/flac":
        return ""
    import soundfile

    try:
        samples, _ = soundfile.read(io.BytesIO(clip.data), dtype="float32", always_2d=True)
    except (OSError, RuntimeError):
        return "damaged"
    if float(np.abs(samples).max(initial=0.0)) < SILENT_PEAK:
        return "silent"
    return "clipped" if float((np.abs(samples) > 0.999).mean()) > CLIPPED_SHARE else ""


def _amounts(rows: Sequence[Example]) -> Iterator[Finding]:
    takes: dict[str, set[str]] = defaultdict(set)
    for one in rows:
        takes[one.label].add(one.take)
    if not takes:
        return
    most = max(takes, key=lambda label: len(takes[label]))
    for label, own in sorted(takes.items()):
        if len(own) * UNBALANCED <= len(takes[most]):
            yield Finding(
                "unbalanced", label, f"{_counted(label, own)}, {most} has {len(takes[most])}",
                f"teach {counted(len(takes[most]) // 2 - len(own), 'more take')} of {label}",
            )  # fmt: skip
        elif len(own) < 3:
            yield Finding("few", label, _counted(label, own),
                          f"teach {5 - len(own)} more")  # fmt: skip


def _counted(label: str, takes: set[str]) -> str:
    return f"{label} has {counted(len(takes), 'take')}"


def taught_silences(rows: Iterable[Example]) -> list[Finding]:
    """Return labels that teach silence as if it were a sound."""
    labels = {one.label for one in rows if one.space == "audio" and not one.negative}
    return [
        Finding(
            "silence", label,
            f"{label} is taught as a sound, and will take the beginnings of others",
            "delete it: without a sound the answer is none (silence) by itself",
        )
        for label in sorted(labels)
        if label.strip().casefold() in SILENCES
    ]  # fmt: skip


def _people(rows: Sequence[Example]) -> Iterator[Finding]:
    people: dict[str, set[str]] = defaultdict(set)
    for one in rows:
        if one.person:
            people[one.label].add(one.person)
    everybody = set().union(*people.values()) if people else set()
    if len(everybody) == 1 and len({one.label for one in rows}) > 1:
        yield Finding("one person", "", f"only {min(everybody)} has taught",
                      "let two others teach a few takes: they differ")  # fmt: skip
    for label, own in sorted(people.items()):
        if len(own) == 1 and len(everybody) > 1:
            yield Finding("one person", label, f"only {min(own)} has taught {label}",
                          f"let somebody else teach {label} too")  # fmt: skip
