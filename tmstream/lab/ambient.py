"""False alarms an hour: settings chosen so that a recorded evening, in which nobody performed,
stays quiet.

Whatever was recognised in such a recording is a false alarm. The vectors are made once; then the
head and what follows it answer again for each setting tried.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from ..core.errors import InputError, SpecError
from ..core.packet import Absent, Embedding, Event, Gap, Packet
from ..engine import graph as graphs
from ..engine.params import parameters
from ..engine.registry import Registry
from ..engine.run import run
from ..engine.spec import NodeSpec, Pipeline
from ..store.recording import Recording
from .replay import fed_by, upstream

STRICTNESSES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
COOLDOWNS_S = (0.15, 0.5, 1.0, 2.0, 5.0)
_KEEP = "keep what arrives"
_GIVE = "give it again"


@dataclass(frozen=True)
class Trial:
    """One setting and how often it was wrong."""

    settings: dict[str, float]  #: ``node.parameter`` to value
    per_hour: float


@dataclass(frozen=True)
class Advice:
    """The mildest settings that stay below the bound, or the strictest when none does."""

    hours: float
    before: float  #: false alarms an hour with the settings as they are
    chosen: Trial
    enough: bool  #: whether the bound is kept
    trials: list[Trial]

    def lines(self, max_per_hour: float) -> list[str]:
        """Return what to tell the user."""
        named = ", ".join(f"{key} {value:g}" for key, value in self.chosen.settings.items())
        text = [
            f"{self.before:.2f} false alarms an hour now, {self.chosen.per_hour:.2f} with {named}"
        ]
        if self.chosen.settings:
            text.append("what that costs in right answers: tmstream evaluate")
        if not self.enough:
            text.append(
                f"nothing tried stays below {max_per_hour:g}: teach what sounds alike as noise"
            )
        if self.hours * max_per_hour < 3:
            # None seen in h hours leaves up to 3/h possible, 19 times in 20 (the rule of three).
            text.append(
                f"only {self.hours:.2f} hours were recorded; "
                f"to show {max_per_hour:g} an hour takes {3 / max_per_hour:.1f}"
            )
        return text


def ambient(
    pipeline: Pipeline,
    recording: Recording,
    registry: Registry,
    services: Iterable[object],
    *,
    max_per_hour: float,
) -> Advice:
    """Return the mildest strictness, and then cooldown, with at most ``max_per_hour`` alarms.

    Raises:
        InputError: the recording is empty, or no bound was given.
        SpecError: the pipeline has no head, or nothing in it gives events.
    """
    if not max_per_hour > 0:
        raise InputError("max-per-hour must be more than 0")
    services = tuple(services)
    heads = [spec for spec in pipeline.nodes if spec.type == "knn"]
    if not heads:
        raise SpecError(f"{pipeline.path}: no knn node in it")
    hours = recording.length_us() / 3.6e9
    if hours <= 0:
        raise InputError(f"{recording.folder}: nothing is recorded there")
    heard = _heard(pipeline, heads, recording, registry, services)
    trials: list[Trial] = []

    def tried(settings: dict[str, float]) -> Trial:
        events = _events(pipeline, heads, heard, registry, services, settings)
        trials.append(Trial(settings, alarms(events) / hours))
        return trials[-1]

    before = tried({}).per_hour
    chosen = trials[0]
    for strictness in STRICTNESSES:
        chosen = tried({f"{head.name}.strictness": strictness for head in heads})
        if chosen.per_hour <= max_per_hour:
            return Advice(hours, before, chosen, True, trials)
    cooling = [s.name for s in pipeline.nodes if "cooldown_s" in parameters(registry[s.type])]
    strict = chosen.settings
    for cooldown_s in COOLDOWNS_S if cooling else ():
        chosen = tried({**strict, **{f"{name}.cooldown_s": cooldown_s for name in cooling}})
        if chosen.per_hour <= max_per_hour:
            return Advice(hours, before, chosen, True, trials)
    return Advice(hours, before, chosen, False, trials)


def alarms(events: Sequence[Packet[Event]]) -> int:
    """Return how often something was recognised: an enter and a trigger of one onset are one."""
    begun = {
        (packet.data.label, packet.data.subject, packet.data.onset_us)
        for packet in events
        if packet.data.event in ("trigger", "enter")
    }
    return len(begun)


def _heard(
    pipeline: Pipeline,
    heads: Sequence[NodeSpec],
    recording: Recording,
    registry: Registry,
    services: tuple[object, ...],
) -> dict[str, list[Packet[Any]]]:
    """Return what every embedder before a head gives, made once."""
    heard: dict[str, list[Packet[Any]]] = {}

    @dataclass
    class Keep:
        takes: ClassVar[tuple[type, ...]] = (Embedding, Absent, Gap)

        async def write(self, packet: Packet[Any]) -> None:
            raise AssertionError("the engine names the giver")

        async def write_from(self, giver: str, packet: Packet[Any]) -> None:
            if not (isinstance(packet.data, Gap) and packet.data.reason == "end"):
                heard.setdefault(giver, []).append(packet)

    feeds = tuple(dict.fromkeys(name for head in heads for name in head.sources))
    known = Registry({**registry.known, _KEEP: Keep})
    needed = upstream(feeds, {spec.name: spec for spec in pipeline.nodes})
    nodes = tuple(spec for spec in pipeline.nodes if spec.name in needed)
    cut = replace(pipeline, nodes=(*nodes, NodeSpec(_KEEP, _KEEP, feeds)))
    asyncio.run(run(graphs.build(fed_by(cut, recording, known), known), services))
    return {name: heard.get(name, []) for name in feeds}


def _events(
    pipeline: Pipeline,
    heads: Sequence[NodeSpec],
    heard: dict[str, list[Packet[Any]]],
    registry: Registry,
    services: tuple[object, ...],
    settings: dict[str, float],
) -> list[Packet[Event]]:
    """Return the events that the head and what follows it make with these settings."""
    collected: list[Packet[Event]] = []

    @dataclass
    class Give:
        gives: ClassVar[tuple[type, ...]] = (Embedding, Absent, Gap)
        of: str = ""

        async def packets(self) -> AsyncIterator[Packet[Any]]:
            for packet in heard[self.of]:
                yield packet

    @dataclass
    class Keep:
        takes: ClassVar[tuple[type, ...]] = (Event,)

        async def write(self, packet: Packet[Any]) -> None:
            collected.append(packet)

    known = Registry({**registry.known, _KEEP: Keep, _GIVE: Give})
    givers = tuple(spec.name for spec in pipeline.nodes if Event in registry.gives(spec.type))
    if not givers:
        raise SpecError(f"{pipeline.path}: no node in it gives events")
    specs = {spec.name: spec for spec in pipeline.nodes}
    needed, above = upstream(givers, specs), upstream(heard, specs)
    nodes = [
        NodeSpec(spec.name, _GIVE, (), {"of": spec.name}) if spec.name in heard else spec
        for spec in pipeline.nodes
        if spec.name in heard or (spec.name in needed and spec.name not in above)
    ]
    cut = replace(
        pipeline, nodes=(*nodes, NodeSpec(_KEEP, _KEEP, givers)), realtime=False, private=False
    )
    asyncio.run(run(graphs.build(graphs.with_params(cut, settings), known), services))
    return collected
