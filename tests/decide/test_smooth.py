from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmstream.core.packet import Absent, Gap, Packet, Result, Scores
from tmstream.decide._streams import Stream, concerns
from tmstream.decide.smooth import Smooth
from tmstream.testing import feed


def answer(
    end_us: int,
    label: str | None,
    confidence: float = 1.0,
    *,
    subject: str | None = "1",
    phase: Any = "frame",
    labels: tuple[str, ...] = ("a", "b"),
) -> Packet[Scores]:
    rest = (1 - confidence) / max(1, len(labels) - 1)
    results = tuple(
        sorted(
            (Result(one, confidence if one == label else rest, 0.5) for one in labels),
            key=lambda r: -r.confidence,
        )
    )
    if label is None:
        return Packet(
            end_us,
            Scores(
                None,
                0.0,
                "too_far",
                results,
                end_us,
                subject=subject,
                spaces=("body.upper",),
                source="cam",
            ),
        )
    return Packet(
        end_us,
        Scores(
            label, confidence, None, results, end_us,
            subject=subject, spaces=("body.upper",), phase=phase, source="cam",
        ),
    )  # fmt: skip


def confidence_of(packet: Packet[Scores], label: str) -> float:
    return next(one.confidence for one in packet.data.results if one.label == label)


@pytest.mark.parametrize("rate_hz", [10, 30, 60, 144])
def test_a_step_follows_the_same_curve_at_any_frame_rate(rate_hz: int) -> None:
    node = Smooth(tau_s=0.2)
    feed(node, answer(0, "b"))
    n = 2 * rate_hz
    made = [feed(node, answer(round(i / rate_hz * 1e6), "a"))[0] for i in range(1, n + 1)]
    for i in range(1, n + 1):
        expected = 1 - math.exp(-(i / rate_hz) / 0.2)
        assert confidence_of(made[i - 1], "a") == pytest.approx(expected, abs=1e-4)


def test_the_answers_of_a_sound_pass_untouched() -> None:
    node = Smooth(tau_s=10)
    feed(node, answer(0, "b"))
    sound = answer(100_000, "a", 0.9, phase="early")
    assert feed(node, sound) == [sound]


def test_a_rejected_answer_votes_for_none_of_the_above() -> None:
    node = Smooth(tau_s=0.1)
    feed(node, answer(0, "a"))
    one = feed(node, answer(50_000, None))[0]
    assert (one.data.label, one.data.rejected) == ("a", None)
    two = feed(node, answer(100_000, None))[0]
    assert (two.data.label, two.data.rejected) == (None, "too_far")
    assert two.data.confidence == pytest.approx(1 - math.exp(-1))


def test_an_absence_weighs_less_than_an_answer_and_brings_its_reason() -> None:
    node = Smooth(tau_s=0.1, absent_weight=0.5)
    feed(node, answer(0, "a"))
    made = feed(node, Packet(100_000, Absent("body", "no_person", 100_000)))
    assert [type(one.data) for one in made] == [Scores, Absent]
    assert confidence_of(made[0], "a") == pytest.approx(math.exp(-0.5))
    gone = feed(node, Packet(400_000, Absent("body", "no_person", 400_000)))[0]
    assert (gone.data.label, gone.data.rejected) == (None, "no_person")


def test_an_absence_of_another_space_or_person_changes_nothing() -> None:
    node = Smooth()
    feed(node, answer(0, "a"))
    for other in (
        Absent("audio", "silence", 100_000),
        Absent("body", "no_person", 100_000, subject="2"),
        Absent("body", "no_person", 100_000, source="another camera"),
    ):
        assert [type(one.data) for one in feed(node, Packet(100_000, other))] == [Absent]


def test_people_are_smoothed_apart_and_a_gap_forgets() -> None:
    node = Smooth(tau_s=1)
    feed(node, answer(0, "a", subject="1"))
    fresh = feed(node, answer(10_000, "b", subject="2"))[0]
    assert confidence_of(fresh, "b") == 1.0
    feed(node, Packet(20_000, Gap("late", "mic")))  # these are of the camera
    assert confidence_of(feed(node, answer(25_000, "b", subject="1"))[0], "b") < 1.0
    feed(node, Packet(26_000, Gap("late")))
    assert confidence_of(feed(node, answer(30_000, "b", subject="1"))[0], "b") == 1.0


def test_a_deleted_label_is_not_believed_any_longer() -> None:
    node = Smooth(tau_s=10)
    feed(node, answer(0, "a"))
    made = feed(node, answer(10_000, "b", labels=("b", "c")))[0]
    assert {one.label for one in made.data.results} == {"b", "c"}


def test_an_answer_that_was_not_even_looked_at_deletes_no_label() -> None:
    node = Smooth(tau_s=0.2)
    feed(node, answer(0, "a"))
    bad = Scores(
        None, 0.0, "not_finite", (), 33_000, subject="1", spaces=("body.upper",), source="cam"
    )
    made = feed(node, Packet(33_000, bad))[0]
    assert made.data.label == "a"
    assert confidence_of(made, "a") == pytest.approx(math.exp(-0.033 / 0.2))


def test_whoever_is_gone_for_long_is_forgotten() -> None:
    node = Smooth()
    for i in range(1000):
        feed(node, answer(i * 1_000_000, "a", subject=str(i)))
    assert len(node._beliefs) <= 7


@given(
    st.lists(
        st.tuples(st.integers(1, 3_000_000), st.sampled_from(["a", "b", None]), st.floats(0.5, 1)),
        min_size=1,
        max_size=40,
    ),
    st.floats(0, 5),
)
def test_belief_stays_a_share(steps: list[tuple[int, str | None, float]], tau_s: float) -> None:
    node, now_us = Smooth(tau_s=tau_s), 0
    for step_us, label, confidence in steps:
        now_us += step_us
        made = feed(node, answer(now_us, label, confidence))[0].data
        assert made.end_us == now_us
        assert all(-1e-9 <= one.confidence <= 1 + 1e-9 for one in made.results)
        assert sum(one.confidence for one in made.results) <= 1 + 1e-6
        assert (made.label is None) == (made.rejected is not None)


@pytest.mark.parametrize("wrong", [{"tau_s": -1}, {"tau_s": math.inf}, {"absent_weight": -1}])
def test_a_wrong_parameter_is_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))}"):
        Smooth(**wrong)


def test_two_heads_are_believed_apart() -> None:
    node = Smooth()
    feed(node, answer(0, "a"))
    other = answer(10_000, "b")
    (made,) = feed(node, other.with_data(msgspec.structs.replace(other.data, node="second head")))
    assert confidence_of(made, "b") == 1.0


def test_an_absence_that_an_answer_has_overtaken_is_handed_on_alone() -> None:
    node = Smooth()
    feed(node, answer(1_000_000, "a"))
    late = Packet(1_000_000, Absent("body", "no_person", 1_000_000, "1"))
    assert feed(node, late) == [late]


def test_who_stays_longer_than_five_seconds_is_not_forgotten() -> None:
    node = Smooth(tau_s=0.2)
    for t_us in range(0, 5_100_000, 100_000):
        feed(node, answer(t_us, "a"))
    (made,) = feed(node, answer(5_100_000, "b"))
    assert confidence_of(made, "a") > 0.5


def test_an_absence_of_somebody_concerns_an_answer_that_names_no_space() -> None:
    gone = Absent("body", "no_person", 0, "1")
    one, two = Stream("head", "1", None, "cam"), Stream("head", "2", None, "cam")
    assert concerns(gone, one, ())
    assert not concerns(gone, two, ())
    assert not concerns(Absent("body", "no_person", 0), one, ())
