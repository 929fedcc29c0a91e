"""From a pipeline's name to a running house: files, project, services, signals."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.errors import DeviceError, InputError, SpecError
from ..core.resources import PACKAGE, resource
from ._ending import Ending

if TYPE_CHECKING:
    from ..core.messages import Hello
    from ..engine.graph import Graph
    from ..engine.registry import Registry
    from ..engine.spec import Pipeline
    from ..server.hub import Hub
    from ..store.project import Project

#: ``--source NODE=browser``: what a page of the studio hears or sees (a file: ``./browser``).
BROWSER = "browser"
#: Node types that need somebody to listen on the port.
SERVED = frozenset({"websocket", "browser_microphone", "browser_camera"})


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


@dataclass(frozen=True)
class Wishes:
    """What the command line asks of a run, over what the pipeline says."""

    values: Mapping[str, Any] = field(default_factory=dict)  #: "node.param" to value
    sources: Mapping[str, str] = field(default_factory=dict)  #: node to file
    project: Path | None = None
    sketch: Path | None = None
    port: int | None = None
    seconds: float | None = None
    prints: bool = False
    realtime: bool = False
    browser: bool = True
    codes: bool = True  #: name a one-time code for the studio; not where output ends in a log
    page: str = "sketch/"  #: which page to name, below http://localhost:PORT/


def run_pipeline(pipeline: Pipeline, wishes: Wishes) -> int:
    """Run until the sources are dry, the time is over or a signal comes; return the exit status."""
    from ..engine.graph import build
    from ..engine.registry import Registry
    from ..lab.replay import run_info

    registry = Registry.installed()
    if wishes.sketch is not None and not wishes.sketch.is_dir():
        raise InputError(f"--sketch {wishes.sketch}: no such folder")
    if wishes.project is not None:
        pipeline = replace(pipeline, project=wishes.project)
    if wishes.realtime:
        pipeline = replace(pipeline, realtime=True)
    pipeline = _with_files(pipeline, registry, wishes.sources)
    # A wrong pipeline is said before a project is made for it.
    build(_with_values(pipeline, wishes.values), registry)
    with Ending() as ending, _project_of(pipeline) as project:
        pipeline = _with_values(with_journal(pipeline, registry, project), wishes.values)
        info = run_info(pipeline)
        if wishes.prints:
            pipeline = with_console(pipeline, registry)
        graph = build(pipeline, registry)
        return asyncio.run(_House(graph, project, wishes, info).live(ending))


def with_journal(pipeline: Pipeline, registry: Registry, project: Project | None) -> Pipeline:
    """Put the project's journalled parameters (``set``, ``tune``) over the YAML's."""
    from ..engine.params import parameters
    from ..engine.settings import PREFIX, journalled

    if project is None:
        return pipeline
    keys = [
        f"{PREFIX}{spec.name}.{name}"
        for spec in pipeline.nodes
        for name in parameters(registry[spec.type])
    ]
    return journalled(pipeline, {key: project.setting(key) for key in keys})


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
        if any(
            issubclass(kind, takes)
            for kind in getattr(registry[pipeline.node(name).type], "gives", ())
        )
    ]
    if not feeds:
        raise SpecError(f"{pipeline.path}: nothing in it can be printed")
    names = {spec.name for spec in pipeline.nodes}
    name = next(one for one in ("print", *(f"print{i}" for i in range(99))) if one not in names)
    console = NodeSpec(name, "console", tuple(dict.fromkeys(feeds)))
    return replace(pipeline, nodes=(*pipeline.nodes, console))


def _with_values(pipeline: Pipeline, values: Mapping[str, Any]) -> Pipeline:
    from ..engine.graph import with_params

    return with_params(pipeline, values)


def _with_files(pipeline: Pipeline, registry: Registry, files: Mapping[str, str]) -> Pipeline:
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
    gives = () if spec.sources else getattr(registry[spec.type], "gives", ())
    for payload, kind in ((Audio, "browser_microphone"), (Image, "browser_camera")):
        if payload in gives:
            return pipeline.with_node(NodeSpec(name, kind))
    raise SpecError(f"{pipeline.where(f'nodes.{name}')}: not a source of sound or pictures")


@contextlib.contextmanager
def _project_of(pipeline: Pipeline) -> Iterator[Project | None]:
    from ..store.project import Project

    if pipeline.project is None:
        yield None
        return
    project = Project.open(pipeline.project, create=True)
    try:
        yield project
    finally:
        project.close()


class _House:
    """One run: the services around a graph, and how it comes to its end."""

    def __init__(self, graph: Graph, project: Project | None, wishes: Wishes, info: object) -> None:
        from ..core.services import Commands, Embedders
        from ..lab import choice
        from ..store.history import History

        self._graph, self._project, self._wishes, self._info = graph, project, wishes, info
        self._commands = Commands()
        self._embedders = Embedders(
            None if project is None else choice.name_of(project, graph.pipeline)
        )
        self._history = History(private=graph.pipeline.private)
        self._hub: Hub | None = None
        self._served = any(slot.spec.type in SERVED for slot in graph.slots.values())
        self._say: Callable[..., None] = _to_stderr if wishes.prints else click.echo

    async def live(self, ending: Ending) -> int:
        """Serve and run; return the exit status."""
        from ..engine.run import run
        from ..lab.workbench import Workbench

        services: list[object] = [
            self._commands, self._embedders, self._history, self._info
        ]  # fmt: skip
        if self._project is not None:
            services.append(self._project)
        if self._served:
            self._hub = self._make_hub()
            services.append(self._hub)
        self._greet()
        workbench = None
        if self._hub is not None and self._project is not None:
            workbench = Workbench(
                self._graph, self._project, self._history, self._hub.uploads, self._hub.clock
            )
            self._commands.route(workbench.handles, workbench.handle)
        stop = asyncio.Event()
        ending.tell(asyncio.get_running_loop(), stop)
        listening = await self._open_door()
        try:
            if listening and self._graph.live:
                self._name_addresses()
            if self._wishes.seconds is not None:
                asyncio.get_running_loop().call_later(self._wishes.seconds, stop.set)
            await run(self._graph, services, stop=stop)
        finally:
            if workbench is not None:
                await workbench.close()
            if self._hub is not None and listening:
                await self._hub.stop()
        return ending.status

    def _make_hub(self) -> Hub:
        from ..server.hub import Hub
        from ..server.settings import ServerSettings

        pipeline, wishes = self._graph.pipeline, self._wishes
        settings = server_settings(pipeline)
        if wishes.port is not None:
            settings["port"] = wishes.port
        if wishes.sketch is not None:
            settings["sketch"] = str(wishes.sketch.absolute())
        return Hub(ServerSettings(**settings), self._commands, self._hello)

    async def _open_door(self) -> bool:
        if self._hub is None:
            return False
        try:
            await self._hub.start()
        except DeviceError as error:
            # Files that run as fast as they can are not watched by anybody.
            if self._graph.live or self._wishes.port is not None:
                raise
            _to_stderr(f"note: this run is not served ({error})")
            return False
        return True

    def _greet(self) -> None:
        pipeline, project = self._graph.pipeline, self._project
        self._say(f"pipeline {pipeline.path.absolute()}: {len(self._graph.slots)} nodes")
        if project is None:
            self._say("no project: nothing is remembered (give one with --project FILE)")
            return
        labels = project.labels()
        state = "just created" if project.created else "opened"
        self._say(
            f"project {project.path}: {state}, {len(project.examples())} examples, "
            f"{len(labels)} labels" + (f" ({', '.join(labels[:12])})" if labels else "")
        )
        for line in project.notices:
            _to_stderr(f"note: {line}")

    def _name_addresses(self) -> None:
        assert self._hub is not None
        studio = self._hub.studio_url()
        if not self._wishes.codes:
            studio = f"{studio.partition('#')[0]} (tmstream open)"
        self._say(f"studio {studio}")
        if self._wishes.page != "sketch/" or self._hub.settings.sketch is not None:
            self._say(f"sketch {self._hub.page_url(self._wishes.page)}")
        if self._wishes.browser and self._graph.live and has_screen():
            # It may take seconds, or never come back: not on the loop, and not waited for.
            url = self._hub.studio_url()
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

    def _hello(self) -> Hello:
        from .. import __version__
        from ..engine.describe import hello

        return hello(self._graph, self._project, __version__)


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


def _to_stderr(line: str) -> None:
    click.echo(line, err=True)


def has_screen() -> bool:
    """Tell whether a browser could show itself: on a bare console it would take the terminal."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
