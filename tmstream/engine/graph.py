"""From paper to a checked graph. A graph that exists is a graph that can run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import Any

from ..core.errors import ContractError, SpecError, UnknownNode
from ..core.node import Sink, Source, Transform, Types
from ..core.packet import Audio, Image
from . import params
from .nearest import did_you_mean
from .registry import Factory, Registry
from .spec import NodeSpec, Pipeline

_SHAPES = (Source, Transform, Sink)


@dataclass
class Slot:
    """A node's place in the graph; the node in it may be replaced by a fresh one."""

    spec: NodeSpec
    factory: Factory
    params: dict[str, Any]
    shape: type
    origins: tuple[str, ...]  #: the sources upstream, itself included

    @property
    def name(self) -> str:
        """The node's name in the pipeline."""
        return self.spec.name

    @property
    def takes(self) -> Types:
        """The payload types it reads."""
        return getattr(self.factory, "takes", ())

    @property
    def gives(self) -> Types:
        """The payload types it gives."""
        return getattr(self.factory, "gives", ())

    def make(self) -> Any:
        """Return a fresh node, not yet opened."""
        return self.factory(**self.params)


@dataclass(frozen=True)
class Graph:
    """Slots by name in walking order, and the names that read each."""

    pipeline: Pipeline
    slots: Mapping[str, Slot]
    readers: Mapping[str, tuple[str, ...]]

    def shaped(self, shape: type) -> list[Slot]:
        """Return the slots of one shape (Source, Transform or Sink), in walking order."""
        return [slot for slot in self.slots.values() if slot.shape is shape]

    @property
    def live(self) -> bool:
        """Whether any source is a device, or the pipeline asks for real time."""
        sources = self.shaped(Source)
        return self.pipeline.realtime or any(getattr(s.factory, "live", False) for s in sources)


def build(pipeline: Pipeline, registry: Registry) -> Graph:
    """Build every node once, and check every joint.

    Raises:
        SpecError: an unknown name or parameter, a wrong value, or a circle.
        ContractError: a node gives nothing that its neighbour takes.
    """
    by_name = {spec.name: spec for spec in pipeline.nodes}
    for spec in pipeline.nodes:
        for source in spec.sources:
            if source not in by_name:
                where = pipeline.where(f"nodes.{spec.name}.from")
                raise SpecError(f"{where}: no node named {source!r}{did_you_mean(source, by_name)}")
    slots: dict[str, Slot] = {}
    for name in _walking_order(pipeline):
        slots[name] = _slot(pipeline, by_name[name], registry, slots)
    for slot in slots.values():
        for source in slot.spec.sources:
            _join(pipeline, slots[source], slot)
    if not any(slot.shape is Source for slot in slots.values()):
        raise SpecError(
            f"{pipeline.where('nodes')}: no source among them (microphone, audio_file ...)"
        )
    readers = {
        name: tuple(reader for reader in slots if name in slots[reader].spec.sources)
        for name in slots
    }
    return Graph(pipeline, slots, readers)


def with_sources(pipeline: Pipeline, registry: Registry, files: Mapping[str, str]) -> Pipeline:
    """Return the pipeline with sources replaced by files of their kind.

    Raises:
        SpecError: no such node, or it is not a source.
    """
    for name, file in files.items():
        gives = registry.gives(pipeline.node(name).type)
        kind = "audio_file" if Audio in gives else "video_file" if Image in gives else None
        if pipeline.node(name).sources or kind is None:
            raise SpecError(f"{pipeline.where(f'nodes.{name}')}: not a source of sound or pictures")
        pipeline = pipeline.with_node(NodeSpec(name, kind, (), {"path": file}))
    return pipeline


def with_params(pipeline: Pipeline, values: Mapping[str, Any]) -> Pipeline:
    """Return the pipeline with parameters replaced; keys are ``node.parameter``.

    Raises:
        SpecError: no such node.
    """
    for key, value in values.items():
        name, _, param = key.partition(".")
        spec = pipeline.node(name)
        pipeline = pipeline.with_node(replace(spec, params={**spec.params, param: value}))
    return pipeline


def _walking_order(pipeline: Pipeline) -> list[str]:
    """Return names so that givers come before readers, and otherwise as written."""
    sorter = TopologicalSorter({spec.name: spec.sources for spec in pipeline.nodes})
    try:
        sorter.prepare()
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        where = pipeline.where(f"nodes.{error.args[1][0]}.from")
        raise SpecError(f"{where}: the pipeline runs in a circle: {circle}") from None
    written = [spec.name for spec in pipeline.nodes]
    order: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=written.index)
        order.extend(ready)
        sorter.done(*ready)
    return order


def _slot(pipeline: Pipeline, spec: NodeSpec, registry: Registry, made: Mapping[str, Slot]) -> Slot:
    name = f"nodes.{spec.name}"
    try:
        factory = registry[spec.type]
    except UnknownNode as error:
        raise UnknownNode(f"{pipeline.where(name + '.type')}: {error}") from error
    try:
        node = params.build(factory, spec.params)
    except params.ParamError as error:
        where = pipeline.where(f"{name}.{error.name}" if error.name else name)
        raise SpecError(f"{where}: {error}") from error
    shape = next((shape for shape in _SHAPES if isinstance(node, shape)), None)
    if shape is None:
        raise ContractError(f"{pipeline.where(name)}: {spec.type} is no Source, Transform or Sink")
    if shape is Source and spec.sources:
        raise SpecError(
            f"{pipeline.where(name + '.from')}: {spec.type} is a source and reads no node"
        )
    if shape is not Source and not spec.sources:
        raise SpecError(f"{pipeline.where(name)}: {spec.type} needs 'from:', the node it reads")
    upstream = [origin for source in spec.sources for origin in made[source].origins]
    origins = tuple(dict.fromkeys(upstream)) or (spec.name,)
    return Slot(spec, factory, params.convert(factory, spec.params), shape, origins)


def _join(pipeline: Pipeline, giver: Slot, reader: Slot) -> None:
    if giver.shape is Sink:
        where = pipeline.where(f"nodes.{reader.name}.from")
        raise ContractError(f"{where}: {giver.name} is a sink and gives nothing")
    if not any(issubclass(given, taken) for given in giver.gives for taken in reader.takes):
        where = pipeline.where(f"nodes.{reader.name}.from")
        raise ContractError(
            f"{where}: {giver.name} ({giver.spec.type}) gives {_names(giver.gives)}, "
            f"but {reader.name} ({reader.spec.type}) takes {_names(reader.takes)}"
        )
    raw = [given for given in giver.gives if issubclass(given, Audio | Image)]
    if pipeline.private and raw and getattr(reader.factory, "keeps", False):
        where = pipeline.where(f"nodes.{reader.name}.from")
        raise ContractError(
            f"{where}: private: true, but {reader.name} ({reader.spec.type}) would keep the "
            f"{_names(tuple(raw))} of {giver.name}; let it read landmarks, embeddings or events"
        )


def _names(types: Types) -> str:
    return " or ".join(kind.__name__ for kind in types) or "nothing"
