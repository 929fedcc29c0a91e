"""The pipeline a command asked for: found by name, with what the user put over its YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import InputError, SpecError
from ..core.resources import PACKAGE, resource
from ._project import must_be_taught

if TYPE_CHECKING:
    from ..engine.registry import Registry
    from ..engine.spec import Pipeline
    from ..store.project import Project

#: ``--source NODE=browser``: what a page of the studio hears or sees (a file: ``./browser``).
BROWSER = "browser"


def load(name: str) -> Pipeline:
    """Return the pipeline in the file ``name``, or the shipped one of that name.

    Raises:
        SpecError: there is none, or it is wrong.
    """
    from ..engine.nearest import did_you_mean
    from ..engine.spec import read

    path = Path(name)
    if path.is_file():
        return read(path)
    shipped = resource("pipelines")
    if path.name == name and (shipped / f"{path.stem}.yaml").is_file():
        found = read(shipped / f"{path.stem}.yaml")
        if found.project is not None and shipped.is_relative_to(PACKAGE):
            # An installed package is no place for somebody's examples.
            found = replace(found, project=Path.cwd() / found.project.name)
        return found
    names = [one.stem for one in shipped.glob("*.yaml")]
    near = did_you_mean(path.stem, names)
    if path.suffix in (".yaml", ".yml") and path.parent.is_dir():
        near = did_you_mean(path.name, [one.name for one in path.parent.glob("*.y*ml")]) or near
    raise SpecError(f"{name}: no such pipeline file{near}")


def chosen(name: str | None, project: Project) -> Pipeline | None:
    """Return the pipeline asked for, else the one the project was taught with, if any.

    Raises:
        SpecError: there is none of that name, or it is wrong.
    """
    from ..lab import choice

    return load(name) if name else choice.of_project(project)


def needed(name: str | None, project: Project) -> Pipeline:
    """Return the pipeline asked for, or that of the project.

    Raises:
        InputError: nothing was taught yet, or nobody knows by which pipeline.
        SpecError: there is none of that name, or it is wrong.
    """
    found = chosen(name, project)
    if found is None:
        must_be_taught(project)
        raise InputError(f"{project.path}: say with --pipeline what hears or sees its examples")
    return found


def with_console(pipeline: Pipeline, registry: Registry) -> Pipeline:
    """Return the pipeline with one more sink, which prints what websocket clients are sent.

    It reads what the websocket nodes read; without one, the nodes that nobody else reads.
    """
    from ..engine.spec import NodeSpec

    served = [spec for spec in pipeline.nodes if spec.type == "websocket"]
    read = {name for spec in pipeline.nodes for name in spec.sources}
    takes = registry["console"].takes
    shown = [name for spec in served for name in spec.sources] or [
        spec.name for spec in pipeline.nodes if spec.name not in read
    ]
    feeds = [  # a websocket may show a camera's pictures as well; those are not printed
        name
        for name in shown
        if any(issubclass(kind, takes) for kind in registry.gives(pipeline.node(name).type))
    ]
    if not feeds:
        raise SpecError(f"{pipeline.path}: nothing in it can be printed")
    names = {spec.name for spec in pipeline.nodes}
    name = next(one for one in ("print", *(f"print{i}" for i in range(99))) if one not in names)
    console = NodeSpec(name, "console", tuple(dict.fromkeys(feeds)))
    return replace(pipeline, nodes=(*pipeline.nodes, console))


def with_files(pipeline: Pipeline, registry: Registry, files: Mapping[str, str]) -> Pipeline:
    """Let a file, or `BROWSER`, stand for each of the named sources.

    Raises:
        InputError: there is no such file.
        SpecError: the node is no source, or not of the file's kind.
    """
    from ..backends.pictures import PICTURE_ENDINGS
    from ..engine.graph import with_sources

    for name, file in files.items():
        if file == BROWSER:
            pipeline = _from_browser(pipeline, registry, name)
            continue
        path = Path(file).expanduser().absolute()
        pipeline = with_sources(pipeline, registry, {name: str(path)})
        if not path.exists():
            raise InputError(f"--source {name}={file}: no such file")
        spec = pipeline.node(name)
        if spec.type == "video_file" and (path.is_dir() or path.suffix.lower() in PICTURE_ENDINGS):
            pipeline = pipeline.with_node(replace(spec, type="pictures"))
    return pipeline


def _from_browser(pipeline: Pipeline, registry: Registry, name: str) -> Pipeline:
    """Let a page's microphone or camera stand for the source ``name``."""
    from ..core.packet import Audio, Image
    from ..engine.spec import NodeSpec

    spec = pipeline.node(name)
    gives = () if spec.sources else registry.gives(spec.type)
    for payload, kind in ((Audio, "browser_microphone"), (Image, "browser_camera")):
        if payload in gives:
            return pipeline.with_node(NodeSpec(name, kind))
    raise SpecError(f"{pipeline.where(f'nodes.{name}')}: not a source of sound or pictures")


def server_settings(pipeline: Pipeline) -> dict[str, Any]:
    """Return the checked ``server:`` mapping; `SpecError` names the field and its line."""
    import msgspec

    from ..engine.nearest import did_you_mean
    from ..server.settings import ServerSettings

    for name in pipeline.server:
        if name not in ServerSettings.__struct_fields__:
            hint = did_you_mean(name, ServerSettings.__struct_fields__)
            raise SpecError(f"{pipeline.where(f'server.{name}')}: unknown{hint}")
    try:
        checked = msgspec.convert(dict(pipeline.server), ServerSettings)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at ")
        name = path.strip("`").removeprefix("$").strip(".") or text.partition(":")[0]
        text = text.removeprefix(f"{name}: ")
        raise SpecError(f"{pipeline.where(f'server.{name}'.rstrip('.'))}: {text}") from None
    return {key: getattr(checked, key) for key in pipeline.server}
