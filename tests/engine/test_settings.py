"""A changed parameter is journalled with the project, undone with it, and back after a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tmstream.core.clock import VirtualClock
from tmstream.core.messages import Set
from tmstream.core.services import Commands
from tmstream.engine.handout import NodeServices
from tmstream.engine.settings import LiveSettings, journalled
from tmstream.engine.stats import NodeStats
from tmstream.engine.walk import Step
from tmstream.store.project import Change, Project

from .conftest import build

WALK = "nodes: {a: {type: ticks}, b: {type: add, from: a, amount: 2.0}, out: {type: keep, from: b}}"


def test_set_is_undone_with_the_project_and_survives_a_restart(tmp_path: Path) -> None:
    graph = build(WALK)
    with Project.open(tmp_path / "a.tms", create=True) as project:
        commands = Commands()
        services = NodeServices("b", ("a",), VirtualClock(), NodeStats(), (commands, project))
        step = Step(graph.slots["b"], services, patient=False)
        step.open()
        LiveSettings(graph, {"b": step}).serve((commands, project))

        asyncio.run(commands.dispatch(Set(id=1, node="b", param="amount", value=7.5)))
        assert step.node.amount == graph.slots["b"].params["amount"] == 7.5
        assert journalled(graph.pipeline, {"nodes.b.amount": 7.5}).node("b").params["amount"] == 7.5
        project.undo()
        assert step.node.amount == graph.slots["b"].params["amount"] == 2.0
        project.redo()
        assert step.node.amount == 7.5


def test_what_another_process_sets_is_followed(tmp_path: Path) -> None:
    graph = build(WALK)
    with Project.open(tmp_path / "a.tms", create=True) as project:
        services = NodeServices("b", ("a",), VirtualClock(), NodeStats(), (project,))
        step = Step(graph.slots["b"], services, patient=False)
        step.open()
        settings = LiveSettings(graph, {"b": step})
        settings.serve((project,))
        with Project.open(tmp_path / "a.tms") as beside:
            for wanted in (9.0, None):
                beside.set_settings({"nodes.b.amount": wanted})
                settings._follow(Change(reload=True))  # as the poll of the file brings about
                assert step.node.amount == (wanted or 2.0)


def test_settings_of_other_pipelines_are_passed_over() -> None:
    pipeline = build(WALK).pipeline
    assert journalled(pipeline, {"nodes.zzz.k": 3, "locked": True}) == pipeline
