"""One run: a pipeline with its project, its services and its server, from greeting to ending."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import webbrowser
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.errors import DeviceError, InputError
from ..core.words import counted
from ._ending import Ending
from ._pipeline import server_settings, with_console, with_files

if TYPE_CHECKING:
    from ..core.messages import Hello
    from ..engine.graph import Graph
    from ..engine.spec import Pipeline
    from ..server.hub import Hub
    from ..store.project import Project

#: Node types that need somebody to listen on the port.
SERVED = frozenset({"websocket", "browser_microphone", "browser_camera"})


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
    from ..engine.graph import build, with_params
    from ..engine.heap import share_one_heap
    from ..engine.registry import Registry
    from ..engine.settings import with_journal
    from ..lab.replay import run_info

    share_one_heap()  # before any thread begins, the project's too
    registry = Registry.installed()
    if wishes.sketch is not None and not wishes.sketch.is_dir():
        raise InputError(f"--sketch {wishes.sketch}: no such folder")
    if wishes.project is not None:
        pipeline = replace(pipeline, project=wishes.project)
    if wishes.realtime:
        pipeline = replace(pipeline, realtime=True)
    pipeline = with_params(with_files(pipeline, registry, wishes.sources), wishes.values)
    build(pipeline, registry)  # a wrong one is said before a project is made for it
    with Ending() as ending, _project_of(pipeline) as project:
        pipeline = with_journal(pipeline, registry, project, but=wishes.values)
        info = run_info(pipeline)
        if wishes.prints:
            pipeline = with_console(pipeline, registry)
        graph = build(pipeline, registry)
        return asyncio.run(House(graph, project, wishes, info).live(ending))


def _project_of(pipeline: Pipeline) -> contextlib.AbstractContextManager[Project | None]:
    from ..store.project import Project

    if pipeline.project is None:
        return contextlib.nullcontext()
    return Project.open(pipeline.project, create=True)


class House:
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
        from ..server.jobs import Jobs

        jobs = Jobs()
        services: list[object] = [
            self._commands, self._embedders, self._history, self._info, jobs
        ]  # fmt: skip
        if self._project is not None:
            services.append(self._project)
        if self._served:
            self._hub = self._make_hub()
            services.append(self._hub)
        self._greet()
        self._commands.route(jobs.handles, jobs.handle)
        if self._hub is not None and self._project is not None:
            workbench = Workbench(
                self._graph, self._project, self._history, self._hub.uploads, self._hub.clock, jobs
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
            await jobs.close()
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
        from ..lab import choice
        from ..lab.foreign import unreachable

        pipeline, project = self._graph.pipeline, self._project
        self._say(f"pipeline {pipeline.path.absolute()}: {counted(len(self._graph.slots), 'node')}")
        if project is None:
            self._say("no project: nothing is remembered (give one with --project FILE)")
            return
        labels = project.labels()
        state = "just created" if project.created else "opened"
        self._say(
            f"project {project.path}: {state}, {counted(project.count(), 'example')}, "
            f"{counted(len(labels), 'label')}" + (f" ({', '.join(labels[:12])})" if labels else "")
        )
        for line in project.notices:
            _to_stderr(f"note: {line}")
        if spaces := unreachable(project, self._graph):
            named = project.setting(choice.SETTING)
            _to_stderr(
                f"note: it will recognise nothing: the project was taught {', '.join(spaces)}, "
                "which this pipeline does not look for"
                + (f"; try: tmstream run {named}" if named else "")
            )

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


def _to_stderr(line: str) -> None:
    click.echo(line, err=True)


def has_screen() -> bool:
    """Tell whether a browser could show itself: on a bare console it would take the terminal."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
