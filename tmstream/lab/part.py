"""Take the part of a pipeline that a kind of sample needs, and walk packets through it by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from ..core.clock import VirtualClock
from ..core.errors import InputError
from ..core.node import Types
from ..core.packet import Absent, Audio, Embedding, Gap, Image, Landmarks, Packet, Scores
from ..engine.graph import Graph, build
from ..engine.handout import NodeServices
from ..engine.registry import Registry
from ..engine.spec import NodeSpec, Pipeline
from ..engine.stats import NodeStats
from ..engine.walk import Walk
from .sample import Kind

#: Which nodes a row of a landmark table stands in for.
LANDMARK_TYPES = {"body": "body_landmarks", "hand": "hand_landmarks", "face": "face_landmarks"}

#: What a person calls each kind of sample.
WORDS: dict[Kind, str] = {
    "sound": "sounds", "picture": "pictures", "video": "videos",
    "body": "body landmarks", "hand": "hand landmarks", "face": "face landmarks",
}  # fmt: skip

_GIVEN: dict[Kind, type] = {
    "sound": Audio, "picture": Image, "video": Image, "body": Landmarks, "hand": Landmarks,
    "face": Landmarks,
}  # fmt: skip
_OUT = "lab.collected"


class _Given:
    """Stands where a source stood; its packets are pushed by hand."""

    async def packets(self) -> Any:
        """Yield nothing."""
        return
        yield


@dataclass
class _GivenAudio(_Given):
    """Sound from a sample."""

    gives: ClassVar[Types] = (Audio,)


@dataclass
class _GivenImage(_Given):
    """A picture from a sample."""

    gives: ClassVar[Types] = (Image,)


@dataclass
class _GivenLandmarks(_Given):
    """Landmarks from a sample."""

    gives: ClassVar[Types] = (Landmarks,)


@dataclass
class _Collected:
    """Where whatever comes out is picked up."""

    takes: ClassVar[Types] = (Embedding, Scores, Landmarks, Absent, Gap)

    async def write(self, packet: Packet[Any]) -> None:
        """Never called: a walk delivers instead."""


_OURS: dict[type, type] = {Audio: _GivenAudio, Image: _GivenImage, Landmarks: _GivenLandmarks}


def kinds_of(pipeline: Pipeline, registry: Registry) -> list[Kind]:
    """Return the kinds of sample that this pipeline can embed."""
    registry = _with_ours(registry)
    return [kind for kind in WORDS if _kept(pipeline, registry, kind)]


def graph_for(pipeline: Pipeline, registry: Registry, kind: Kind, *, head: bool = False) -> Graph:
    """Return the graph from ``kind`` to its embeddings, or on to the head's answers.

    Raises:
        InputError: the pipeline does not embed that kind, or has no head.
        SpecError: it is wrong.
    """
    registry = _with_ours(registry)
    kept = _kept(pipeline, registry, kind)
    if not kept:
        able = " and ".join(WORDS[one] for one in kinds_of(pipeline, registry)) or "nothing"
        raise InputError(f"{pipeline.path} embeds {able}, not {WORDS[kind]}; choose --pipeline")
    specs = [
        spec
        for spec in kept
        if Embedding in registry.gives(spec.type)
        or (spec.sources and Landmarks in registry.gives(spec.type))
    ]
    if head:
        names = {spec.name for spec in kept}
        heads = [
            replace(spec, sources=tuple(one for one in spec.sources if one in names))
            for spec in pipeline.nodes
            if Scores in registry.gives(spec.type) and Embedding in registry[spec.type].takes
        ]
        specs = [spec for spec in heads if spec.sources][:1]
        if not specs:
            raise InputError(f"{pipeline.path} has no head (knn) to answer for {WORDS[kind]}")
        kept = [*kept, *specs]
    out = NodeSpec(_OUT, _OUT, tuple(spec.name for spec in specs))
    return build(replace(pipeline, nodes=(*kept, out), realtime=False), registry)


def _with_ours(registry: Registry) -> Registry:
    ours = {_given_type(given): node for given, node in _OURS.items()}
    return Registry({**registry.known, **ours, _OUT: _Collected})


def _given_type(payload: type) -> str:
    return f"lab.{payload.__name__.lower()}"


def _kept(pipeline: Pipeline, registry: Registry, kind: Kind) -> list[NodeSpec]:
    """Return the nodes from samples of ``kind`` to embeddings, the first replaced by our own."""
    given = _GIVEN[kind]
    kept: dict[str, NodeSpec] = {}
    waiting = list(pipeline.nodes)
    while True:
        ready = [
            spec
            for spec in waiting
            if spec.name not in kept
            and (
                spec.type == LANDMARK_TYPES.get(kind, "")
                if given is Landmarks and not any(one in kept for one in spec.sources)
                else (spec.sources and all(one in kept for one in spec.sources))
                or (not spec.sources and given in registry.gives(spec.type))
            )
        ]
        if not ready:
            break
        for spec in ready:
            begins = not any(one in kept for one in spec.sources)
            kept[spec.name] = NodeSpec(spec.name, _given_type(given)) if begins else spec
    ends = {name for name, spec in kept.items() if Embedding in registry.gives(spec.type)}
    wanted = set(ends)
    for name in reversed(kept):
        if name in wanted:
            wanted.update(kept[name].sources)
    return [spec for name, spec in kept.items() if name in wanted] if ends else []


class Part:
    """An open walk over some transforms of a graph; what leaves them is returned by `push`.

    It belongs to the thread that opened it.
    """

    def __init__(
        self, graph: Graph, members: Iterable[str], services: Iterable[object] = ()
    ) -> None:
        self.graph, self._clock = graph, VirtualClock()
        self._made: list[tuple[str, Packet[Any]]] = []
        found = tuple(services)
        handed = {
            name: NodeServices(name, slot.origins, self._clock, NodeStats(), found)
            for name, slot in graph.slots.items()
        }
        self._walk = Walk(graph, list(members), handed, self._take)

    def __enter__(self) -> Part:
        self._walk.open()
        return self

    def __exit__(self, *_: object) -> None:
        self._walk.close()

    def push(self, giver: str, packet: Packet[Any]) -> list[tuple[str, Packet[Any]]]:
        """Hand on a packet of ``giver``; return what came out, with the name of who gave it."""
        self._clock.move_to(packet.t_us)
        self._walk.push(giver, packet)
        made, self._made = self._made, []
        return made

    def node(self, name: str) -> Any:
        """Return the opened node ``name``."""
        return self._walk.steps[name].node

    def _take(self, giver: str, reader: str, packet: Packet[Any]) -> None:
        self._made.append((giver, packet))
