"""Sounds: one trigger at the onset, an end with the last word."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from msgspec.structs import replace

from tmstream.core.packet import Absent, Event, Gap, Packet, Result, Scores
from tmstream.decide.events import Events
from tmstream.testing import feed

from .answers import MS, frame, sound, told


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


def test_a_gap_within_a_sound_does_not_trigger_it_twice() -> None:
    heard = told(
        Events(),
        sound(0, 250, "early", 1, "hum"),
        Packet(300 * MS, Gap("late")),
        sound(0, 750, "steady", 1, "hum"),
        sound(0, 900, "final", 1, "hum"),
    )
    assert [kind for kind, *_ in heard] == ["trigger", "enter", "leave", "enter", "leave"]


def test_a_gap_of_the_camera_ends_no_sound() -> None:
    def heard_by_mic(phase: str, end_ms: int) -> Packet[Scores]:
        one = sound(0, end_ms, phase, 1, "hum")
        return one.with_data(replace(one.data, source="mic"))

    def seen_by_cam(end_ms: int) -> Packet[Scores]:
        one = frame(end_ms, wave=0.9)
        return one.with_data(replace(one.data, source="cam"))

    heard = told(
        Events(),
        heard_by_mic("early", 250),
        seen_by_cam(260),
        Packet(300 * MS, Gap("cable out", "cam")),
        heard_by_mic("steady", 400),
        seen_by_cam(500),
        heard_by_mic("final", 600),
    )
    assert [(kind, label) for kind, label, *_ in heard] == [
        ("trigger", "hum"), ("enter", "hum"), ("enter", "wave"), ("leave", "wave"),
        ("enter", "wave"), ("leave", "hum"),
    ]  # fmt: skip


def test_two_microphones_count_their_sounds_each_for_itself() -> None:
    def near(mic: str, *told: Any) -> Packet[Scores]:
        one = sound(*told)
        return one.with_data(replace(one.data, source=mic))

    heard = told(
        Events(),
        near("a", 0, 250, "early", 1, "hum"),
        near("b", 100, 350, "early", 1, "clap"),
        Packet(360 * MS, Absent("audio", "silence", 360 * MS, source="c")),
        near("b", 100, 400, "final", 1, "clap"),
        Packet(500 * MS, Absent("audio", "silence", 600 * MS, source="b")),
        near("a", 0, 700, "final", 1, "hum"),
    )
    assert heard == [
        ("trigger", "hum", 250, 0), ("enter", "hum", 250, 0),
        ("trigger", "clap", 350, 100), ("enter", "clap", 350, 100), ("leave", "clap", 400, 100),
        ("leave", "hum", 700, 0),
    ]  # fmt: skip


def test_a_final_answer_that_is_split_between_labels_triggers_nothing() -> None:
    def heard(confidence: float) -> list[str]:
        results = (Result("clap", confidence, 0.5), Result("snap", 1 - confidence, 0.5))
        scores = Scores("clap", confidence, None, results, 400_000, phase="final", take=1)
        made = feed(Events(enter=0.7, leave=0.5), Packet(0, scores))
        return [p.data.event for p in made if isinstance(p.data, Event)]

    assert heard(0.55) == []
    assert heard(0.65) == ["trigger", "enter", "leave"]


def test_the_cooldown_ends_with_its_last_instant() -> None:
    def clap(onset_ms: int, take: int) -> Packet[Scores]:
        return sound(onset_ms, onset_ms + 100, "final", take, "clap")

    heard = told(Events(cooldown_s=0.15), clap(0, 1), clap(149, 2), clap(150, 3))
    assert [onset for kind, _, _, onset in heard if kind == "trigger"] == [0, 150]
