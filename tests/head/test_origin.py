"""What may be taught while it runs, and what is kept with it: its embedder and its sound."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import soundfile

from tmstream.core import messages as m
from tmstream.core.errors import InputError
from tmstream.core.packet import Audio, Gap, Packet
from tmstream.head.recording import clip_span
from tmstream.testing import feed

from .conftest import Stage
from .lessons import heard, taught, vector


def test_a_clip_holds_its_sound_with_what_is_around_and_no_other() -> None:
    def part(take: int, phase: str, onset_s: float, end_s: float, space: str = "audio") -> Any:
        return heard(vector(0, 1), round(onset_s * 1e6), length_us=round((end_s - onset_s) * 1e6),
                     source="mic", phase=phase, take=take, space=space)  # fmt: skip

    first = part(1, "final", 1.0, 1.2)
    early, final = part(2, "early", 1.4, 1.6), part(2, "final", 1.4, 1.9)
    last = part(3, "final", 3.0, 3.1)
    company = [first, early, final, last, part(7, "final", 1.9, 2.0, space="gesture")]
    assert clip_span(first, company) == (500_000, 1_400_000)
    assert clip_span(early, company) == clip_span(final, company) == (1_200_000, 2_400_000)
    assert clip_span(last, company) == (2_500_000, 3_600_000)
    assert clip_span(part(4, "frame", 1.0, 1.1), company) == (1_000_000, 1_100_000)


def test_a_taught_sound_can_be_heard_with_what_is_around_it(stage: Stage) -> None:
    def hum(seconds: float) -> None:
        onset = stage.services.clock.now_us()
        samples = np.full((round(seconds * 16000), 1), 0.1, np.float32)
        stage.history.tap("mic", Packet(onset, Audio(samples, 16000)))
        stage.services.clock.sleep(seconds)

    stage.do(m.RecordStart(id=1, label="clap"))
    hum(1.0)
    onset = stage.services.clock.now_us()
    hum(1.0)
    feed(stage.node, heard(vector(0, 1), onset, source="mic", phase="final", take=1))
    (kept,) = stage.during(m.RecordStop(id=2), lambda: stage.services.clock.sleep(0.4))["ids"]
    clip = stage.project.clip(kept)
    samples, rate_hz = soundfile.read(io.BytesIO(clip.data))
    assert len(samples) / rate_hz == pytest.approx(0.5 + 0.01 + 0.5, abs=0.001)


def test_a_space_that_nothing_embeds_is_refused(stage: Stage) -> None:
    for command in (m.RecordStart(id=1, label="x", spaces=["audio", "bodyupper"]),
                    m.Mark(id=2, label="x", space="bodyupper")):  # fmt: skip
        with pytest.raises(InputError, match=r"'bodyupper'; known: audio, body\.upper"):
            stage.do(command)
    stage.do(m.RecordStart(id=3, label="x", spaces=["audio"]))  # nothing was begun meanwhile
    stage.do(m.RecordStop(id=4))
    stage.embedders.expect(None)  # some node does not say what it embeds: it may be that
    stage.do(m.RecordStart(id=5, label="x", spaces=["bodyupper"]))


@pytest.mark.parametrize("how", ["record", "mark"])
def test_live_teaching_keeps_what_made_the_vectors(stage: Stage, how: str) -> None:
    stage.embedders.tell("audio", "model 1")
    if how == "record":
        stage.do(m.RecordStart(id=1, label="clap"))
    stage.frame(0, 1)
    stage.do(m.RecordStop(id=2) if how == "record" else m.Mark(id=3, label="clap", seconds=1))
    assert stage.project.setting("space:audio") == "model 1"
    assert stage.project.setting("pipeline") == "sound"
    assert stage.project.setting("space:body.upper") is None  # nothing of it was taught
    stage.embedders.pipeline = "another"
    stage.do(m.Mark(id=4, label="snap", seconds=1))
    assert stage.project.setting("pipeline") == "sound"
    stage.do(m.Undo(id=5))
    assert "added" in stage.do(m.Undo(id=6))["undone"]
    assert stage.project.settings() == {}


def test_vectors_of_two_embedders_are_not_mixed_live(stage: Stage) -> None:
    stage.project.add(taught(1, 2), settings={"space:audio": "model 1"})
    stage.embedders.tell("audio", "model 2")
    stage.frame(0, 1)
    for command in (m.RecordStart(id=1, label="x"), m.Mark(id=2, label="x"),
                    m.RecordStart(id=3, label="x", spaces=["audio"])):  # fmt: skip
        with pytest.raises(InputError, match=r"another embedder.*tmstream reembed .*show\.tms"):
            stage.do(command)
    stage.frame(1, 3, space="body.upper")
    stage.do(m.Mark(id=8, label="x", space="body.upper", seconds=0.05))
    stage.do(m.RecordStart(id=4, label="x", spaces=["body.upper"]))  # that one is as it was
    stage.frame(0, 2, space="body.upper")
    assert stage.do(m.RecordStop(id=5))["spaces"] == {"body.upper": 1}
    stage.do(m.DeleteLabel(id=6, label="clap"))
    stage.do(m.Mark(id=7, label="hum", seconds=1))  # no examples of the other one are left
    assert stage.project.setting("space:audio") == "model 2"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_cannot_be_taught_over_the_wire(stage: Stage, bad: float) -> None:
    stage.project.add(taught(2, 4))
    broken = vector(0, 1)
    broken[3] = bad
    stage.do(m.RecordStart(id=1, label="clap"))
    stage.services.clock.sleep(0.2)
    (said,) = feed(stage.node, heard(broken, stage.services.clock.now_us()))
    assert said.data.rejected == "not_finite"
    assert stage.do(m.RecordStop(id=2))["ids"] == []
    with pytest.raises(InputError, match="nothing was heard"):
        stage.do(m.Mark(id=3, label="clap", seconds=1))
    assert len(stage.project.examples()) == 8
    assert stage.frame(0, 1).label == "clap"


def test_vectors_of_another_length_cannot_be_taught_over_the_wire(stage: Stage) -> None:
    stage.project.add(taught(2, 4))
    stage.do(m.RecordStart(id=1, label="clap"))
    stage.services.clock.sleep(0.2)
    longer = np.append(vector(0, 1), np.float32(1))
    (said,) = feed(stage.node, heard(longer, stage.services.clock.now_us()))
    assert (said.data.label, said.data.rejected) == (None, "too_few_examples")
    for command in (m.RecordStop(id=2), m.Mark(id=3, label="clap", seconds=1)):
        with pytest.raises(InputError, match="has 25 numbers, but the project's have 24"):
            stage.do(command)
    assert len(stage.project.examples()) == 8
    assert stage.frame(0, 1).label == "clap"
    stage.do(m.RecordStart(id=4, label="clap"))  # the refused recording is over
    stage.do(m.RecordStop(id=5))


def test_an_interruption_cannot_be_marked(stage: Stage) -> None:
    stage.frame(0, 1)
    feed(stage.node, Packet(stage.t_us + 1, Gap("stall", "another source")))
    assert stage.do(m.Mark(id=1, label="clap", seconds=5))["ids"]
    feed(stage.node, Packet(stage.t_us + 2, Gap("stall")))
    with pytest.raises(InputError):
        stage.do(m.Mark(id=2, label="clap", seconds=5))
