"""Make variants of what was taught, out of its clips, or take them away: a switch for each label.

So the same is done for what was taught from files and in the studio, at once or a year later.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..core.errors import InputError
from ..core.packet import Embedding, Packet
from ..core.words import nearest
from ..store.project import Clip, Example, NewExample, Project
from .augment import VARIANTS
from .embedder import Heard
from .part import WORDS
from .pool import Pool
from .reembed import at_place, kind_of_clip
from .sample import Kind, Sample, Sound, kind_of
from .teach import TOGETHER, check_makers

#: A live picture stands for the frames of half a second around it; one that stands for more is of a
#: film taught when one picture was kept of all its frames.
FILM_US = 1_000_000


@dataclass
class Varied:
    """What became of one label's clips: sounds, pictures, landmarks."""

    variants: int = 0  #: examples made
    clips: int = 0  #: they were made of
    known: int = 0  #: clips that had variants already
    skipped: Counter[str] = field(default_factory=Counter)  #: why there are none, to clips


@dataclass(frozen=True)
class Piece:
    """A clip to be varied, with the examples it was kept for, in order of time."""

    kind: Kind
    rows: tuple[Example, ...]


def plan(
    project: Project, able: Collection[Kind], labels: Collection[str] | None = None
) -> tuple[list[Piece], dict[str, Varied]]:
    """Return the clips that have no variants yet, and by label what is to be said of the others.

    Only clips of ``able`` kinds, and of ``labels`` (None: all), are taken.

    Raises:
        InputError: there is no such label.
    """
    wanted = checked_labels(project, labels)
    told = {label: Varied() for label in wanted}
    examples = project.examples()
    varied = {one.augmented_from for one in examples}
    kinds: dict[str, Kind] = {}
    groups: dict[tuple[str, str], list[Example]] = defaultdict(list)
    for one in examples:
        if one.label not in told or one.negative or one.augmented_from is not None:
            continue
        clip = project.clip(one.id) if one.has_clip else None
        if clip is None:
            told[one.label].skipped["no clip"] += 1
            continue
        key = hashlib.sha256(clip.data).hexdigest()
        if key not in kinds:
            kinds[key] = kind_of_clip(clip)
        groups[one.label, key].append(one)
    pieces = []
    for (label, key), rows in groups.items():
        piece = Piece(kinds[key], tuple(sorted(rows, key=lambda one: one.end_us)))
        if any(one.id in varied for one in rows):
            told[label].known += 1
        elif why := _unfit(piece, able):
            told[label].skipped[why] += 1
        else:
            pieces.append(piece)
    return pieces, told


def workload(pieces: Iterable[Piece]) -> int:
    """Return how often `vary` will report."""
    return sum(len(VARIANTS[piece.kind]) for piece in pieces)


def vary(
    project: Project,
    pool: Pool,
    pieces: Sequence[Piece],
    told: dict[str, Varied],
    *,
    room: Sound | None = None,
    batch: str = "",
    report: Callable[[Heard], object] = lambda heard: None,
) -> None:
    """Teach the variants of ``pieces``, marked as such, and tell of them in ``told`` (by `plan`).

    With the recording of a ``room``, sounds are varied with its noise instead of white noise. One
    step for `Project.undo`, or part of ``batch``. When it is stopped, whole clips are done,
    and `plan` leaves those out. ``report`` is called after each variant.

    Raises:
        InputError: the project was taught with another embedder, or something was undone meanwhile.
        StoreError: the project cannot be written.
    """
    batch, since = batch or uuid.uuid4().hex, project.step()
    for start in range(0, len(pieces), TOGETHER):
        some = pieces[start : start + TOGETHER]
        heard = pool.embed([sample for piece in some for sample in _samples(project, piece, room)])
        made: list[list[NewExample]] = []
        for piece in some:
            made.append([])
            for _ in VARIANTS[piece.kind]:
                one = next(heard)
                report(one)
                check_makers(project, pool, one)
                made[-1] += _examples(one, piece)
        kept = set(project.add([one for own in made for one in own], batch=batch, since=since))
        for piece, own in zip(some, made, strict=True):
            mine, count = told[piece.rows[0].label], sum(one.id in kept for one in own)
            mine.variants += count
            mine.clips += bool(count)
            if not count:
                mine.skipped["changed meanwhile" if own else "nothing found in its variants"] += 1


def unvary(project: Project, labels: Collection[str] | None = None) -> dict[str, int]:
    """Delete the variants of ``labels`` (None: all), as one step; returns how many by label.

    Raises:
        InputError: there is no such label.
    """
    wanted = checked_labels(project, labels)
    made = [
        one for one in project.examples() if one.augmented_from is not None and one.label in wanted
    ]
    if made:
        project.delete([one.id for one in made])
    return dict.fromkeys(wanted, 0) | Counter(one.label for one in made)


def checked_labels(project: Project, labels: Collection[str] | None) -> list[str]:
    """Return those labels, or all that are taught; `InputError` for one that is not."""
    known = project.labels()
    for label in labels or ():
        if label not in known:
            near = nearest(label, known)
            raise InputError(f"{project.path}: there is no label {label!r}{near}")
    return known if labels is None else list(dict.fromkeys(labels))


def _unfit(piece: Piece, able: Collection[Kind]) -> str:
    """Return why a clip is not to be varied, if so."""
    if piece.kind not in able:
        return f"the pipeline takes no {WORDS[piece.kind]}"
    if piece.kind == "picture":
        if len({one.take for one in piece.rows}) > 1:
            return "several people on one picture"
        long = piece.rows[-1].end_us - piece.rows[0].end_us > FILM_US
        if long or kind_of(Path(piece.rows[0].source)) == "video":
            return "a film: its frames vary enough"
    return ""


def _samples(project: Project, piece: Piece, room: Sound | None) -> Iterator[Sample]:
    clip: Clip | None = project.clip(piece.rows[0].id)
    for variant in VARIANTS[piece.kind]:
        yield Sample(Path("clip"), "clip", piece.kind, piece.rows[0].label, variant=variant,
                     clip=clip, room=room)  # fmt: skip


def _examples(heard: Heard, piece: Piece) -> Iterator[NewExample]:
    """Yield the examples of one variant; each has the parent at its place in the order of time."""
    parents: dict[tuple[str, str], list[Example]] = defaultdict(list)
    for one in piece.rows:
        parents[one.space, one.phase].append(one)
    found: dict[tuple[str, str], list[Packet[Embedding]]] = defaultdict(list)
    for packet in _meant(heard, piece):
        found[packet.data.space, packet.data.phase].append(packet)
    for key in found.keys() & parents.keys():
        for place, packet in enumerate(found[key]):
            parent = at_place(parents[key], place, len(found[key]))
            yield NewExample(
                label=parent.label, space=parent.space, vector=packet.data.vector,
                take=parent.take, person=parent.person, groups=parent.groups,
                source=parent.source, t_us=parent.t_us, end_us=parent.end_us, phase=parent.phase,
                clip=heard.clip(packet), augmented_from=parent.id, id=uuid.uuid4().hex,
            )  # fmt: skip


def _meant(heard: Heard, piece: Piece) -> list[Packet[Embedding]]:
    """Return the strongest sounds, as many as the clip had: the others are the room's own."""
    ended = sum(one.phase == "final" for one in piece.rows)
    strongest = sorted(heard.weights, key=lambda take: -heard.weights[take])[:ended]
    return [p for p in heard.embeddings if not strongest or p.data.take in strongest]
