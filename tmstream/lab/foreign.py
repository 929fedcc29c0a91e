"""Tell, before vectors are compared, that a project's were made by another embedder."""

from __future__ import annotations

from typing import Any

from ..core.node import Transform
from ..core.packet import Embedding
from ..engine.graph import Graph, build
from ..engine.registry import Registry
from ..engine.spec import Pipeline
from ..store.project import Project
from .part import Part


def unreachable(project: Project, graph: Graph) -> list[str]:
    """Return the taught spaces, if ``graph`` embeds into none of them: it will never answer."""
    made = {getattr(slot.make(), "space", None) for slot in graph.shaped(Transform)
            if Embedding in slot.gives}  # fmt: skip
    taught = set(project.spaces())
    return [] if None in made or taught & made else sorted(taught)


def foreign(project: Project, pipeline: Pipeline, registry: Registry) -> list[str]:
    """Return the taught spaces that ``pipeline`` would embed otherwise, sorted.

    Only the embedding nodes of taught spaces are opened.

    Raises:
        ModelError: a model is missing or damaged.
    """
    graph, spaces = build(pipeline, registry), project.spaces()
    embedders: dict[str, tuple[str, Any]] = {}
    for slot in graph.shaped(Transform):
        space = getattr(slot.make(), "space", None) if Embedding in slot.gives else None
        taught = project.setting(f"space:{space}") if space in spaces else None
        if taught is not None:
            embedders[slot.name] = (str(space), taught)
    with Part(graph, embedders) as part:
        return sorted(
            space
            for name, (space, taught) in embedders.items()
            if getattr(part.node(name), "fingerprint", taught) != taught
        )
