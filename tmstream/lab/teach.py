"""Teach a project from samples, and say of each label what was taken, what not, and why."""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ..core.errors import InputError
from ..core.packet import Embedding, Packet
from ..store.project import NewExample, Project
from .embedder import Heard
from .pool import Pool
from .sample import Sample

#: Frames of a film, or rows of one take, that are kept at most: more teach nothing new.
MOST_FRAMES = 60
#: Samples whose examples are committed together.
TOGETHER = 24

Report = Callable[[Heard], None]


@dataclass
class Tally:
    """What became of the samples of one label."""

    taken: int = 0  #: samples
    examples: int = 0
    variants: int = 0  #: examples made of them, see `vary`
    known: int = 0  #: samples taught before
    left: int = 0  #: beyond the limit
    skipped: Counter[str] = field(default_factory=Counter)  #: reason to samples
    notes: Counter[str] = field(default_factory=Counter)


def teach(
    project: Project,
    pool: Pool,
    samples: Sequence[Sample],
    *,
    person: str | None = None,
    limit: int | None = None,
    batch: str = "",
    settings: Mapping[str, Any] | None = None,
    report: Report = lambda heard: None,
) -> dict[str, Tally]:
    """Teach every sample that has a label; returns the tally of each label.

    The whole of it is one step for `Project.undo`, or part of ``batch``. A sample whose content was
    taught before under the same label is passed over. With ``limit``, that many samples of a label
    are taken, of as many people as there are. ``settings`` are kept with the first examples;
    ``report`` is called after each sample.

    Raises:
        InputError: the pipeline embeds otherwise than the project was taught.
        StoreError: the project cannot be written.
    """
    tallies = {sample.label: Tally() for sample in samples if sample.label is not None}
    taught = {one.id.rpartition("-")[0] for one in project.examples()}
    batch = batch or uuid.uuid4().hex
    waiting: list[NewExample] = []
    kept = dict(settings or {})

    def keep() -> None:
        if news := {key: one for key, one in kept.items() if project.setting(key) != one}:
            project.set_settings(news, batch=batch)
        project.add(waiting, batch=batch)
        waiting.clear()

    for heard, digest in _embedded(pool, samples, tallies, taught, limit):
        label = heard.sample.label
        assert label is not None
        made = _examples(heard, digest, person)
        tally = tallies[label]
        if made:
            kept |= check_makers(project, pool, heard)
            tally.taken += 1
            tally.examples += len(made)
            tally.notes.update([heard.note] if heard.note else [])
            waiting.extend(made)
        else:
            tally.skipped[heard.why or "nothing found"] += 1
        report(heard)
        if len(waiting) >= TOGETHER:
            keep()
    if waiting:
        keep()
    return tallies


def check_makers(project: Project, pool: Pool, heard: Heard) -> dict[str, str]:
    """Return what made each space, to be kept; refuse to mix two embedders in one space."""
    made = {}
    for node, packet in heard.packets:
        maker = pool.fingerprints.get(node)
        if not isinstance(packet.data, Embedding) or maker is None:
            continue
        key = f"space:{packet.data.space}"
        before = project.setting(key)
        if before not in (None, maker) and packet.data.space in project.spaces():
            raise InputError(
                f"{project.path}: the examples of {packet.data.space!r} were made by another "
                f"embedder; first run: tmstream reembed {project.path}"
            )
        made[key] = maker
    return made


def _embedded(
    pool: Pool,
    samples: Sequence[Sample],
    tallies: dict[str, Tally],
    taught: set[str],
    limit: int | None,
) -> Iterator[tuple[Heard, str]]:
    """Yield the samples to take with their digests, in rounds until each label has its number."""
    queues: dict[str, list[tuple[Sample, str]]] = {}
    for sample in samples:
        if sample.label is None:
            continue
        digest = digest_of(sample)
        if digest in taught:
            tallies[sample.label].known += 1
        else:
            taught.add(digest)
            queues.setdefault(sample.label, []).append((sample, digest))
    if limit is not None:
        queues = {label: _mixed(queue) for label, queue in queues.items()}
    while queues:
        now: list[tuple[Sample, str]] = []
        for label, queue in queues.items():
            tally = tallies[label]
            room = len(queue) if limit is None else limit - tally.taken - tally.known
            now.extend(queue[: max(0, room)])
            del queue[: max(0, room)]
            if limit is not None and room <= 0:
                tally.left += len(queue)
                queue.clear()
        found = pool.embed([sample for sample, _ in now])
        for heard, (_, digest) in zip(found, now, strict=True):
            yield heard, digest
        queues = {label: queue for label, queue in queues.items() if queue}


def _mixed(queue: list[tuple[Sample, str]]) -> list[tuple[Sample, str]]:
    """Return one sample of each person in turn: five of one person know only that person."""
    people: dict[str, list[tuple[Sample, str]]] = {}
    for item in queue:
        people.setdefault(item[0].person or "", []).append(item)
    rounds = zip_longest(*people.values())
    return [item for turn in rounds for item in turn if item is not None]


def digest_of(sample: Sample) -> str:
    """Return what tells a sample from every other: its content, span and label."""
    made = hashlib.sha256()
    if sample.points is not None:
        made.update(sample.points.tobytes())
    else:
        try:
            with sample.file.open("rb") as file:
                made = hashlib.file_digest(file, "sha256")
        except OSError:
            made.update(str(sample.file).encode())  # it will be told that it cannot be decoded
    made.update(f"{sample.start_s}\0{sample.end_s}\0{sample.label}\0{sample.row}".encode())
    return made.hexdigest()[:24]


def _examples(heard: Heard, digest: str, person: str | None) -> list[NewExample]:
    sample = heard.sample
    found = [packet for packet in heard.embeddings if packet.data.phase != "frame"]
    found += _thinned([packet for packet in heard.embeddings if packet.data.phase == "frame"])
    # Deleted and taught again is another example, so the digest is not the whole id.
    fresh = uuid.uuid4().hex[:8]
    return [
        NewExample(
            label=sample.label or "",
            space=packet.data.space,
            vector=packet.data.vector,
            # Names of files repeat from folder to folder; their content does not.
            take=sample.take or f"{Path(sample.name).name} {digest[:6]}",
            person=person or sample.person,
            groups=dict(sample.groups),
            source=Path(sample.name).name,
            t_us=packet.t_us,
            end_us=packet.data.end_us,
            phase=packet.data.phase,
            clip=clip,
            id=f"{digest}-{fresh}.{number}",
        )
        for number, (packet, clip) in enumerate(zip(found, heard.clips(found), strict=True))
    ]


def workload(samples: Iterable[Sample], *, limit: int | None) -> int:
    """Return how many samples `teach` will report, if none is skipped."""
    counts = Counter(sample.label for sample in samples)
    return sum(count if limit is None else min(limit, count) for count in counts.values())


def _thinned(packets: list[Packet[Embedding]]) -> list[Packet[Embedding]]:
    """Return at most `MOST_FRAMES` of them, evenly spread."""
    step = max(1, -(-len(packets) // MOST_FRAMES))
    return packets[::step]
