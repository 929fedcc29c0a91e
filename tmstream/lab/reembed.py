"""Make the examples' vectors again from their clips, when an embedder has changed."""

from __future__ import annotations

import hashlib
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np

from ..core.errors import InputError
from ..core.packet import Embedding, Float32
from ..engine.registry import Registry
from ..engine.spec import Pipeline
from ..store.project import LANDMARKS, Clip, Example, NewExample, Project
from .embedder import Embedder
from .part import graph_for
from .sample import Kind

T = TypeVar("T")

_KINDS: dict[str, Kind] = {"audio/flac": "sound", "image/jpeg": "picture"}


@dataclass
class Remade:
    """What became of one space."""

    done: int = 0
    lost: int = 0  #: without a clip, or with one in which nothing is found any more: left out


def reembed(
    project: Project,
    pipeline: Pipeline,
    registry: Registry,
    report: Callable[[], object] = lambda: None,
    *,
    settings: Mapping[str, Any] | None = None,
) -> dict[str, Remade]:
    """Put new vectors in the place of the old, one step a space; returns what became of each.

    Resumable: what was computed is kept in the project's cache until the space is replaced.
    ``settings`` are kept with the vectors, and undone with them.

    Raises:
        InputError: the pipeline does not embed what a clip holds, or no clip gives anything.
    """
    spaces: dict[str, list[Example]] = defaultdict(list)
    for one in project.examples():
        spaces[one.space].append(one)
    return {
        space: _one_space(project, pipeline, registry, space, rows, report, settings or {})
        for space, rows in spaces.items()
    }


def _one_space(
    project: Project,
    pipeline: Pipeline,
    registry: Registry,
    space: str,
    rows: Sequence[Example],
    report: Callable[[], object],
    settings: Mapping[str, Any],
) -> Remade:
    takes: dict[str, list[Example]] = defaultdict(list)
    clips: dict[str, Clip] = {}
    told = Remade()
    for one in rows:
        clip = project.clip(one.id) if one.has_clip else None
        if clip is None:
            told.lost += 1
            report()
            continue
        key = hashlib.sha256(clip.data).hexdigest()
        clips[key] = clip
        takes[key].append(one)
    kinds = {kind_of_clip(clip) for clip in clips.values()}
    graphs = {kind: graph_for(pipeline, registry, kind) for kind in kinds}
    made: list[NewExample] = []
    makers: dict[str, str] = {}
    names = {one.id: _new_name(one.id) for one in rows}
    for kind, graph in graphs.items():
        source: Clip | None = None  # one that gave something
        with Embedder(graph) as embedder:
            maker = ",".join(sorted(embedder.fingerprints().values()))
            for key in (key for key, clip in clips.items() if kind_of_clip(clip) == kind):
                vectors = _vectors(project, embedder, clips[key], f"reembed:{space}:{maker}:{key}",
                                   space, takes[key])  # fmt: skip
                for one in takes[key]:
                    report()
                    vector = vectors.get(one.id)
                    if vector is None:
                        told.lost += 1
                        continue
                    made.append(_again(one, names, vector, clips[key]))
                    source = clips[key]
            if source is not None:
                makers |= _maker(embedder, source, space)
    # What was augmented from one that is left out would be nobody's.
    gone = set(names.values()) - {one.id for one in made}
    orphans = sum(one.augmented_from in gone for one in made)
    made = [one for one in made if one.augmented_from not in gone]
    told.done, told.lost = len(made), told.lost + orphans
    if not made:
        raise InputError(
            f"{project.path}: no clip of {space!r} gives anything with {pipeline.path}"
        )
    project.replace(space, made, {**settings, **makers})
    return told


def _maker(embedder: Embedder, clip: Clip, space: str) -> dict[str, str]:
    """Return what makes the vectors of ``space``, as a setting: one of several embedders, maybe."""
    prints = embedder.fingerprints()
    if len(prints) > 1:
        prints = {
            node: prints[node]
            for node, packet in embedder.again(clip).packets
            if isinstance(packet.data, Embedding) and packet.data.space == space and node in prints
        }
    return {f"space:{space}": one for one in prints.values()}


def kind_of_clip(clip: Clip) -> Kind:
    """Return what kind of sample a clip is."""
    if clip.media_type == LANDMARKS:
        from ..store.clips import to_landmarks

        poses = to_landmarks(clip)
        return cast(Kind, poses[0].data.space) if poses else "body"
    return _KINDS[clip.media_type]


def _vectors(
    project: Project, embedder: Embedder, clip: Clip, key: str, space: str, rows: list[Example]
) -> dict[str, Float32]:
    """Return a new vector for each example of a clip, matched by phase and time."""
    kept = project.cache(key)
    if kept is not None:
        found = np.frombuffer(kept, "<f4").reshape(len(rows), -1)
        return {one.id: row for one, row in zip(rows, found, strict=True) if np.isfinite(row).all()}
    packets = [p for p in embedder.again(clip).embeddings if p.data.space == space]
    matched: dict[str, Float32] = {}
    for phase in {one.phase for one in rows}:
        olds = sorted((o for o in rows if o.phase == phase), key=lambda one: one.end_us)
        news = [p for p in packets if p.data.phase == phase] or packets
        for place, one in enumerate(olds):
            if news:
                matched[one.id] = at_place(news, place, len(olds)).data.vector
    if matched:
        width = len(next(iter(matched.values())))
        table = np.full((len(rows), width), np.nan, np.float32)
        for place, one in enumerate(rows):
            if one.id in matched:
                table[place] = matched[one.id]
        project.put_cache(key, table.tobytes(), of=list(matched))
    return matched


def at_place(items: Sequence[T], place: int, count: int) -> T:
    """Return the item at the place that is ``place`` among ``count``."""
    return items[min(len(items) - 1, place * len(items) // count)]


def _new_name(old: str) -> str:
    """Return an id for an example made again; ids of files' examples still know the file."""
    digest, _, number = old.rpartition("-")
    fresh = uuid.uuid4().hex
    return f"{digest}-{fresh[:8]}.{number.rpartition('.')[2]}" if digest else fresh


def _again(one: Example, names: Mapping[str, str], vector: Float32, clip: Clip) -> NewExample:
    parent = one.augmented_from
    return NewExample(
        label=one.label, space=one.space, vector=np.asarray(vector, np.float32), take=one.take,
        person=one.person, groups=one.groups, source=one.source, t_us=one.t_us, end_us=one.end_us,
        phase=one.phase, clip=clip, negative=one.negative, id=names[one.id],
        augmented_from=None if parent is None else names.get(parent, parent),
        created_us=one.created_us,
    )  # fmt: skip
