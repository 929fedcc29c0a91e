"""A recording through a pipeline: the same again, or what other settings would have made of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from ..core.errors import InputError, SpecError
from ..core.packet import Audio, Event, Image, Packet
from ..core.words import counted
from ..engine import graph as graphs
from ..engine.registry import Registry
from ..engine.run import run
from ..engine.spec import NodeSpec, Pipeline, parse
from ..store.recording import Recording, RunInfo

#: Two events this near in onset, alike in everything else, are the same event.
SAME_WITHIN_US = 300_000
_COLLECTOR = "collect events"


def run_info(pipeline: Pipeline) -> RunInfo:
    """Return what a recording should know of a run: the pipeline with all settings in force."""
    text: dict[str, Any] = {
        "nodes": {
            spec.name: {"type": spec.type, **({"from": list(spec.sources)} if spec.sources else {})}
            | dict(spec.params)
            for spec in pipeline.nodes
        }
    }
    project = None if pipeline.project is None else str(pipeline.project.absolute())
    if project is not None:
        text["project"] = project
    if pipeline.server:
        text["server"] = dict(pipeline.server)
    return RunInfo(json.dumps(text, indent=1), str(pipeline.path.absolute()), project)


def made_by(recording: Recording) -> Pipeline:
    """Return the pipeline that was running when it was recorded; `InputError` when unknown."""
    run_ = recording.session.run
    if not run_.pipeline:
        raise InputError(f"{recording.folder}: does not say which pipeline made it; name one")
    return parse(run_.pipeline, Path(run_.path))


def fed_by(
    pipeline: Pipeline, recording: Recording, registry: Registry, *, speed: float = 0.0
) -> Pipeline:
    """Return the pipeline reading the recording instead of the world, and writing no new one.

    A node is taken from the recording where something upstream of it is not on it: the cut is as
    near to the raw sound and picture as the recording allows.

    Raises:
        SpecError: the recording holds nothing to feed a sink with.
    """
    kinds = recording.kinds()
    specs = {spec.name: spec for spec in pipeline.nodes}
    wanted: dict[str, NodeSpec] = {}

    def take(name: str) -> NodeSpec | None:
        """Return the node as it will be fed, or None when nothing can feed it."""
        if name in wanted:
            return wanted[name]
        spec = specs[name]
        feeds = [take(source) for source in spec.sources]
        if spec.sources and all(feeds):
            wanted[name] = spec
        elif (of := _recorded_as(spec, kinds, registry, pipeline)) is not None:
            params = {"path": str(recording.folder.absolute()), "of": of, "speed": speed}
            wanted[name] = NodeSpec(name, "recording", (), params)
        return wanted.get(name)

    read = {name for spec in pipeline.nodes for name in spec.sources}
    sinks = [spec for spec in pipeline.nodes if spec.name not in read and spec.sources]
    kept: list[NodeSpec] = []
    for sink in sinks:
        if getattr(registry[sink.type], "keeps", False):
            continue
        feeds = tuple(name for name in sink.sources if take(name) is not None)
        if feeds:
            kept.append(replace(sink, sources=feeds))
    if not kept:
        on_it = ", ".join(sorted(kinds)) or "nothing"
        raise SpecError(f"{pipeline.path}: {recording.folder} holds {on_it}: it feeds no sink here")
    needed = upstream([name for sink in kept for name in sink.sources], wanted)
    nodes = [wanted[name] for name in specs if name in needed] + kept
    return replace(pipeline, nodes=tuple(nodes), realtime=False, private=False)


def _recorded_as(
    spec: NodeSpec, kinds: Mapping[str, frozenset[type]], registry: Registry, pipeline: Pipeline
) -> str | None:
    """Return the recorded node that stands for ``spec``: its namesake, or the only one alike."""
    if spec.name in kinds:
        return spec.name
    if spec.sources:
        return None
    gives = registry.gives(spec.type)
    raw = {kind for kind in (Audio, Image) if kind in gives}
    alike = [name for name, found in kinds.items() if raw & found and name not in _names(pipeline)]
    return alike[0] if len(alike) == 1 else None


def _names(pipeline: Pipeline) -> set[str]:
    return {spec.name for spec in pipeline.nodes}


def upstream(names: Iterable[str], specs: Mapping[str, NodeSpec]) -> set[str]:
    """Return ``names`` and whatever they read, however far up."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(specs[name].sources)
    return found


def events_of(
    pipeline: Pipeline,
    recording: Recording,
    registry: Registry,
    services: Iterable[object],
) -> list[Packet[Event]]:
    """Return the events that ``pipeline`` makes of the recording, in order of their onset.

    Raises:
        SpecError: no node in it gives events, or the recording cannot feed it.
    """
    collected: list[Packet[Event]] = []

    @dataclass
    class Collect:
        takes: ClassVar[tuple[type, ...]] = (Event,)

        async def write(self, packet: Packet[Any]) -> None:
            collected.append(packet)

    givers = tuple(spec.name for spec in pipeline.nodes if Event in registry.gives(spec.type))
    if not givers:
        raise SpecError(f"{pipeline.path}: no node in it gives events")
    known = Registry({**registry.known, _COLLECTOR: Collect})
    # The other ends (websocket, osc ...) are not wanted here.
    others = tuple(spec for spec in pipeline.nodes if registry.gives(spec.type))
    pipeline = replace(pipeline, nodes=(*others, NodeSpec(_COLLECTOR, _COLLECTOR, givers)))
    fed = fed_by(pipeline, recording, known)
    asyncio.run(run(graphs.build(fed, known), tuple(services)))
    return sorted(collected, key=lambda packet: (packet.data.onset_us, packet.t_us))


def recorded_events(recording: Recording) -> list[Packet[Event]]:
    """Return the events that were made while it was recorded, if it holds them."""
    found = [p for _, p in recording.packets() if isinstance(p.data, Event)]
    return sorted(found, key=lambda packet: (packet.data.onset_us, packet.t_us))


@dataclass(frozen=True)
class Difference:
    """What changed between two lists of events."""

    same: int
    gone: list[Packet[Event]]
    new: list[Packet[Event]]

    def lines(self) -> list[str]:
        """Return one line an event, in order of time, and a summary a label."""
        marked = [("-", p) for p in self.gone] + [("+", p) for p in self.new]
        marked.sort(key=lambda one: one[1].data.onset_us)
        text = [f"{sign} {_clock(p.data.onset_us)}  {_words(p.data)}" for sign, p in marked]
        counts: dict[str, list[int]] = {}
        for sign, packet in marked:
            key = f"{packet.data.event} {packet.data.label}"
            counts.setdefault(key, [0, 0])[sign == "+"] += 1
        text += [f"{key}: {lost} gone, {won} new" for key, (lost, won) in sorted(counts.items())]
        return [*text, f"{counted(self.same, 'event')} as before"]


def difference(before: Sequence[Packet[Event]], after: Sequence[Packet[Event]]) -> Difference:
    """Match events alike in kind, label and person by the nearest onset; what is left changed."""
    waiting = list(after)
    gone: list[Packet[Event]] = []
    for packet in before:
        alike = [
            (abs(other.data.onset_us - packet.data.onset_us), i)
            for i, other in enumerate(waiting)
            if _key(other.data) == _key(packet.data)
        ]
        near = min(alike, default=(SAME_WITHIN_US + 1, -1))
        if near[0] <= SAME_WITHIN_US:
            waiting.pop(near[1])
        else:
            gone.append(packet)
    return Difference(len(before) - len(gone), gone, waiting)


def _key(event: Event) -> tuple[str, str, str | None]:
    return event.event, event.label, event.subject


def _clock(t_us: int) -> str:
    seconds, us = divmod(t_us, 1_000_000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{us // 100_000}"


def _words(event: Event) -> str:
    who = "" if event.subject is None else f" (person {event.subject})"
    return f"{event.event} {event.label!r}{who}"
