"""What a pipeline is, told to a client: the greeting of this moment."""

from __future__ import annotations

from ..core.clock import MonotonicClock, unix_offset_us
from ..core.messages import GraphNode, Hello, LiveParameter, ProjectPart
from ..store.project import Project
from . import params
from .graph import Graph, Slot

#: The wire's name of each payload that a websocket sends.
STREAMS = {
    "Scores": "prediction",
    "Event": "event",
    "Landmarks": "landmarks",
    "Presence": "presence",
    "Features": "spectrum",
    "Image": "video",
}


def hello(graph: Graph, project: Project | None, version: str) -> Hello:
    """Return the greeting: the project's labels, the graph, and what can be changed in it now."""
    pipeline = graph.pipeline
    part = None
    if project is not None:
        part = ProjectPart(str(project.path), project.created, project.count())
    return Hello(
        version=version,
        pipeline=pipeline.path.name,
        project=part,
        labels=project.labels() if project is not None else [],
        active_labels=list(project.setting("active_labels") or []) if project else [],
        spaces=sorted(project.spaces()) if project is not None else [],
        streams=streams(graph),
        role="",
        unix_offset_us=unix_offset_us(MonotonicClock()),
        private=pipeline.private,
        graph=[
            GraphNode(slot.name, slot.spec.type, list(slot.spec.sources))
            for slot in graph.slots.values()
        ],
        live=[one for slot in graph.slots.values() for one in live_parameters(slot)],
        shares_video=not pipeline.private
        and any(slot.params.get("share_video") is True for slot in _websockets(graph)),
    )


def streams(graph: Graph) -> list[str]:
    """Return the message types that this pipeline's websocket nodes can send."""
    sent = {
        STREAMS[kind.__name__]
        for slot in _websockets(graph)
        for feed in slot.spec.sources
        for kind in graph.slots[feed].gives
        if kind.__name__ in STREAMS
    }
    return sorted(sent - ({"video"} if graph.pipeline.private else set()) | {"status"})


def live_parameters(slot: Slot) -> list[LiveParameter]:
    """Return what may be changed while this node runs; `slot.params` follows every change."""
    names = [name for name in params.parameters(slot.factory) if params.is_live(slot.factory, name)]
    node = slot.make() if names else None
    return [LiveParameter(slot.name, name, getattr(node, name)) for name in names]


def _websockets(graph: Graph) -> list[Slot]:
    return [slot for slot in graph.slots.values() if slot.spec.type == "websocket"]
