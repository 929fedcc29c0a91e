"""The same recording, other settings: the difference in events, and the false alarms an hour."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tmstream.core.errors import InputError, SpecError
from tmstream.core.packet import Embedding, Event, Packet
from tmstream.core.services import Commands
from tmstream.engine import graph as graphs
from tmstream.engine.registry import Registry
from tmstream.engine.run import run
from tmstream.engine.spec import Pipeline, parse
from tmstream.head.judge import judge
from tmstream.lab import ambient as ambient_
from tmstream.lab.ambient import alarms, ambient
from tmstream.lab.replay import difference, events_of, fed_by, made_by, recorded_events, run_info
from tmstream.lab.vary import unvary
from tmstream.store.history import History
from tmstream.store.project import NewExample, Project
from tmstream.store.recording import Recording

REGISTRY = Registry.installed()
TAPE = """
project: p.tms
nodes:
  mic:    {type: synthetic, sounds: [clap, whistle, hum], seconds: 20}
  sound:  {type: audio_embedding, from: mic}
  head:   {type: knn, from: sound, strictness: 0.2}
  events: {type: events, from: head, enter: 0.5, leave: 0.3}
  tape:   {type: recorder, from: [%s], path: takes}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project taught from a performance, and a recording of another one."""
    path: Path = tmp_path_factory.mktemp("replay")
    pipeline = parse(TAPE % "sound", path / "p.yaml")
    play(
        pipeline.with_node(
            replace(pipeline.node("mic"), params={**pipeline.node("mic").params, "seed": 9})
        )
    )
    with Project.open(path / "p.tms", create=True) as project:
        examples = []
        for i, (_, packet) in enumerate(Recording.open(path / "takes").packets("sound")):
            if isinstance(packet.data, Embedding):
                label = ("clap", "whistle", "hum")[packet.t_us // 2_000_000 % 3]
                examples.append(
                    NewExample(
                        label, "audio", packet.data.vector, f"t{packet.t_us}", id=f"e{i:04d}"
                    )
                )
        project.add(examples)
        assert project.labels() == ["clap", "hum", "whistle"]
        (path / "takes").rename(path / "lesson")
        play(parse(TAPE % "mic, events", path / "p.yaml"), project)
    return path


def play(pipeline: Pipeline, *services: object) -> None:
    graph = graphs.build(pipeline, REGISTRY)
    asyncio.run(run(graph, (Commands(), History(), run_info(pipeline), *services)))


@pytest.fixture
def project(folder: Path) -> Iterator[Project]:
    with Project.open(folder / "p.tms", read_only=True) as opened:
        yield opened


def plain(events: list[Packet[Event]]) -> list[Any]:
    return [
        (p.t_us, p.data.event, p.data.label, p.data.onset_us, p.data.confidence) for p in events
    ]


def test_the_recording_says_the_same_as_the_run(folder: Path, project: Project) -> None:
    tape = Recording.open(folder / "takes")
    said = recorded_events(tape)
    assert {p.data.label for p in said} == {"clap", "hum", "whistle"}
    again = [events_of(made_by(tape), tape, REGISTRY, [project]) for _ in range(2)]
    assert plain(again[0]) == plain(again[1]) == plain(said)
    assert difference(said, again[0]).same == len(said)


def test_what_was_tried_and_taken_back_since_leaves_no_trace_in_a_replay(
    folder: Path, tmp_path: Path
) -> None:
    tape = Recording.open(folder / "takes")
    said = plain(recorded_events(tape))
    with Project.open(folder / "p.tms", read_only=True) as project:
        project.copy_to(tmp_path / "later.tms")
    with Project.open(tmp_path / "later.tms") as project:

        def again() -> list[Any]:
            return plain(events_of(made_by(tape), tape, REGISTRY, [project]))

        parents = project.examples()
        judged = judge(parents)
        project.snapshot("evening")
        made = [
            NewExample(one.label, one.space, one.vector * 0.5 + parents[0].vector, one.take,
                       augmented_from=one.id)
            for one in parents
        ]  # fmt: skip
        project.add(made)
        judge(project.examples())
        assert again() != said, "they were learned"
        unvary(project)
        assert again() == said
        project.rename_label("clap", "snap")
        project.undo()
        assert again() == said
        project.delete_label("hum")
        project.restore("evening")
        assert again() == said
        assert judge(project.examples()) == judged


def test_other_settings_make_a_difference_that_is_told(folder: Path, project: Project) -> None:
    tape = Recording.open(folder / "takes")
    said = recorded_events(tape)
    now = graphs.with_params(made_by(tape), {"events.enter": 0.999, "head.strictness": 1.0})
    other = events_of(now, tape, REGISTRY, [project])
    told = difference(said, other)
    assert told.gone
    assert told.same + len(told.gone) == len(said)
    assert any(line.startswith("- 00:00:") for line in told.lines())
    assert f"{told.same} events as before" in told.lines()[-1]


def test_events_match_by_the_nearest_onset() -> None:
    def at(*times: int, label: str = "clap") -> list[Packet[Event]]:
        return [Packet(t, Event("trigger", label, t, 0.5)) for t in times]

    told = difference(at(0, 1_000_000, 5_000_000), at(100_000, 5_000_000, 9_000_000))
    assert (told.same, [p.t_us for p in told.gone], [p.t_us for p in told.new]) == (
        2,
        [1_000_000],
        [9_000_000],
    )
    assert difference(at(0), at(0, label="snap")).same == 0


def test_what_reads_the_recording_is_cut_as_near_to_the_raw_as_it_allows(folder: Path) -> None:
    tape = Recording.open(folder / "takes")
    fed = fed_by(
        parse(TAPE % "sound" + "  out: {type: console, from: [events, head]}", folder / "p.yaml"),
        tape,
        REGISTRY,
    )
    assert {spec.name: spec.type for spec in fed.nodes} == {
        "mic": "recording", "sound": "audio_embedding", "head": "knn", "events": "events", "out": "console"
    }  # fmt: skip
    embedded = fed_by(
        parse(TAPE % "sound" + "  out: {type: console, from: events}", folder / "p.yaml"),
        Recording.open(folder / "lesson"),
        REGISTRY,
    )
    assert [spec.type for spec in embedded.nodes] == ["recording", "knn", "events", "console"]
    renamed = parse("nodes: {ear: {type: microphone}, s: {type: audio_embedding, from: ear}, o: {type: osc, from: h}, "
                    "h: {type: knn, from: s}}")  # fmt: skip
    assert fed_by(renamed, tape, REGISTRY).node("ear").params["of"] == "mic"
    deaf = parse(
        "nodes: {c: {type: camera}, b: {type: body_landmarks, from: c}, o: {type: websocket, from: b}}"
    )
    with pytest.raises(SpecError, match="holds events, mic: it feeds no sink"):
        fed_by(deaf, tape, REGISTRY)


def test_a_recording_without_its_pipeline_asks_for_one(folder: Path) -> None:
    tape = Recording.open(folder / "takes")
    tape.session = replace_run(tape)
    with pytest.raises(InputError, match="does not say which pipeline"):
        made_by(tape)


def replace_run(tape: Recording) -> Any:
    import msgspec

    return msgspec.structs.replace(tape.session, run=type(tape.session.run)())


def test_false_alarms_are_counted_once_an_onset() -> None:
    def event(kind: Any, onset: int, label: str = "clap") -> Packet[Event]:
        return Packet(onset, Event(kind, label, onset, 0.5))

    every = [
        event("trigger", 1),
        event("enter", 1),
        event("hold", 1),
        event("leave", 1),
        event("enter", 2),
        event("enter", 2, "snap"),
    ]
    assert alarms(every) == 3


def test_the_mildest_settings_that_keep_the_bound_are_chosen(
    folder: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape = Recording.open(folder / "takes")
    services = [project]
    pipeline = made_by(tape)
    loose = ambient(pipeline, tape, REGISTRY, services, max_per_hour=1e9)
    assert loose.enough
    assert loose.before == pytest.approx(alarms(recorded_events(tape)) / loose.hours)
    assert loose.chosen.settings == {"head.strictness": ambient_.STRICTNESSES[0]}
    bound = loose.before * 0.6
    tight = ambient(pipeline, tape, REGISTRY, services, max_per_hour=bound)
    counts = [trial.per_hour for trial in tight.trials[1:]]
    if tight.enough:
        assert tight.chosen.per_hour <= bound
        assert all(count > bound for count in counts[:-1])
    else:
        assert min(counts) > bound
    # A second later the recorded 20 seconds are said to prove nothing about an hour.
    assert "only 0.01 hours were recorded" in loose.lines(1.0)[-1]


def test_ambient_needs_a_head_and_a_bound(folder: Path, project: Project) -> None:
    tape = Recording.open(folder / "takes")
    with pytest.raises(InputError, match="more than 0"):
        ambient(made_by(tape), tape, REGISTRY, [project], max_per_hour=0)
    with pytest.raises(SpecError, match="no knn"):
        ambient(
            parse("nodes: {mic: {type: synthetic}, o: {type: recorder, path: x, from: mic}}"),
            tape,
            REGISTRY,
            [project],
            max_per_hour=1,
        )
    assert np.isfinite(tape.length_us())
