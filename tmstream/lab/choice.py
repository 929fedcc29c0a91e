"""Which pipeline embeds for a project: the one asked for, the project's own, or the fitting one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..core.errors import InputError
from ..core.resources import resource
from ..engine.spec import Pipeline, read
from ..store.project import Project
from .sample import Sample

SETTING = "pipeline"
#: For projects taught live before that was kept with them.
BY_SENSES = {
    frozenset({"audio"}): "sound",
    frozenset({"body"}): "body",
    frozenset({"hand"}): "hands",
    frozenset({"face"}): "face",
    frozenset({"gesture"}): "gesture",
    frozenset({"image"}): "image",
    frozenset({"audio", "body"}): "duet",
}


def shipped(name: str) -> Path:
    """Return where the shipped pipeline ``name`` is, or would be."""
    return resource("pipelines") / f"{name}.yaml"


def of_project(project: Project) -> Pipeline | None:
    """Return the pipeline that the project was taught with, if any.

    Raises:
        SpecError: it cannot be read any more.
    """
    senses = frozenset(space.partition(".")[0] for space in project.spaces())
    name = project.setting(SETTING) or BY_SENSES.get(senses)
    if not isinstance(name, str):
        return None
    path = Path(name)
    if path.name == name and not path.suffix:
        return read(shipped(name))
    return read(path if path.is_absolute() else project.path.parent / path)


def name_of(project: Project, pipeline: Pipeline) -> str:
    """Return how a project keeps a pipeline: by name when shipped, else by path."""
    path = pipeline.path.absolute()
    name = path.stem if path == shipped(path.stem).absolute() else str(path)
    if path.is_relative_to(project.path.parent) and name != path.stem:
        name = str(path.relative_to(project.path.parent))
    return name


def fitting(samples: Iterable[Sample]) -> Pipeline:
    """Return the shipped pipeline for what the samples are.

    Raises:
        InputError: they are of kinds that no shipped pipeline takes together.
    """
    kinds = {sample.kind for sample in samples}
    tables = {"body": "body", "hand": "hands", "face": "face"}
    if kinds <= {"sound"}:
        return read(shipped("sound"))
    if len(kinds) == 1 and (table := kinds & tables.keys()):
        return read(shipped(tables[table.pop()]))
    if kinds <= {"picture", "video"}:
        return read(shipped("image"))
    if not kinds & {"hand", "face"}:
        return read(shipped("duet"))
    raise InputError(f"{' and '.join(sorted(kinds))} samples together: choose with --pipeline")
