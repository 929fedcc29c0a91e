"""Change a parameter while its node runs: the ``set`` command, journalled with the project.

A change is kept as the project setting ``nodes.NAME.PARAMETER``, so it survives a restart and can
be undone like any other. Command line over journalled setting over YAML.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..core.errors import InputError
from ..core.messages import Set
from ..core.services import Commands
from ..store.project import Change, Project
from . import params
from .graph import Graph, Slot
from .handout import find
from .nearest import did_you_mean
from .registry import Registry
from .spec import NodeSpec, Pipeline
from .walk import Step

PREFIX = "nodes."


def journalled(pipeline: Pipeline, settings: Mapping[str, Any]) -> Pipeline:
    """Return the pipeline with a project's ``nodes.NAME.PARAMETER`` settings put over the YAML's.

    Settings of nodes that this pipeline does not have are another pipeline's, and passed over.
    """
    specs = {spec.name: spec for spec in pipeline.nodes}
    for key, value in settings.items():
        name, _, param = key.removeprefix(PREFIX).rpartition(".")
        spec = specs.get(name)
        if key.startswith(PREFIX) and spec is not None and value is not None:
            specs[name] = replace(
                spec, params={**spec.params, param: value}, written=_written(spec)
            )
    return replace(pipeline, nodes=tuple(specs.values()))


def with_journal(
    pipeline: Pipeline,
    registry: Registry,
    project: Project | None,
    *,
    but: Collection[str] = (),
) -> Pipeline:
    """Return the pipeline with what ``set`` and ``tune`` changed in the project over the YAML's.

    ``but``: parameters that the command line gave, as ``node.parameter``; they stay.
    """
    if project is None:
        return pipeline
    keys = [
        f"{PREFIX}{spec.name}.{name}"
        for spec in pipeline.nodes
        for name in params.parameters(registry[spec.type])
        if f"{spec.name}.{name}" not in but
    ]
    return journalled(pipeline, {key: project.setting(key) for key in keys})


class LiveSettings:
    """Answers ``set``: only parameters whose node marks them live, and never a path or device."""

    def __init__(self, graph: Graph, steps: Mapping[str, Step]) -> None:
        self._graph, self._steps = graph, steps
        self._project: Project | None = None
        self._applying = threading.Lock()  # the loop and the project's writer both do
        self._stored: dict[str, Any] = {}  # what the project said last

    def serve(self, services: Iterable[object]) -> None:
        """Take the ``set`` command, and follow the project's journal."""
        services = tuple(services)
        commands, self._project = find(services, Commands), find(services, Project)
        if commands is not None:
            commands.route([Set], self.handle)
        if self._project is not None:
            self._project.subscribe(self._follow)
            self._stored = self._project.settings()

    async def handle(self, command: Set) -> dict[str, Any]:
        """Apply one change between two packets; a restarted node keeps it.

        Raises:
            InputError: unknown, not live, or refused by the node itself.
        """
        slot = self._slot(command)
        self._checked(slot, command.param, command.value)
        if self._project is not None and not self._project.read_only:
            key = f"{PREFIX}{command.node}.{command.param}"
            await asyncio.to_thread(self._project.set_settings, {key: command.value})
        with self._applying:
            self._apply(slot, command.param, self._checked(slot, command.param, command.value))
        return {"node": command.node, "param": command.param, "value": command.value}

    def _slot(self, command: Set) -> Slot:
        slot = self._graph.slots.get(command.node)
        if slot is None or command.node not in self._steps:
            raise InputError(f"no node {command.node!r}{did_you_mean(command.node, self._steps)}")
        if not params.is_live(slot.factory, command.param):
            live = [p for p in params.parameters(slot.factory) if params.is_live(slot.factory, p)]
            raise InputError(
                f"nodes.{command.node}.{command.param} cannot be changed while running"
                + (f"; these can: {', '.join(live)}" if live else "")
            )
        return slot

    def _checked(self, slot: Slot, param: str, value: Any) -> dict[str, Any]:
        wanted = {**slot.params, param: value}
        try:
            params.build(slot.factory, wanted)
        except params.ParamError as error:
            raise InputError(f"nodes.{slot.name}.{param}: {error}") from error
        return params.convert(slot.factory, wanted)

    def _apply(self, slot: Slot, param: str, wanted: dict[str, Any]) -> None:
        slot.params = wanted
        node = self._steps[slot.name].node
        if node is not None:
            # One attribute, set at once: the lane sees the old value or the new one.
            setattr(node, param, wanted.get(param, getattr(slot.make(), param)))

    def _follow(self, change: Change) -> None:
        """Apply what undo, redo, restore or another process did to journalled parameters."""
        for key, value in self._changed(change).items():
            name, _, param = key.removeprefix(PREFIX).rpartition(".")
            slot = self._graph.slots.get(name)
            if not key.startswith(PREFIX) or slot is None or name not in self._steps:
                continue
            if not params.is_live(slot.factory, param):
                continue
            wanted = _written(slot.spec).get(param) if value is None else value
            with self._applying:
                if wanted is None:
                    unset = {p: v for p, v in slot.params.items() if p != param}
                    self._apply(slot, param, unset)
                else:
                    self._apply(slot, param, self._checked(slot, param, wanted))

    def _changed(self, change: Change) -> Mapping[str, Any]:
        """Return the settings to apply; after another process wrote, those that it changed.

        (Not all there are: what the command line gave stands over them.)
        """
        before, changed = self._stored, change.settings
        if change.reload and self._project is not None:
            stored = self._project.settings()
            changed = {k: stored.get(k) for k in before | stored if stored.get(k) != before.get(k)}
        self._stored = before | changed
        return changed


def _written(spec: NodeSpec) -> Mapping[str, Any]:
    """Return what the command line and the YAML say: what an undone change returns to."""
    return spec.params if spec.written is None else spec.written
