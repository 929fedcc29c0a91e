from __future__ import annotations

import itertools
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmstream.core.packet import Absent, Event, Gap, Packet, Result, Scores
from tmstream.decide.events import Events
from tmstream.decide.smooth import Smooth
from tmstream.testing import check_order, feed

MS = 1000


def frame(end_ms: int, subject: str | None = "1", **support: float) -> Packet[Scores]:
    """An answer about a frame; no support at all is a rejected one."""
    results = tuple(
        Result(label, share, share) for label, share in sorted(support.items(), key=lambda x: -x[1])
    )
    best = results[0] if results else None
    return Packet(
        end_ms * MS,
        Scores(
            best.label if best else None, best.confidence if best else 0.0,
            None if best else "too_far", results, end_ms * MS, subject=subject,
            spaces=("body.upper",),
        ),
    )  # fmt: skip


def sound(
    onset_ms: int,
    end_ms: int,
    phase: Any,
    take: int | None,
    label: str | None,
    confidence: float = 0.9,
    *,
    subject: str | None = None,
    joined: tuple[str, ...] = (),
) -> Packet[Scores]:
    """One answer about a sound; the rest of the vote is for "other"."""
    results = (
        (Result(label, confidence, confidence), Result("other", 1 - confidence, 0.1))
        if label
        else ()
    )
    return Packet(
        onset_ms * MS,
        Scores(
            label, confidence if label else 0.0, None if label else "too_far", results, end_ms * MS,
            subject=subject, spaces=("audio", *joined), phase=phase, take=take,
        ),
    )  # fmt: skip


def told(node: Any, *packets: Packet[Any]) -> list[tuple[str, str, int, int]]:
    """Every event as (kind, label, t in ms, onset in ms)."""
    events = [one for one in feed(node, *packets) if isinstance(one.data, Event)]
    return [(e.data.event, e.data.label, e.t_us // MS, e.data.onset_us // MS) for e in events]


def test_a_clap_triggers_early_enters_and_leaves_with_its_final_answer() -> None:
    heard = told(
        Events(), sound(100, 350, "early", 1, "clap"), sound(100, 600, "final", 1, "clap", 0.95)
    )
    assert heard == [
        ("trigger", "clap", 350, 100),
        ("enter", "clap", 350, 100),
        ("leave", "clap", 600, 100),
    ]


@pytest.mark.parametrize("late", [(), ("body.upper",)])
def test_who_else_has_something_to_say_changes_within_a_sound(late: tuple[str, ...]) -> None:
    joined = ("body.upper", "body.full")
    heard = told(
        Events(),
        sound(100, 350, "early", 1, "clap", subject="1", joined=joined),
        sound(100, 600, "final", 1, "clap", subject="1", joined=late),
    )
    assert [kind for kind, *_ in heard] == ["trigger", "enter", "leave"]


@pytest.mark.parametrize("label", [None, "cough"])
def test_a_sound_that_turns_out_to_be_nobodys_leaves_with_its_final_answer(
    label: str | None,
) -> None:
    """A clap is what this person can do as well; a cough is taught by sound alone."""
    heard = told(
        Events(),
        sound(100, 350, "early", 1, "clap", subject="1"),
        sound(100, 600, "final", 1, label),
    )
    assert heard[:3] == [
        ("trigger", "clap", 350, 100),
        ("enter", "clap", 350, 100),
        ("leave", "clap", 600, 100),
    ]
    assert [kind for kind, *_ in heard[3:]] == (["enter", "leave"] if label else [])


def test_nothing_is_heard_of_a_sound_after_its_last_word() -> None:
    early, final = sound(0, 300, "early", 1, "clap"), sound(0, 600, "final", 1, "clap")
    late = [sound(0, 700, "steady", 1, "clap"), sound(0, 800, "final", 1, "cough")]
    assert told(Events(), early, final, *late) == told(Events(), early, final)


def test_a_sound_of_two_people_ends_for_both() -> None:
    heard = told(
        Events(),
        *(sound(0, 300, "early", 1, "clap", subject=who) for who in "12"),
        *(sound(0, 600, "final", 1, "clap", subject=who) for who in "12"),
        *(sound(900, 1200, "early", 2, "clap", subject=who) for who in "12"),
    )
    assert [kind for kind, *_ in heard].count("trigger") == 4
    assert [kind for kind, _, t_ms, _ in heard if t_ms == 600] == ["leave", "leave"]


def test_a_sound_recognised_only_at_its_end_triggers_then() -> None:
    heard = told(
        Events(), sound(0, 250, "early", 1, "clap", 0.6), sound(0, 500, "final", 1, "clap", 0.6)
    )
    assert heard == [
        ("trigger", "clap", 500, 0),
        ("enter", "clap", 500, 0),
        ("leave", "clap", 500, 0),
    ]


def test_a_rejected_sound_is_no_event() -> None:
    assert told(Events(), sound(0, 250, "early", 1, None), sound(0, 500, "final", 1, None)) == []


def test_a_hum_of_twenty_seconds_is_held_to_its_end_in_spite_of_single_doubts() -> None:
    packets = [sound(0, 250, "early", 7, "hum")]
    for i, end_ms in enumerate(range(750, 20_000, 500)):
        doubtful = i % 5 == 3
        packets.append(sound(end_ms - 1000, end_ms, "steady", 7, None if doubtful else "hum"))
    packets.append(sound(0, 20_200, "final", 7, "hum"))
    heard = told(Events(hold_every_s=1.0), *packets)
    assert heard[:2] == [("trigger", "hum", 250, 0), ("enter", "hum", 250, 0)]
    assert heard[-1] == ("leave", "hum", 20_200, 0)
    assert [kind for kind, *_ in heard[2:-1]] == ["hold"] * 19
    gaps = [b[2] - a[2] for a, b in itertools.pairwise(heard[1:-1])]
    assert all(1000 <= gap <= 1500 for gap in gaps), gaps


def test_between_the_two_limits_a_hum_is_held() -> None:
    steady = [sound(0, 750 + 250 * i, "steady", 1, "hum", 0.55) for i in range(6)]
    heard = told(Events(enter=0.7, leave=0.5), sound(0, 250, "early", 1, "hum"), *steady)
    assert "leave" not in [kind for kind, *_ in heard]


def test_two_doubts_in_a_row_end_a_hum() -> None:
    heard = told(
        Events(),
        sound(0, 250, "early", 1, "hum"),
        sound(0, 750, "steady", 1, None),
        sound(0, 1250, "steady", 1, None),
        sound(0, 1750, "final", 1, None),
    )
    assert heard[2:] == [("hold", "hum", 750, 0), ("leave", "hum", 1250, 0)]


def test_a_final_answer_with_another_label_corrects_without_a_second_trigger() -> None:
    heard = told(
        Events(), sound(0, 250, "early", 1, "clap"), sound(0, 500, "final", 1, "snap", 0.8)
    )
    assert heard == [
        ("trigger", "clap", 250, 0),
        ("enter", "clap", 250, 0),
        ("leave", "clap", 500, 0),
        ("enter", "snap", 500, 0),
        ("leave", "snap", 500, 0),
    ]


def test_silence_ends_a_sound_and_its_late_final_answer_does_not_repeat_it() -> None:
    node = Events()
    heard = told(
        node,
        sound(0, 250, "early", 1, "clap"),
        Packet(400 * MS, Absent("audio", "silence", 400 * MS)),
        sound(0, 500, "final", 1, "clap"),
    )
    assert [kind for kind, *_ in heard] == ["trigger", "enter", "leave"]


def test_a_lost_final_answer_is_made_up_for_by_the_next_sound() -> None:
    heard = told(Events(), sound(0, 250, "early", 1, "a"), sound(900, 1150, "early", 2, "b"))
    assert [(kind, label) for kind, label, *_ in heard] == [
        ("trigger", "a"), ("enter", "a"), ("leave", "a"), ("trigger", "b"), ("enter", "b"),
    ]  # fmt: skip


def test_within_the_cooldown_a_sound_enters_but_does_not_trigger_again() -> None:
    node = Events(cooldown_s=0.15)
    takes = [
        sound(onset, onset + 40, "final", take, "tap")
        for take, onset in enumerate([0, 100, 160, 400])
    ]
    heard = told(node, *takes)
    assert [onset for kind, _, _, onset in heard if kind == "trigger"] == [0, 160, 400]
    assert sum(kind == "enter" for kind, *_ in heard) == 4


def test_frames_enter_and_leave_with_hysteresis_and_never_trigger() -> None:
    shares = [0.2, 0.69, 0.7, 0.6, 0.51, 0.69, 0.49, 0.6, 0.8]
    node = Events(hold_every_s=100)
    heard = told(node, *(frame(100 * i, up=s, down=1 - s) for i, s in enumerate(shares)))
    up = [(kind, t) for kind, label, t, _ in heard if label == "up"]
    assert up == [("enter", 200), ("leave", 600), ("enter", 800), ("count", 800)]
    assert not any(kind == "trigger" for kind, *_ in heard)


def test_the_count_rises_with_each_cycle_of_enter_and_leave() -> None:
    node = Events()
    packets = [
        frame(100 * i, down=0.9 if i % 2 else 0.1, up=0.1 if i % 2 else 0.9) for i in range(8)
    ]
    counts = [
        (one.data.label, one.data.count)
        for one in feed(node, *packets)
        if isinstance(one.data, Event) and one.data.event == "count"
    ]
    assert counts == [("up", 1), ("down", 1), ("up", 2), ("down", 2), ("up", 3), ("down", 3)]


def test_a_gap_leaves_everything_and_its_cycle_does_not_count() -> None:
    node = Events()
    heard = told(
        node,
        frame(0, "1", up=0.9),
        frame(0, "2", down=0.9),
        Packet(50 * MS, Gap("late")),
        frame(100, "1", up=0.9),
    )
    assert heard == [
        ("enter", "up", 0, 0),
        ("enter", "down", 0, 0),
        ("leave", "up", 50, 0),
        ("leave", "down", 50, 0),
        ("enter", "up", 100, 100),
    ]


def test_a_gap_within_a_sound_does_not_trigger_it_twice() -> None:
    heard = told(
        Events(),
        sound(0, 250, "early", 1, "hum"),
        Packet(300 * MS, Gap("late")),
        sound(0, 750, "steady", 1, "hum"),
        sound(0, 900, "final", 1, "hum"),
    )
    assert [kind for kind, *_ in heard] == ["trigger", "enter", "leave", "enter", "leave"]


def test_five_seconds_without_a_word_are_a_leave_and_free_what_was_kept() -> None:
    node = Events()
    feed(node, frame(0, "1", up=0.9))
    heard = told(node, frame(5000, "2", up=0.9), frame(5001, "2", up=0.9))
    assert ("leave", "up", 5001, 0) in heard
    assert {stream.subject for stream in node._lines} == {"2"}
    register = node._register
    assert all(who[0] == "2" for table in (register._held, register._counts) for who in table)


def test_a_month_of_visitors_leaves_nothing_behind() -> None:
    node = Events()
    for visitor in range(500):
        for i in range(3):
            feed(node, frame(visitor * 9000 + i * 100, str(visitor), up=0.9 if i == 1 else 0.1))
    tables = (node._lines, *vars(node._register).values())
    assert sum(map(len, tables)) < 10


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


def test_smoothing_hides_a_flicker_that_would_have_left() -> None:
    frames = [
        frame(33 * i, up=0.1 if i == 20 else 0.95, down=0.9 if i == 20 else 0.05) for i in range(40)
    ]
    raw = [kind for kind, label, *_ in told(Events(hold_every_s=9), *frames) if label == "up"]
    calm = feed(Smooth(tau_s=0.2), *frames)
    smooth = [kind for kind, label, *_ in told(Events(hold_every_s=9), *calm) if label == "up"]
    assert raw == ["enter", "leave", "enter", "count"]
    assert smooth == ["enter"]


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


@settings(deadline=None)  # the machine may be busy
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


def test_a_final_answer_that_is_split_between_labels_triggers_nothing() -> None:
    def heard(confidence: float) -> list[str]:
        results = (Result("clap", confidence, 0.5), Result("snap", 1 - confidence, 0.5))
        scores = Scores("clap", confidence, None, results, 400_000, phase="final", take=1)
        made = feed(Events(enter=0.7, leave=0.5), Packet(0, scores))
        return [p.data.event for p in made if isinstance(p.data, Event)]

    assert heard(0.55) == []
    assert heard(0.65) == ["trigger", "enter", "leave"]


def test_a_pose_is_not_left_at_once_when_nobody_is_seen() -> None:
    """A person hidden for a frame is not gone: that is for `smooth` to weigh."""
    node = Events()
    nobody = Packet(200 * MS, Absent("body", "no_person", 200 * MS, "1"))
    assert told(node, frame(0, up=0.9), nobody) == [("enter", "up", 0, 0)]
    silence = Packet(5001 * MS, Absent("audio", "silence", 5001 * MS))
    assert told(node, silence) == [("leave", "up", 5001, 0)], "five seconds, told by silence alone"


def test_the_cooldown_ends_with_its_last_instant() -> None:
    def clap(onset_ms: int, take: int) -> Packet[Scores]:
        return sound(onset_ms, onset_ms + 100, "final", take, "clap")

    heard = told(Events(cooldown_s=0.15), clap(0, 1), clap(149, 2), clap(150, 3))
    assert [onset for kind, _, _, onset in heard if kind == "trigger"] == [0, 150]


def test_holds_are_a_whole_pause_apart_and_a_cut_tells_the_last_confidence() -> None:
    node = Events(hold_every_s=0.5)
    frames = [frame(t_ms, up=0.9 if t_ms < 1200 else 0.6) for t_ms in (0, 800, 1200, 1300)]
    holds = [t_ms for kind, _, t_ms, _ in told(node, *frames) if kind == "hold"]
    assert holds == [800, 1300]
    cut = feed(node, Packet(1400 * MS, Gap("stall")))[0].data
    assert (cut.event, cut.confidence) == ("leave", 0.6)


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
