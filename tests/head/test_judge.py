"""Judging: by groups that did not teach, in numbers and in words."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest

from tmstream.head.advice import advise
from tmstream.head.judge import NONE, judge, judge_lesson
from tmstream.head.learn import Fit, learn
from tmstream.head.lesson import Lesson, lesson_of
from tmstream.head.scratch import Scratch
from tmstream.store.project import NewExample

from .lessons import CENTRES, taught, vector


def examples(new: list[NewExample]):  # type: ignore[no-untyped-def]
    book = Scratch()
    book.add(new)
    return book.examples()


def test_well_taught_labels_are_judged_well_and_need_no_advice() -> None:
    report = judge(examples(taught(4, 8, people=4)))
    audio = report["spaces"]["audio"]
    assert audio["accuracy"] > 0.95
    assert audio["tested"] == 32
    assert audio["groups"] == 4
    assert np.trace(np.array(audio["confusion"]["matrix"])) == round(audio["accuracy"] * 32)
    assert audio["confusion"]["answers"][-1] == NONE
    assert audio["open_set"]["area"] > 0.95
    assert report["advice"] == []
    json.dumps(report)


def test_the_matrix_adds_up() -> None:
    report = judge(examples(taught(5, 5, people=5)))["spaces"]["audio"]
    matrix = np.array(report["confusion"]["matrix"])
    assert matrix.shape == (5, 6)
    assert matrix.sum() == report["tested"] == 25
    for i, one in enumerate(report["labels"].values()):
        assert one["tested"] == matrix[i].sum()
        assert one["recall"] == matrix[i, i] / matrix[i].sum()


def test_two_labels_for_one_thing_overlap() -> None:
    same = [
        msgspec.structs.replace(
            e, id=f"t{i}", label="slap", take=f"slap {i}", vector=vector(0, 40 + i)
        )
        for i, e in enumerate(taught(1, 8, people=4))
    ]
    report = judge(examples([*taught(2, 8, people=4), *same]))
    (one,) = [one for one in report["advised"] if one["kind"] == "overlap"]
    assert sorted(one["labels"]) == ["clap", "slap"]
    assert one["labels"][0] in one["remedy"], "the one to teach comes first"
    assert f"audio: {one['what']}: {one['remedy']}" in report["advice"]


def test_judging_says_how_far_it_is_and_can_be_broken_off() -> None:
    told: list[tuple[int, int]] = []
    new = examples(taught(3, 4, people=4))
    judge(new, progress=lambda *step: told.append(step))
    assert told == [(done, 8) for done in range(9)], "four people, the whole, three strangers"
    fitted = 0

    def learned(lesson: Lesson, k: int) -> Fit:
        nonlocal fitted
        fitted += 1
        return learn(lesson, k)

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge(new, learned=learned, progress=stop)
    assert fitted == 2


def test_a_person_unlike_the_others_shows_as_a_gap() -> None:
    new = []
    for e in taught(3, 12, people=3):
        shift = np.roll(CENTRES, int(str(e.person)[1]) * 2 + 1, axis=0)[int(e.id.split("-")[1])]  # type: ignore[union-attr]
        new.append(msgspec.structs.replace(e, vector=(e.vector + shift * 2).astype(np.float32)))
    report = judge(examples(new))
    audio = report["spaces"]["audio"]
    assert audio["known_groups_accuracy"] - audio["accuracy"] > 0.15
    assert any("different ones" in line for line in report["advice"])


def test_little_is_said_to_be_little() -> None:
    assert "nothing was taught" in judge([])["advice"][0]
    one = judge(examples(taught(1, 1)))
    assert one["spaces"]["audio"]["accuracy"] is None
    assert any("teach 4 more" in line for line in one["advice"])
    assert [line["kind"] for line in one["advised"]][:2] == ["one_label", "untested"]
    assert "one_label" not in [line["kind"] for line in judge(examples(taught(2, 3)))["advised"]]
    single = judge(examples([msgspec.structs.replace(e, person="ann") for e in taught(2, 6)]))
    assert any("one person or group" in line for line in single["advice"])
    alone = single["spaces"]["audio"]
    assert (alone["groups"], alone["tested"]) == (1, 12), (
        "one's own other takes are better than none"
    )
    assert alone["open_set"]["area"] > 0.95


def test_a_group_column_can_be_named() -> None:
    new = [
        msgspec.structs.replace(e, groups={"day": str(i % 2)}) for i, e in enumerate(taught(2, 6))
    ]
    assert judge(examples(new), group="day")["spaces"]["audio"]["groups"] == 2
    assert judge(examples(new), group="take")["spaces"]["audio"]["groups"] == 12


def test_hard_negatives_are_not_taken_for_examples() -> None:
    new = [msgspec.structs.replace(e, negative=True) for e in taught(1, 3)]
    assert judge(examples(new))["spaces"] == {}


def test_a_weak_label_is_named_though_it_overlaps_with_no_single_other() -> None:
    lesson = lesson_of(examples(taught(4, 8, people=4)))
    report = judge_lesson(lesson, 5, 0.5)
    assert advise(lesson, report, NONE) == []
    report["confusion"]["matrix"][0] = [5, 1, 1, 1, 0]
    report["labels"]["clap"]["recall"] = 5 / 8
    (one,) = advise(lesson, report, NONE)
    assert str(one) == (
        "audio: clap is recognised 62% of the time, else mostly hum: teach 4 more of clap"
    )
    assert (one.kind, one.labels) == ("weak", ["clap"])
