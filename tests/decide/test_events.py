"""Events of whatever comes: sounds, frames and absences at once."""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmstream.core.packet import Absent, Event, Gap, Packet, Scores
from tmstream.decide.events import Events
from tmstream.testing import check_order, feed

from .answers import MS, frame, sound, told


def test_a_label_seen_and_heard_at_once_is_one_enter_and_one_leave() -> None:
    node = Events()
    heard = told(
        node,
        frame(0, None, hello=0.9),
        sound(0, 250, "early", 1, "hello"),
        sound(0, 500, "final", 1, "hello"),
        frame(600, None, hello=0.1),
    )
    assert [(kind, t) for kind, _, t, _ in heard] == [
        ("enter", 0),
        ("trigger", 250),
        ("leave", 600),
    ]


def test_what_is_told_of_somebody_is_in_order_though_a_sound_comes_late() -> None:
    node = Events()
    made = feed(
        node,
        frame(1000, "1", up=0.9),
        sound(300, 900, "final", 1, "clap", subject="1"),
        sound(300, 900, "final", 1, "clap"),
    )
    times = [(one.data.subject, one.t_us // MS) for one in made]
    assert times == [("1", 1000)] + [("1", 1000)] * 3 + [(None, 900)] * 3


@st.composite
def streams(draw: st.DrawFn) -> list[Packet[Any]]:
    """Frames of three people, sounds in order, absences and gaps, on one rising clock."""
    now_ms, take, packets = 0, 0, []
    phase = "final"
    for _ in range(draw(st.integers(1, 60))):
        now_ms += draw(st.sampled_from([1, 20, 33, 100, 400, 6000]))
        match draw(st.sampled_from(["frame", "frame", "sound", "sound", "absent", "gap"])):
            case "frame":
                share = draw(st.floats(0, 1))
                who = draw(st.sampled_from(["1", "2", None]))
                packets.append(frame(now_ms, who, a=share, b=1 - share))
            case "sound":
                if phase == "final":
                    take, onset_ms = take + 1, now_ms - 1
                phase = draw(st.sampled_from(["early", "steady", "final"]))
                label = draw(st.sampled_from(["a", "b", None]))
                packets.append(sound(onset_ms, now_ms, phase, take, label, draw(st.floats(0.3, 1))))
            case "absent":
                space = draw(st.sampled_from(["audio", "body"]))
                packets.append(Packet(now_ms * MS, Absent(space, "silence", now_ms * MS)))
            case "gap":
                packets.append(Packet(now_ms * MS, Gap("late")))
    return packets


@given(streams())
def test_the_laws_of_events(packets: list[Packet[Any]]) -> None:
    cooldown_s = 0.15
    made = feed(Events(cooldown_s=cooldown_s), *packets)
    check_order(made)
    by_label: dict[Any, list[Event]] = defaultdict(list)
    for one in made:
        if isinstance(one.data, Event):
            assert one.data.onset_us <= one.t_us
            by_label[one.data.subject, one.data.label].append(one.data)
    for events in by_label.values():
        ends = [one.event for one in events if one.event in ("enter", "leave")]
        assert ends == (["enter", "leave"] * len(ends))[: len(ends)]
        inside = False
        for one in events:
            inside = inside if one.event not in ("enter", "leave") else one.event == "enter"
            assert inside or one.event in ("leave", "trigger")
        onsets = [one.onset_us for one in events if one.event == "trigger"]
        assert all(b - a >= cooldown_s * 1e6 for a, b in itertools.pairwise(onsets))
    triggers = sum(one.event == "trigger" for events in by_label.values() for one in events)
    takes = {one.data.take for one in packets if isinstance(one.data, Scores) and one.data.take}
    assert triggers <= len(takes)


@pytest.mark.parametrize(
    "wrong", [{"enter": 2.0}, {"leave": 0.9}, {"hold_every_s": -1.0}, {"cooldown_s": float("nan")}]
)
def test_a_wrong_parameter_is_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))}"):
        Events(**wrong)
