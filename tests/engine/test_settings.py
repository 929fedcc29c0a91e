"""A changed parameter is journalled with the project, undone with it, and back after a restart."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tmstream.core.clock import VirtualClock
from tmstream.core.messages import Set
from tmstream.core.services import Commands
from tmstream.engine import graph as graphs
from tmstream.engine.handout import NodeServices
from tmstream.engine.registry import Registry
from tmstream.engine.settings import LiveSettings, journalled, with_journal
from tmstream.engine.spec import parse
from tmstream.engine.stats import NodeStats
from tmstream.engine.walk import Step
from tmstream.store.project import Change, Project

from .conftest import REGISTRY, Add, build

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


@dataclass
class Faders(Add):
    """Two parameters that can be changed."""

    balance: float = field(default=0.0, metadata={"live": True})


def test_two_changes_at_once_are_both_there_after_a_restart() -> None:
    registry = Registry({**REGISTRY.known, "faders": Faders})
    graph = graphs.build(parse(WALK.replace("type: add", "type: faders")), registry)
    commands = Commands()
    services = NodeServices("b", ("a",), VirtualClock(), NodeStats(), (commands,))
    step = Step(graph.slots["b"], services, patient=False)
    step.open()

    class Slow:
        """A project whose commits take a moment."""

        read_only = False

        def set_settings(self, settings: dict[str, Any]) -> None:
            both.wait(5)

    both = threading.Barrier(2)
    settings = LiveSettings(graph, {"b": step})
    settings.serve((commands,))
    settings._project = Slow()  # type: ignore[assignment]

    async def change() -> None:
        await asyncio.gather(
            commands.dispatch(Set(id=1, node="b", param="amount", value=7.5)),
            commands.dispatch(Set(id=2, node="b", param="balance", value=0.5)),
        )

    asyncio.run(change())
    fresh = graph.slots["b"].make()
    assert (fresh.amount, fresh.balance) == (step.node.amount, step.node.balance) == (7.5, 0.5)


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


def test_what_is_not_live_waits_for_the_next_start(tmp_path: Path) -> None:
    graph = build(WALK)
    with Project.open(tmp_path / "a.tms", create=True) as project:
        services = NodeServices("b", ("a",), VirtualClock(), NodeStats(), (project,))
        step = Step(graph.slots["b"], services, patient=False)
        step.open()
        LiveSettings(graph, {"b": step}).serve((project,))
        project.set_settings({"nodes.b.fail_at": 3, "nodes.zzz.amount": 1.0})
        assert step.node.fail_at is None
        assert "fail_at" not in graph.slots["b"].params
        assert journalled(graph.pipeline, project.settings()).node("b").params["fail_at"] == 3


def test_what_an_earlier_run_set_can_be_undone_in_a_later_one(tmp_path: Path) -> None:
    with Project.open(tmp_path / "a.tms", create=True) as project:
        project.set_settings({"nodes.b.amount": 7.5, "nodes.b.fail_at": 3})
        graph = graphs.build(with_journal(build(WALK).pipeline, REGISTRY, project), REGISTRY)
        assert graph.slots["b"].params["amount"] == 7.5
        step = Step(graph.slots["b"], NodeServices("b", ("a",), VirtualClock(), NodeStats(), ()),
                    patient=False)  # fmt: skip
        step.open()
        LiveSettings(graph, {"b": step}).serve((project,))
        project.undo()
        assert step.node.amount == graph.slots["b"].params["amount"] == 2.0


def test_what_the_command_line_gave_stands_while_another_process_teaches(tmp_path: Path) -> None:
    with Project.open(tmp_path / "a.tms", create=True) as project:
        project.set_settings({"nodes.b.amount": 7.5})
        given = {"b.amount": 4.0}
        pipeline = graphs.with_params(build(WALK).pipeline, given)
        graph = graphs.build(with_journal(pipeline, REGISTRY, project, but=given), REGISTRY)
        services = NodeServices("b", ("a",), VirtualClock(), NodeStats(), (project,))
        step = Step(graph.slots["b"], services, patient=False)
        step.open()
        settings = LiveSettings(graph, {"b": step})
        settings.serve((project,))
        settings._follow(Change(reload=True))
        assert step.node.amount == 4.0
        project.set_settings({"nodes.b.amount": 8.0})  # said later than the command line
        assert step.node.amount == 8.0


def test_settings_of_other_pipelines_are_passed_over() -> None:
    pipeline = build(WALK).pipeline
    assert journalled(pipeline, {"nodes.zzz.k": 3, "locked": True}) == pipeline
    assert journalled(pipeline, {"nodes.b.amount": None}) == pipeline  # never set, or undone
