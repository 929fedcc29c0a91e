"""Change a parameter while its node runs: the ``set`` command."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..core.errors import InputError
from ..core.messages import Set
from ..core.services import Commands
from . import params
from .graph import Graph
from .handout import find
from .nearest import did_you_mean
from .walk import Step


class LiveSettings:
    """Answers ``set``: only parameters whose node marks them live, and never a path or device."""

    def __init__(self, graph: Graph, steps: Mapping[str, Step]) -> None:
        self._graph, self._steps = graph, steps

    def serve(self, services: Iterable[object]) -> None:
        """Take the ``set`` command, if this house has commands at all."""
        commands = find(services, Commands)
        if commands is not None:
            commands.route([Set], self.handle)

    async def handle(self, command: Set) -> dict[str, Any]:
        """Apply one change between two packets; a restarted node keeps it.

        Raises:
            InputError: unknown, not live, or refused by the node itself.
        """
        slot = self._graph.slots.get(command.node)
        step = self._steps.get(command.node)
        if slot is None or step is None:
            raise InputError(f"no node {command.node!r}{did_you_mean(command.node, self._steps)}")
        if not params.is_live(slot.factory, command.param):
            live = [
                name
                for name in params.parameters(slot.factory)
                if params.is_live(slot.factory, name)
            ]
            raise InputError(
                f"nodes.{command.node}.{command.param} cannot be changed while running"
                + (f"; these can: {', '.join(live)}" if live else "")
            )
        wanted = {**slot.params, command.param: command.value}
        try:
            params.build(slot.factory, wanted)
        except params.ParamError as error:
            raise InputError(f"nodes.{command.node}.{command.param}: {error}") from error
        slot.params = params.convert(slot.factory, wanted)
        value = slot.params[command.param]
        if step.node is not None:
            # One attribute, set at once: the lane sees the old value or the new one.
            setattr(step.node, command.param, value)
        return {"node": command.node, "param": command.param, "value": value}
