"""Choose the head's settings by measuring, and keep a room silent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import Any

import msgspec
import numpy as np

from ..core.errors import InputError
from ..core.packet import Embedding, Packet, Scores
from ..engine.graph import with_params
from ..engine.registry import Registry
from ..engine.spec import Pipeline
from ..head.judge import Learn, judge
from ..head.learn import Fit, learn
from ..head.lesson import Lesson
from ..store.batch import one_step
from ..store.project import Example, NewExample, Project
from .classify import Head
from .embedder import Embedder, Heard
from .head import head_of, head_params
from .part import graph_for
from .sample import Sample

#: What is tried: (k, strictness). Larger k needs more takes than are usually taught.
GRID: dict[str, Sequence[Any]] = {"k": (1, 3, 5, 9), "strictness": (0.35, 0.5, 0.65)}
#: A setting counts when it gains more than this: less is luck.
CONVINCING = 0.01
#: Strangers turned away count this much beside members answered rightly.
STRANGERS = 0.25
#: Strictness is raised by this much until the room is silent, up to the strictest.
STEP = 0.05
ROUNDS = 3
#: Label under which what a room says is kept as "not that": see `Project`, hard negatives.
ROOM_TAKE = "room"
TEACH = "tmstream teach PROJECT FOLDER"


class Tuned(msgspec.Struct, frozen=True):
    """What a search found."""

    before: dict[str, Any]
    after: dict[str, Any]
    score_before: float
    score_after: float
    tried: int
    dropped: int = 0  #: examples made by augmentation that did no good


class Silenced(msgspec.Struct, frozen=True):
    """What it took to keep a recording silent."""

    seconds: float
    triggers_before: int
    triggers_after: int
    negatives: int  #: examples of "not that" added
    strictness: float


def score(examples: Iterable[Example], k: int, strictness: float, learned: Learn = learn) -> float:
    """Return how good settings are: right answers on held-out groups, and strangers turned away."""
    found = judge(examples, k, None, strictness, learned)["spaces"].values()
    total = sum(one["tested"] for one in found)
    if not total:
        raise InputError(f"nothing can be held out: teach every label at least twice: {TEACH}")
    right: float = sum((one["accuracy"] or 0.0) * one["tested"] for one in found) / total
    strangers = [one["open_set"]["strangers_rejected"] for one in found if one["open_set"]]
    return float(right + STRANGERS * (np.mean(strangers) if strangers else 0.0))


def search(
    project: Project, pipeline: Pipeline, report: Callable[[], object] = lambda: None
) -> Tuned:
    """Try the grid on grouped folds, and keep what is convincingly better, as one step to undo.

    So are the examples made by augmentation: when it is better without them, they are deleted.

    Raises:
        InputError: the pipeline has no head, or too little was taught to hold any of it out.
    """
    from sklearn.model_selection import ParameterGrid

    spec = head_of(pipeline)
    if spec is None:
        raise InputError(f"{pipeline.path} has no head (knn) to tune")
    if len(labels := project.labels()) == 1:
        raise InputError(f"{labels[0]} is the only label: teach another beside it: {TEACH}")
    examples, before = project.examples(), head_params(pipeline)
    made = [one.id for one in examples if one.augmented_from is not None]
    learned = _remembered()
    base = score(examples, before["k"], before["strictness"], learned)
    best, best_score, tried = before, base + CONVINCING, 1
    for one in ParameterGrid(GRID):
        found = score(examples, one["k"], one["strictness"], learned)
        tried += 1
        report()
        if found > best_score:
            best, best_score = dict(one), found
    dropped = False
    if made:
        own = [one for one in examples if one.augmented_from is None]
        without = score(own, best["k"], best["strictness"])
        tried += 1
        # On top of what the grid gained, it must gain as convincingly itself.
        dropped = without > best_score + (CONVINCING if best is not before else 0.0)
        best_score = without if dropped else best_score
    with one_step(project) as batch:
        if best is not before:
            settings = {f"nodes.{spec.name}.{name}": best[name] for name in best}
            project.set_settings(settings, batch=batch)
        if dropped:
            project.delete(made, batch=batch)
    gained = best is not before or dropped
    return Tuned(
        before, dict(best), base, best_score if gained else base, tried, len(made) * dropped
    )


def _remembered() -> Learn:
    """Return a `learn` that fits every lesson once: the strictness changes none."""
    fits: dict[tuple[tuple[str, ...], int], Fit] = {}

    def learned(lesson: Lesson, k: int) -> Fit:
        key = lesson.ids, k
        if key not in fits:
            fits[key] = learn(lesson, k)
        return fits[key]

    return learned


def silence(
    project: Project, pipeline: Pipeline, registry: Registry, sample: Sample, *, most: int = 0
) -> Silenced:
    """Teach that nothing in ``sample`` is any label, until at most ``most`` sounds are answered.

    What is answered is kept as "that was not it" (hard negatives); if that does not do, the
    strictness is raised. All of it is one step to undo.

    Raises:
        InputError: the sample cannot be decoded, or the pipeline cannot take it.
    """
    spec = head_of(pipeline)
    if spec is None:
        raise InputError(f"{pipeline.path} has no head (knn) to tune")
    with Embedder(graph_for(pipeline, registry, sample.kind)) as embedder:
        heard = embedder.embed(sample)
    if heard.error:
        raise InputError(heard.error)
    strictness = float(head_params(pipeline)["strictness"])
    wrong = _answered(project, pipeline, registry, heard, spec.name, strictness)
    before, kept = _triggers(wrong), 0
    with one_step(project) as batch:
        for _ in range(ROUNDS):
            if _triggers(wrong) <= most:
                break
            project.add([_negative(*one, sample) for one in wrong], batch=batch)
            kept += len(wrong)
            wrong = _answered(project, pipeline, registry, heard, spec.name, strictness)
        while _triggers(wrong) > most and strictness < 1.0:
            strictness = min(1.0, round(strictness + STEP, 3))
            wrong = _answered(project, pipeline, registry, heard, spec.name, strictness)
        if strictness != head_params(pipeline)["strictness"]:
            project.set_settings({f"nodes.{spec.name}.strictness": strictness}, batch=batch)
    last_us = max((packet.data.end_us for _, packet in heard.packets), default=0)
    return Silenced(last_us / 1e6, before, _triggers(wrong), kept, strictness)


def _answered(
    project: Project,
    pipeline: Pipeline,
    registry: Registry,
    heard: Heard,
    node: str,
    strictness: float,
) -> list[tuple[Packet[Embedding], Scores]]:
    """Return what was answered with a label, and the embedding it answered."""
    if not heard.embeddings:
        return []
    asked = with_params(pipeline, {f"{node}.strictness": strictness})
    with ExitStack() as stack:
        graph = graph_for(asked, registry, heard.sample.kind, head=True)
        head = stack.enter_context(Head(graph, project))
        answers = head.answers(heard)
    by_end = {packet.data.end_us: packet for packet in heard.embeddings}
    shift = answers[0].data.end_us - heard.embeddings[0].data.end_us if answers else 0
    return [
        (by_end[made.data.end_us - shift], made.data)
        for made in answers
        if made.data.label is not None and made.data.end_us - shift in by_end
    ]


def _triggers(wrong: Sequence[tuple[Packet[Embedding], Scores]]) -> int:
    """Return how many sounds were answered, however often each."""
    return len({packet.data.take for packet, _ in wrong})


def _negative(packet: Packet[Embedding], said: Scores, sample: Sample) -> NewExample:
    assert said.label is not None
    return NewExample(
        label=said.label, space=packet.data.space, vector=packet.data.vector,
        take=f"{ROOM_TAKE} {sample.file.name}", source=sample.file.name, t_us=packet.t_us,
        end_us=packet.data.end_us, phase=packet.data.phase, negative=True,
    )  # fmt: skip
