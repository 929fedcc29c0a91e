"""Windows, stacks, rates and gates, by their own times."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmstream.core.packet import (
    Absent,
    Audio,
    Embedding,
    Features,
    Gap,
    Image,
    Landmarks,
    Packet,
)
from tmstream.testing import feed
from tmstream.window.gate import Gate
from tmstream.window.rate import Rate
from tmstream.window.slide import Slide
from tmstream.window.stack import Stack

RAMP = np.arange(16000, dtype=np.float32)[:, None]


@given(st.lists(st.integers(1, 3000), min_size=1), st.sampled_from([0.05, 0.1, 0.3]))
def test_windows_are_the_same_however_the_sound_is_cut(cuts: list[int], hop_s: float) -> None:
    packets, at = [], 0
    for cut in [*cuts, len(RAMP)]:
        if at < len(RAMP):
            packets.append(Packet(round(at * 62.5), Audio(RAMP[at : at + cut], 16000)))
        at += cut
    made = feed(Slide(length_s=0.1, hop_s=hop_s), *packets)
    hop = round(hop_s * 16000)
    assert len(made) == (16000 - max(1600, hop)) // hop + 1
    for i, packet in enumerate(made):
        assert np.array_equal(packet.data.samples, RAMP[i * hop : i * hop + 1600])
        assert packet.t_us == round(i * hop * 62.5)


def test_a_window_never_spans_a_gap() -> None:
    parts = [Packet(0, Audio(RAMP[:1000], 16000)), Packet(70_000, Gap("late"))]
    made = feed(Slide(0.1, 0.1), *parts, Packet(9_000_000, Audio(RAMP[:1600], 16000)))
    assert [type(p.data) for p in made] == [Gap, Audio]
    assert made[1].t_us == 9_000_000


def sound(second: float, seconds: float, shift_us: int = 0) -> list[Packet[Any]]:
    """Blocks of 20 ms from ``second`` on, each sample the number of its instant."""
    at = np.arange(round(second * 16000), round((second + seconds) * 16000), 320)
    ramp = np.arange(320, dtype=np.float32)[:, None]
    return [Packet(round(i * 62.5) + shift_us, Audio(ramp + np.float32(i), 16000)) for i in at]


@pytest.mark.parametrize("then", [1.2, 0.5])
def test_a_window_spans_no_hole_and_nothing_twice(then: float) -> None:
    made = feed(Slide(0.5, 0.5), *sound(0, 0.9), *sound(then, 0.9))
    assert [p.t_us for p in made] == [0, then * 1e6]
    for packet in made:
        assert packet.data.samples[0, 0] == packet.t_us / 62.5
        assert (np.diff(packet.data.samples[:, 0]) == 1).all()


def test_windows_follow_a_source_that_is_slewed() -> None:
    blocks = [one for s in range(100) for one in sound(s, 1.0, shift_us=500 * s)]
    made = feed(Slide(1.0, 1.0), *blocks)
    assert len(made) == 100
    for second, packet in enumerate(made):
        assert abs(packet.t_us - second * 1_000_500) <= 1000


def body(i: int, subject: str = "1") -> Packet[Any]:
    points = np.full((33, 4), i, np.float32)
    return Packet(i * 33_000, Landmarks(points, "body", subject))


def test_a_stack_holds_the_last_rows_of_each_subject() -> None:
    made = feed(Stack(count=3), *(body(i, s) for i in range(5) for s in "ab"))
    assert [type(p.data) for p in made] == [Features] * 6
    assert made[0].data.values.shape == (3, 132)
    assert made[-1].data.values[:, 0].tolist() == [2, 3, 4]
    assert made[-1].t_us == 2 * 33_000
    assert made[-1].data.hop_s == pytest.approx(0.033)


@pytest.mark.parametrize("cut", [Gap("late"), Absent("body", "no_person", 200_000)])
def test_a_stack_forgets_at_a_gap_and_when_nobody_is_there(cut: Any) -> None:
    made = feed(Stack(count=3), *map(body, range(2)), Packet(70_000, cut), *map(body, range(3, 5)))
    assert [type(p.data) for p in made] == [type(cut)]


def test_absence_of_one_subject_spares_the_other() -> None:
    gone = Packet(70_000, Absent("body", "no_person", 80_000, subject="a"))
    packets = [body(i, s) for i in range(2) for s in "ab"]
    made = feed(Stack(count=3), *packets, gone, body(3, "a"), body(3, "b"))
    assert [type(p.data) for p in made] == [Absent, Features]


@pytest.mark.parametrize(("fps", "hz"), [(30.0, 20.0), (30.0, 10.0), (25.0, 24.0), (10.0, 30.0)])
def test_a_rate_is_reached_and_not_passed(fps: float, hz: float) -> None:
    image = Image(np.zeros((2, 2, 3), np.uint8))
    packets = [Packet(round(i * 1e6 / fps), image) for i in range(round(10 * fps))]
    made = feed(Rate(hz=hz), *packets)
    assert len(made) == pytest.approx(10 * min(fps, hz), abs=1)


def test_a_rate_counts_each_subject_and_a_pause_saves_nothing_up() -> None:
    packets = [body(i, s) for i in [*range(10), *range(100, 110)] for s in "ab"]
    made = feed(Rate(hz=10.0), *packets)
    assert len(made) == 2 * (3 + 3)
    late = [p.t_us for p in made if p.data.subject == "a" and p.t_us > 3_000_000]
    assert min(np.diff(late)) > 50_000
    assert late[:2] == [3_300_000, 3_432_000]


def test_a_rate_goes_by_the_end_of_what_was_heard_and_keeps_spaces_apart() -> None:
    vector, onset_us = np.zeros(1, np.float32), 1000
    made = feed(
        Rate(hz=10.0),
        *(
            Packet(onset_us, Embedding(vector, space, onset_us + i * 50_000))
            for i in range(20)
            for space in ("audio", "image")
        ),
    )
    ends = [(p.data.space, p.data.end_us) for p in made]
    assert ends == [(s, onset_us + i * 100_000) for i in range(10) for s in ("audio", "image")]


def test_a_rate_forgets_who_left() -> None:
    node = Rate(hz=10.0)
    feed(node, *(body(i, f"p{i}") for i in range(1000)))
    assert len(node._next_us) < 10


def test_a_gate_opens_holds_and_closes() -> None:
    sound = np.zeros((16000, 1), np.float32)
    sound[3200:4800] = 0.1
    packets = [Packet(i * 10_000, Audio(sound[i * 160 : i * 160 + 160], 16000)) for i in range(100)]
    made = feed(Gate(open_db=-40.0, hold_s=0.2), *packets)
    passed = [p.t_us // 10_000 for p in made if isinstance(p.data, Audio)]
    assert passed == list(range(20, 50))
    absent = [p.data for p in made if isinstance(p.data, Absent)]
    assert len(absent) == 70
    assert {(a.space, a.reason) for a in absent} == {("audio", "silence")}


@pytest.mark.parametrize(("open_db", "kind"), [(-31.0, Audio), (-29.0, Absent)])
def test_a_gate_is_set_in_decibels_of_rms(open_db: float, kind: type) -> None:
    square = np.resize(np.float32([1, -1]), (160, 1)) * np.float32(10 ** (-30 / 20))
    (made,) = feed(Gate(open_db=open_db), Packet(5_000, Audio(square, 16000)))
    assert isinstance(made.data, kind)
    assert getattr(made.data, "end_us", 15_000) == 15_000


def test_a_gap_shuts_the_gate() -> None:
    loud, soft = (Audio(np.full((160, 1), v, np.float32), 16000) for v in (0.5, 0.0))
    made = feed(Gate(), Packet(0, loud), Packet(10_000, Gap("late")), Packet(20_000, soft))
    assert [type(p.data) for p in made] == [Audio, Gap, Absent]


@pytest.mark.parametrize(
    ("node", "bad"),
    [(Slide, {"length_s": 0}), (Slide, {"hop_s": 99}), (Stack, {"count": 1}), (Rate, {"hz": 0}),
     (Gate, {"open_db": 5}), (Gate, {"hold_s": -1})],
)  # fmt: skip
def test_a_parameter_out_of_range_is_named(node: Any, bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        node(**bad)
