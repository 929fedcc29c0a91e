"""The head's parameters, as a pipeline writes them."""

from __future__ import annotations

from typing import Any

from ..engine.registry import Registry
from ..engine.settings import with_journal
from ..engine.spec import NodeSpec, Pipeline
from ..store.project import Project
from . import choice

USUAL: dict[str, Any] = {"k": 5, "strictness": 0.5}


def head_of(pipeline: Pipeline | None) -> NodeSpec | None:
    """Return the first head of a pipeline."""
    nodes = pipeline.nodes if pipeline is not None else ()
    return next((spec for spec in nodes if spec.type == "knn"), None)


def head_params(pipeline: Pipeline | None) -> dict[str, Any]:
    """Return ``k`` and ``strictness`` of the first head, or the usual ones."""
    spec = head_of(pipeline)
    return {**USUAL, **{k: v for k, v in (spec.params if spec else {}).items() if k in USUAL}}


def params_of(project: Project) -> dict[str, Any]:
    """Return ``k`` and ``strictness`` that a project answers with, in its own pipeline.

    Raises:
        SpecError: its pipeline cannot be read any more.
    """
    pipeline = choice.of_project(project)
    if pipeline is not None:
        pipeline = with_journal(pipeline, Registry.installed(), project)
    return head_params(pipeline)
