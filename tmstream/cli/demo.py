"""Hear and see it work, without a microphone, a camera or an account."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._house import Wishes, run_pipeline
from ._pipeline import load

if TYPE_CHECKING:
    from ..engine.spec import Pipeline

#: What the performer of `pipelines/demo.yaml` is taught as, when the YAML does not say.
SOUNDS = ("clap", "whistle", "hum")


@click.command()
@click.option("--mic", is_flag=True, help="Listen to your microphone instead of the performer.")
@click.option("--camera", is_flag=True, help="Watch your camera as well.")
@click.option("--for", "seconds", type=click.FloatRange(0, min_open=True), metavar="SECONDS")
@click.option("--port", type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--no-browser", is_flag=True, help="Do not open the studio.")
def demo(mic: bool, camera: bool, seconds: float | None, port: int | None, no_browser: bool) -> int:
    """Start the engine on a performer of its own that claps, whistles and hums.

    The first start teaches it from a few examples; the project is kept in the state folder.
    """
    from ..server.state import state_folder

    folder = state_folder()
    if camera:
        pipeline = load("duet")
        project = folder / "duet.tms"
    else:
        pipeline = load("demo")
        project = folder / ("demo-mic.tms" if mic else "demo.tms")
    if mic and not camera:
        pipeline = _with_microphone(pipeline)
    if not (mic or camera):
        _make_ready(pipeline, project)
        pipeline = _with_visitor(pipeline)
    click.echo("tmstream demo: everything stays on this machine; Ctrl-C ends it")
    if mic or camera:
        click.echo("open the studio, add a class, hold its record button, and show it five times")
    else:
        click.echo("in the studio press “My microphone”, and clap, whistle or hum yourself")
    return run_pipeline(
        pipeline,
        Wishes(
            project=project, seconds=seconds, port=port, browser=not no_browser,
            page="demos/hello/",
        ),
    )  # fmt: skip


def _with_microphone(pipeline: Pipeline) -> Pipeline:
    from ..engine.spec import NodeSpec

    for spec in pipeline.nodes:
        if spec.type == "synthetic":
            pipeline = pipeline.with_node(NodeSpec(spec.name, "microphone"))
    return replace(pipeline, realtime=False)


def _with_visitor(pipeline: Pipeline) -> Pipeline:
    """Let a visitor's browser take over: its microphone for the performer, and its camera."""
    from ..engine.spec import NodeSpec

    for spec in pipeline.nodes:
        if spec.type == "synthetic":
            params = {"stand_in": _sounds(pipeline)}
            pipeline = pipeline.with_node(NodeSpec(spec.name, "browser_microphone", (), params))
    if any(spec.type == "browser_camera" for spec in pipeline.nodes):
        return pipeline
    more = {"knn": "pose", "websocket": "body"}
    nodes = [
        replace(spec, sources=(*spec.sources, more[spec.type])) if spec.type in more else spec
        for spec in pipeline.nodes
    ]
    seeing = (
        NodeSpec("eye", "browser_camera"),
        NodeSpec("body", "body_landmarks", ("eye",)),
        NodeSpec("pose", "body_embedding", ("body",)),
    )
    return replace(pipeline, nodes=(*nodes, *seeing))


def _sounds(pipeline: Pipeline) -> list[str]:
    """Return what the performer performs."""
    params = [spec.params for spec in pipeline.nodes]
    named = (one.get("sounds") or one.get("stand_in") for one in params)
    return list(next((one for one in named if one), SOUNDS))


def _make_ready(pipeline: Pipeline, path: Path) -> None:
    """Teach the performer's sounds, unless that was done before, and by these embedders."""
    from ..engine.heap import share_one_heap
    from ..engine.registry import Registry
    from ..lab.foreign import foreign
    from ..lab.performer import not_performed, teach_performer
    from ..lab.reembed import reembed
    from ..store.project import Project

    share_one_heap()  # the engine's threads would take over the heaps of those that taught
    registry = Registry.installed()
    with Project.open(path, create=True) as project:
        if project.read_only:
            return
        unknown = [one for one in project.spaces() if project.setting(f"space:{one}") is None]
        if unknown or foreign(project, pipeline, registry):
            click.echo("taught with other models: listening to the examples again")
            reembed(project, pipeline, registry)
        missing = not_performed(project, _sounds(pipeline))
        if missing:
            when = "taught more than before" if project.labels() else "first start"
            click.echo(f"{when}: teaching {', '.join(missing)} (some seconds, once)")
            teach_performer(project, pipeline, registry, missing)
