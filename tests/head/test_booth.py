"""Where a recording begins and ends, and which of the last seconds are meant."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tmstream.core import messages as m
from tmstream.core.errors import InputError
from tmstream.head import booth, recording
from tmstream.testing import feed

from .conftest import Stage
from .lessons import heard, taught, vector


def test_a_sound_that_began_just_before_the_button_is_taken(stage: Stage) -> None:
    begun_us = stage.services.clock.now_us()
    stage.services.clock.sleep(0.15)
    stage.do(m.RecordStart(id=1, label="clap"))
    stage.services.clock.sleep(0.15)
    for began_us in (begun_us, begun_us - 100_000):
        early = heard(vector(0, 1), began_us, phase="final", take=1, length_us=300_000)
        feed(stage.node, early)
    reply = stage.during(m.RecordStop(id=2), lambda: stage.services.clock.sleep(1))
    assert len(reply["ids"]) == 1


def test_a_sound_without_end_is_not_waited_for_for_ever(stage: Stage) -> None:
    stage.do(m.RecordStart(id=1, label="clap"))
    stage.sound(0, 1, "early")
    reply = stage.during(m.RecordStop(id=2), lambda: stage.services.clock.sleep(2.1))
    assert len(reply["ids"]) == 1


def test_a_recording_of_seconds_that_is_over_is_not_made_longer_by_a_stop(stage: Stage) -> None:
    async def go() -> Any:
        start = asyncio.ensure_future(
            stage.node.handle(m.RecordStart(id=1, label="clap", seconds=1))
        )
        await asyncio.sleep(0)
        stage.sound(0, 1, "early")  # without an end, so it is waited for
        stage.services.clock.sleep(1.5)
        stop = asyncio.ensure_future(stage.node.handle(m.RecordStop(id=2)))
        await asyncio.sleep(0)
        late = heard(vector(0, 2), 1_200_000, phase="final", take=9, length_us=100_000)
        feed(stage.node, late)
        stage.services.clock.sleep(3)
        return await asyncio.wait_for(asyncio.gather(start, stop, return_exceptions=True), 5)

    answers = asyncio.run(go())
    (kept,) = (one for one in answers if isinstance(one, dict))
    (told,) = (one for one in answers if isinstance(one, InputError))
    assert len(kept["ids"]) == 1
    assert "already stopped" in str(told)


@pytest.mark.parametrize("seconds", [45.0, None])
def test_a_long_recording_has_the_clips_that_the_history_has_forgotten_by_its_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, seconds: float | None
) -> None:
    monkeypatch.setattr(booth, "CLIPS_EVERY_S", 0)

    async def go() -> Any:
        command = m.RecordStart(id=1, label="clap", seconds=seconds)
        start = asyncio.ensure_future(stage.node.handle(command))
        await asyncio.sleep(0)
        recording = stage.node._desk.booth._recording
        assert recording is not None
        for number in range(40):
            stage.sound(0, number, "early", "final")
            stage.services.clock.sleep(0.7)
            while len(recording._clips) < number - 2:
                await asyncio.sleep(0)
        if seconds is None:
            await start
            start = asyncio.ensure_future(stage.node.handle(m.RecordStop(id=2)))
            await asyncio.sleep(0)
        stage.services.clock.sleep(10)
        return await start

    reply = asyncio.run(asyncio.wait_for(go(), 60))
    assert stage.project is not None
    kept = stage.project.examples()
    assert len(kept) == len(reply["ids"]) == 80
    assert [one.take for one in kept if not one.has_clip] == []
    clips = {one.take: stage.project.clip(one.id) for one in kept}
    assert len({clip.data for clip in clips.values() if clip}) == 1, "each of its own sound alone"


def test_a_recording_that_nobody_stops_ends(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MOST", 3)
    stage.do(m.RecordStart(id=1, label="clap"))
    for i in range(5):
        stage.frame(0, i)
    assert len(stage.do(m.RecordStop(id=2))["ids"]) == 3


def test_only_what_was_said_can_have_been_wrong(stage: Stage) -> None:
    stage.project.add(taught(2, 5))
    said = [stage.frame(label, 3).label for label in (0, 5, 0)]
    assert said == ["clap", None, "clap"]
    reply = stage.do(m.Mark(id=1, label=None, seconds=0.35))
    assert (len(reply["ids"]), reply["labels"]) == (2, ["clap"])
    assert len(stage.do(m.Mark(id=2, label="hiss", seconds=0.35))["ids"]) == 3


def test_one_person_is_marked_and_not_the_other(stage: Stage) -> None:
    for who in ("1", "2"):
        stage.frame(0, 1, "body.upper", who)
    stage.frame(1, 1)
    (marked,) = stage.do(m.Mark(id=1, label="wave", seconds=5, subject="2"))["ids"]
    (example,) = [one for one in stage.project.examples() if one.id == marked]
    assert example.take.endswith("/2")
    (marked,) = stage.do(m.Mark(id=2, label="snap", seconds=5, space="audio"))["ids"]
    with pytest.raises(InputError, match="heard or seen"):
        stage.do(m.Mark(id=3, label="wave", seconds=5, subject="3"))


def test_an_answer_of_a_while_ago_is_marked_and_not_those_after_it(stage: Stage) -> None:
    until_us = []
    for label in (0, 1, 0):
        stage.frame(label, 1)
        until_us.append(stage.services.clock.now_us())
        stage.services.clock.sleep(1)
    said = stage.do(m.Mark(id=1, label="snap", seconds=0.5, until_us=until_us[1]))
    (marked,) = [one for one in stage.project.examples() if one.id in said["ids"]]
    assert marked.t_us <= until_us[1] < marked.t_us + 1_000_000
    with pytest.raises(InputError, match="that moment"):
        stage.do(m.Mark(id=2, label="snap", seconds=0.5, until_us=until_us[1] + 600_000))
    stage.services.clock.sleep(booth.MARK_S)
    with pytest.raises(InputError, match="too long ago"):
        stage.do(m.Mark(id=3, label="snap", seconds=0.5, until_us=until_us[1]))
