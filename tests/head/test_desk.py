"""Commands while the graph runs: each changes the answers that come after its reply."""

from __future__ import annotations

import asyncio
import base64
import threading
from typing import Any

import pytest

from tmstream.core import messages as m
from tmstream.core.errors import InputError
from tmstream.head import aside, desk
from tmstream.head.desk import COMMANDS
from tmstream.head.judge import Progress
from tmstream.testing import feed

from .conftest import Stage
from .lessons import heard, taught, vector


def test_recording_teaches_and_undo_forgets(stage: Stage) -> None:
    for i, label in enumerate(("clap", "snap")):
        stage.do(m.RecordStart(id=1, label=label, person="ann"))
        for j in range(6):
            stage.frame(i, j)
        reply = stage.do(m.RecordStop(id=2))
        assert len(reply["ids"]) == 6
        assert reply["spaces"] == {"audio": 6}
    assert stage.frame(0, 50).label == "clap"
    assert {e.person for e in stage.project.examples()} == {"ann"}
    assert len({e.take for e in stage.project.examples()}) == 2
    stage.do(m.Undo(id=3))
    assert [r.label for r in stage.frame(0, 51).results] == ["clap"]
    stage.do(m.Redo(id=4))
    assert len(stage.frame(0, 52).results) == 2


def test_recording_for_some_seconds_replies_at_its_end(stage: Stage) -> None:
    def frames() -> None:
        for i in range(14):
            stage.frame(0, i)

    reply = stage.during(m.RecordStart(id=1, label="clap", seconds=1.0, take="my take"), frames)
    assert 9 <= len(reply["ids"]) <= 11
    assert {e.take for e in stage.project.examples()} == {"my take"}


def test_frames_that_follow_too_closely_are_not_taken_twice(stage: Stage) -> None:
    stage.do(m.RecordStart(id=1, label="clap"))
    for i in range(30):
        stage.services.clock.sleep(0.0101)
        feed(stage.node, heard(vector(0, i), stage.services.clock.now_us(), length_us=0))
    assert len(stage.do(m.RecordStop(id=2))["ids"]) == 3


def test_every_phase_of_a_sound_is_one_take_and_keeps_its_clip(stage: Stage) -> None:
    stage.do(m.RecordStart(id=1, label="clap"))
    stage.sound(0, 1, "early", "final")
    stage.sound(0, 2, "early", "final")
    ids = stage.during(m.RecordStop(id=2), lambda: stage.services.clock.sleep(1))["ids"]
    examples = stage.project.examples()
    assert len(ids) == 4
    assert sorted(e.phase for e in examples) == ["early", "early", "final", "final"]
    assert len({e.take for e in examples}) == 2
    assert all(e.has_clip for e in examples)
    clip = stage.do(m.Clip(id=3, example=ids[0]))
    assert clip["media_type"] == "audio/flac"
    assert base64.b64decode(clip["data"])[:4] == b"fLaC"


def test_a_sound_under_way_at_the_end_is_waited_for(stage: Stage) -> None:
    stage.do(m.RecordStart(id=1, label="clap"))
    stage.sound(0, 1, "early")

    def it_ends() -> None:
        stage.services.clock.sleep(0.5)
        onset = stage.services.clock.now_us() - 650_000
        feed(stage.node, heard(vector(0, 1), onset, phase="final", take=stage.take,
                               length_us=650_000))  # fmt: skip

    reply = stage.during(m.RecordStop(id=2), it_ends)
    assert len(reply["ids"]) == 2
    assert {e.phase for e in stage.project.examples()} == {"early", "final"}


def test_only_the_spaces_asked_for_are_taught(stage: Stage) -> None:
    stage.do(m.RecordStart(id=1, label="clap", spaces=["body.upper"]))
    stage.frame(0, 1)
    stage.frame(0, 2, "body.upper", "1")
    assert stage.do(m.RecordStop(id=2))["spaces"] == {"body.upper": 1}


def test_of_two_people_both_are_taught_and_named_or_only_the_one_asked_for(stage: Stage) -> None:
    def record(subject: str | None) -> dict[str, Any]:
        stage.do(m.RecordStart(id=1, label="clap", subject=subject))
        stage.frame(0, 1)  # a sound is nobody's
        stage.frame(0, 2, "body.upper", "p1")
        stage.frame(1, 3, "body.upper", "p2")
        return dict(stage.do(m.RecordStop(id=2)))

    both = record(None)
    assert (both["spaces"], both["subjects"]) == ({"audio": 1, "body.upper": 2}, ["p1", "p2"])
    one = record("p2")
    assert (one["spaces"], one["subjects"]) == ({"audio": 1, "body.upper": 1}, ["p2"])
    takes = {e.take for e in stage.project.examples() if e.id in one["ids"]}
    assert {take.partition("/")[2] for take in takes} == {"", "p2"}
    stage.do(m.RecordStart(id=1, label="clap", subject="p7"))
    stage.frame(0, 2, "body.upper", "p1")
    assert "heard or seen of p7" in stage.do(m.RecordStop(id=2))["note"]


def test_nothing_recorded_is_said(stage: Stage) -> None:
    stage.do(m.RecordStart(id=1, label="clap"))
    reply = stage.do(m.RecordStop(id=2))
    assert reply["ids"] == []
    assert "nothing" in reply["note"]


def test_the_last_seconds_were_a_clap(stage: Stage) -> None:
    for i in range(30):
        stage.frame(0 if i < 25 else 1, i)
    reply = stage.do(m.Mark(id=1, label="snap", seconds=0.45))
    assert 4 <= len(reply["ids"]) <= 5
    assert stage.frame(1, 99).label == "snap"


def test_that_was_wrong_becomes_a_hard_negative(stage: Stage) -> None:
    stage.project.add(taught(3, 5))
    said = stage.frame(0, 77)
    assert said.label == "clap"
    reply = stage.do(m.Mark(id=1, label=None, seconds=0.05))
    assert reply["labels"] == ["clap"]
    assert [e.negative for e in stage.project.examples() if e.id in reply["ids"]] == [True]
    assert stage.frame(0, 77).label != "clap"
    assert stage.frame(0, 3).label == "clap"
    stage.project.delete([e.id for e in stage.project.examples(label="clap") if not e.negative])
    assert stage.do(m.DeleteLabel(id=2, label="clap"))["labels"] == ["hum", "snap"]
    assert stage.project.examples(label="clap") == []


def test_receipts_name_the_examples_that_voted(stage: Stage) -> None:
    stage.project.add(taught(3, 5))
    scores = stage.frame(1, 3)
    found = stage.do(m.Neighbours(id=1, seq=scores.seq))
    assert found[0]["id"] == "audio-1-003"
    assert found[0]["take"] == "snap 3"
    assert "vector" not in found[0]
    stage.do(m.DeleteExamples(id=2, ids=[found[0]["id"]]))
    after = stage.frame(1, 3)
    assert found[0]["id"] not in {n.id for n in after.neighbours}
    with pytest.raises(InputError):
        stage.do(m.Neighbours(id=3, seq=10**6))


def test_that_was_wrong_is_kept_during_a_locked_show_and_learned_after_it(stage: Stage) -> None:
    stage.project.add(taught(3, 5))
    stage.frame(0, 1)
    stage.do(m.Lock(id=1))
    assert stage.frame(0, 77).label == "clap"
    (kept,) = stage.do(m.Mark(id=2, label=None, seconds=0.05))["ids"]
    assert [e.negative for e in stage.project.examples() if e.id == kept] == [True]
    assert stage.frame(0, 77).label == "clap"  # nothing changes during the show
    stage.do(m.Unlock(id=3))
    stage.frame(1, 1)
    assert stage.frame(0, 77).label != "clap"


def test_a_locked_show_refuses_to_learn(stage: Stage) -> None:
    stage.project.add(taught(2, 3))
    stage.do(m.Lock(id=1))  # at once, not with the next sound
    for command in (m.RecordStart(id=2, label="x"), m.Mark(id=3, label="x"), m.Undo(id=4),
                    m.DeleteLabel(id=5, label="clap"), m.DeleteExamples(id=6, ids=["audio-0-000"]),
                    m.RenameLabel(id=7, label="clap", to="y"), m.Restore(id=8, name="z"),
                    m.Relabel(id=9, ids=["audio-0-000"], label="y"), m.Redo(id=10)):  # fmt: skip
        with pytest.raises(InputError, match="locked"):
            stage.do(command)
    stage.do(m.Unlock(id=11))
    stage.do(m.RenameLabel(id=12, label="clap", to="y"))
    assert stage.frame(0, 2).label == "y"


def test_labels_are_found_however_their_accents_are_written(stage: Stage) -> None:
    stage.project.add(taught(2, 3))
    composed, apart = "d\u00e9j\u00e0", "de\u0301ja\u0300"
    assert stage.do(m.RenameLabel(id=1, label="clap", to=apart))["labels"] == [composed, "snap"]
    assert stage.do(m.ActiveLabels(id=2, labels=[apart])) == {"active_labels": [composed]}
    stage.do(m.RenameLabel(id=3, label=apart, to="x"))
    assert stage.project.setting("active_labels") == ["x"]
    stage.do(m.RenameLabel(id=4, label="x", to=composed))
    assert stage.do(m.DeleteLabel(id=5, label=apart))["labels"] == ["snap"]


def test_scenes_snapshots_and_restore(stage: Stage) -> None:
    stage.project.add(taught(3, 4))
    stage.do(m.Snapshot(id=1, name="three"))
    stage.do(m.DeleteLabel(id=2, label="hum"))
    assert len(stage.frame(0, 1).results) == 2
    stage.do(m.Restore(id=3, name="three"))
    assert len(stage.frame(0, 1).results) == 3
    assert [one["name"] for one in stage.do(m.ListSnapshots(id=4))] == ["three"]
    stage.do(m.ActiveLabels(id=5, labels=["hum"]))
    assert [r.label for r in stage.frame(0, 1).results] == ["hum"]
    with pytest.raises(InputError, match="did you mean 'hum'"):
        stage.do(m.ActiveLabels(id=6, labels=["humm"]))


def test_it_judges_itself(stage: Stage) -> None:
    stage.project.add(taught(3, 6, people=3))
    report = stage.do(m.Evaluate(id=1))
    assert report["spaces"]["audio"]["accuracy"] == 1.0
    assert report["strictness"] == 0.5
    stage.node.strictness = 1.0  # the studio's fader; what it judges is what is heard
    strict = stage.do(m.Evaluate(id=2))["spaces"]["audio"]
    assert strict["accuracy"] < 1.0


def test_judging_in_the_background_says_how_far_it_is(stage: Stage) -> None:
    stage.project.add(taught(3, 6, people=3))

    async def go() -> None:
        command = m.Evaluate(id=1, background=True)
        started = await stage.node.handle(command)
        assert await stage.node.handle(command) == started, "nothing has changed"
        await asyncio.wait(list(stage.jobs._tasks.values()))
        found = await stage.jobs.handle(m.Job(id=2, job=started["job"]))
        assert (found["state"], found["done"], found["total"]) == ("done", 7, 7)
        assert found["result"] == await stage.node.handle(m.Evaluate(id=3))
        await asyncio.to_thread(stage.project.delete, ["audio-0-000"])
        assert await stage.node.handle(command) != started
        await stage.jobs.close()

    asyncio.run(go())


def test_a_large_judgement_is_made_aside_and_is_the_same(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "FEW", 17)
    monkeypatch.setattr(aside, "CHUNK", 5)
    stage.project.add(taught(3, 6, people=3))

    async def go() -> None:
        started = await stage.node.handle(m.Evaluate(id=1, background=True))
        monkeypatch.setattr(desk, "judge", None)  # not here
        await asyncio.wait(list(stage.jobs._tasks.values()))
        found = await stage.jobs.handle(m.Job(id=2, job=started["job"]))
        assert (found["state"], found["done"], found["total"]) == ("done", 7, 7), found["error"]
        assert found["result"] == await stage.node.handle(m.Evaluate(id=3)), "waited for"
        monkeypatch.undo()
        assert found["result"] == await stage.node.handle(m.Evaluate(id=4)), "made here"

    asyncio.run(go())


def test_a_judgement_made_aside_ends_with_its_stop(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "FEW", 0)
    stage.project.add(taught(3, 6, people=3))
    children: list[asyncio.subprocess.Process] = []
    begin = asyncio.create_subprocess_exec

    async def endless(*line: str, **pipes: Any) -> asyncio.subprocess.Process:
        children.append(await begin(line[0], "-c", "while True: pass", **pipes))
        return children[0]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", endless)

    async def go() -> None:
        for how in ("stopped", "killed"):
            started = await stage.node.handle(m.Evaluate(id=1, background=True))
            while not children:
                await asyncio.sleep(0)
            if how == "stopped":
                await stage.jobs.handle(m.StopJob(id=2, job=started["job"]))
            else:
                children[0].kill()
            await asyncio.wait(list(stage.jobs._tasks.values()))
            assert children.pop().returncode
            job = await stage.jobs.handle(m.Job(id=3, job=started["job"]))
            assert (job["state"], "was ended" in job["error"]) == (
                ("stopped", False) if how == "stopped" else ("failed", True)
            )

    asyncio.run(go())


def test_a_judgement_that_is_stopped_fits_no_further(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.project.add(taught(3, 6, people=3))
    at_work, go_on, ended = (threading.Event() for _ in range(3))
    steps: list[int] = []

    def slow(*args: object, progress: Progress, **more: object) -> dict[str, object]:
        try:
            for done in range(3):
                progress(done, 3)
                steps.append(done)
                at_work.set()
                assert go_on.wait(10)
        finally:
            ended.set()
        return {}

    monkeypatch.setattr(desk, "judge", slow)

    async def go() -> None:
        started = await stage.node.handle(m.Evaluate(id=1, background=True))
        assert await asyncio.to_thread(at_work.wait, 10)
        stopped = await stage.jobs.handle(m.StopJob(id=2, job=started["job"]))
        assert stopped["state"] == "stopped"
        await asyncio.wait(list(stage.jobs._tasks.values()))
        go_on.set()
        assert await asyncio.to_thread(ended.wait, 10)

    asyncio.run(go())
    assert steps == [0]


def test_wrong_commands_say_why(stage: Stage) -> None:
    for command in (m.RecordStop(id=1), m.RecordStart(id=2, label="  "), m.Mark(id=3, label="x"),
                    m.RecordStart(id=4, label="x", seconds=-1), m.Mark(id=5, label="x", seconds=900),
                    m.RenameLabel(id=6, label="nobody", to="x"), m.Clip(id=7, example="none"),
                    m.RecordStart(id=8, label="x", delay_s=1e9), m.Restore(id=9, name="none")):  # fmt: skip
        with pytest.raises(InputError):
            stage.do(command)
    stage.do(m.RecordStart(id=10, label="x"))
    with pytest.raises(InputError, match="being recorded"):
        stage.do(m.RecordStart(id=11, label="y"))


def test_without_a_project_it_teaches_in_memory() -> None:
    stage = Stage(None)
    stage.do(m.RecordStart(id=1, label="clap"))
    stage.frame(0, 1)
    stage.do(m.RecordStop(id=2))
    assert stage.frame(0, 1).label == "clap"
    with pytest.raises(InputError, match="project"):
        stage.do(m.Undo(id=3))
    (taught,) = stage.do(m.Examples(id=4))
    with pytest.raises(InputError, match="no example 'none'"):
        stage.do(m.DeleteExamples(id=5, ids=[taught["id"], "none"]))
    assert len(stage.do(m.Examples(id=6))) == 1
    assert stage.frame(0, 1).label == "clap"
    stage.do(m.DeleteExamples(id=7, ids=[taught["id"]]))
    assert stage.frame(0, 1).label is None


def test_every_command_of_the_head_has_a_handler() -> None:
    door = {"Auth", "Subscribe", "Ping", "Set", "Simulate", "AllowOrigin", "NewCode", "ViewerLink"}
    files = {"Upload", "TeachFiles", "Augment", "Export", "Calibrate", "Lint", "Job", "StopJob"}
    others = door | files | {"Restart"}
    kinds = {kind.__name__ for kind in m.ClientMessage.__args__}  # type: ignore[attr-defined]
    assert {kind.__name__ for kind in COMMANDS} >= kinds - others
