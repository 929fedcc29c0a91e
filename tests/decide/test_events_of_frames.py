"""Poses, frame by frame: hysteresis, counting, holding, and people who leave."""

from __future__ import annotations

from tmstream.core.packet import Absent, Event, Gap, Packet
from tmstream.decide.events import Events
from tmstream.decide.smooth import Smooth
from tmstream.testing import feed

from .answers import MS, frame, told


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


def test_smoothing_hides_a_flicker_that_would_have_left() -> None:
    frames = [
        frame(33 * i, up=0.1 if i == 20 else 0.95, down=0.9 if i == 20 else 0.05) for i in range(40)
    ]
    raw = [kind for kind, label, *_ in told(Events(hold_every_s=9), *frames) if label == "up"]
    calm = feed(Smooth(tau_s=0.2), *frames)
    smooth = [kind for kind, label, *_ in told(Events(hold_every_s=9), *calm) if label == "up"]
    assert raw == ["enter", "leave", "enter", "count"]
    assert smooth == ["enter"]


def test_a_pose_is_not_left_at_once_when_nobody_is_seen() -> None:
    """A person hidden for a frame is not gone: that is for `smooth` to weigh."""
    node = Events()
    nobody = Packet(200 * MS, Absent("body", "no_person", 200 * MS, "1"))
    assert told(node, frame(0, up=0.9), nobody) == [("enter", "up", 0, 0)]
    silence = Packet(5001 * MS, Absent("audio", "silence", 5001 * MS))
    assert told(node, silence) == [("leave", "up", 5001, 0)], "five seconds, told by silence alone"


def test_holds_are_a_whole_pause_apart_and_a_cut_tells_the_last_confidence() -> None:
    node = Events(hold_every_s=0.5)
    frames = [frame(t_ms, up=0.9 if t_ms < 1200 else 0.6) for t_ms in (0, 800, 1200, 1300)]
    holds = [t_ms for kind, _, t_ms, _ in told(node, *frames) if kind == "hold"]
    assert holds == [800, 1300]
    cut = feed(node, Packet(1400 * MS, Gap("stall")))[0].data
    assert (cut.event, cut.confidence) == ("leave", 0.6)
