"""Sounds begin and end where they do, on levels drawn by hand (one a frame of 10 ms)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmstream.maths.segment import EARLY, HOLD_MOST, PAUSE, RESUME, Mark, Segmenter

ROOM, LOUD = -65.0, -20.0


def levels(*parts: tuple[float, int], wobble: float = 2.0, seed: int = 0) -> list[float]:
    """(dB, frames) parts, one after another, with the restlessness of a real room."""
    rng = np.random.default_rng(seed)
    flat = np.concatenate([np.full(frames, db) for db, frames in parts])
    return list(flat + rng.uniform(-wobble, wobble, len(flat)))


def marks(heard: list[float], segmenter: Segmenter | None = None) -> list[Mark]:
    segmenter = segmenter or Segmenter()
    return [mark for db in heard if (mark := segmenter.push(db))]


def test_a_word_gives_early_steady_final_of_one_take() -> None:
    made = marks(levels((ROOM, 100), (LOUD, 60), (ROOM, 50)))
    assert [mark.phase for mark in made] == ["early", "steady", "final"]
    assert {mark.take for mark in made} == {1}
    assert all(mark.onset == 100 for mark in made)
    assert made[0].end == 100 + EARLY
    assert made[-1].end == 160


def test_a_clap_is_answered_at_its_first_pause() -> None:
    segmenter = Segmenter()
    heard = levels((ROOM, 100), (LOUD, 5), (ROOM, 50))
    decided = [i for i, db in enumerate(heard) if segmenter.push(db)]
    assert decided == [104 + PAUSE]


def test_a_closure_inside_a_word_does_not_end_its_take() -> None:
    made = marks(levels((ROOM, 100), (LOUD, 20), (ROOM, RESUME - 3), (LOUD, 20), (ROOM, 50)))
    assert [mark.take for mark in made] == [1] * len(made)
    assert [(m.onset, m.end) for m in made if m.phase == "final"] == [(100, 120), (100, 149)]


def test_a_soft_sound_is_heard_once_the_echo_of_a_loud_one_has_died() -> None:
    for pause, finals in ((20, 1), (150, 2)):
        made = marks(levels((ROOM, 100), (-5.0, 30), (ROOM, pause), (-45.0, 5), (ROOM, 30)))
        assert len([mark for mark in made if mark.phase == "final"]) == finals


def test_after_digital_silence_the_hiss_of_a_room_is_no_sound() -> None:
    assert marks(levels((-120.0, 300), (ROOM, 50), (-120.0, 50))) == []
    assert marks(levels((-120.0, 300), (LOUD, 10), (-120.0, 50)))


def test_two_claps_are_two_takes() -> None:
    made = marks(levels((ROOM, 100), (LOUD, 5), (ROOM, 25), (LOUD, 5), (ROOM, 30)))
    assert [(m.phase, m.onset, m.take) for m in made] == [("final", 100, 1), ("final", 130, 2)]


def test_a_roll_of_strokes_that_never_reach_the_floor_is_one_take_each() -> None:
    stroke = [(LOUD - 4 * i, 1) for i in range(8)]
    made = marks(levels((ROOM, 100), *(stroke * 5), (ROOM, 40), wobble=0.5))
    finals = [m for m in made if m.phase == "final"]
    assert [m.onset for m in finals] == [100, 108, 116, 124, 132]


def test_a_hum_of_twenty_seconds_is_held_to_its_end() -> None:
    made = marks(levels((ROOM, 100), (-40.0, 2000), (ROOM, 50)))
    assert [m.phase for m in made].count("final") == 1
    assert made[-1].end == 2100
    assert [m.phase for m in made].count("steady") == (2000 - EARLY) // 24


def test_a_new_fan_becomes_the_room_and_deafens_nobody() -> None:
    segmenter = Segmenter()
    made = marks(levels((ROOM, 100), (-35.0, HOLD_MOST + 500)), segmenter)
    assert made[-1].phase == "final"
    assert segmenter.state == "room"
    assert segmenter.floor_db == pytest.approx(-35, abs=2)
    over = marks(levels((-35.0, 50), (-10.0, 30), (-35.0, 50)), segmenter)
    assert [m.phase for m in over] == ["early", "final"]


def test_a_clap_over_a_hum_is_a_take_of_its_own() -> None:
    made = marks(levels((ROOM, 100), (-40.0, 200), (-10.0, 5), (-40.0, 100), (ROOM, 30)))
    assert 300 in {m.onset for m in made}


def test_a_noisy_room_at_the_start_is_not_a_sound_but_the_word_in_it_is() -> None:
    made = marks(levels((-40.0, 60), (-12.0, 40), (-40.0, 60)))
    assert {m.onset for m in made} == {60}
    assert [m.phase for m in made] == ["early", "final"]


def test_a_flat_start_is_the_room_after_three_seconds() -> None:
    segmenter = Segmenter()
    made = marks(levels((-40.0, 1000)), segmenter)
    assert made[0].end > 100
    assert [m.phase for m in made].count("final") == 1
    assert made[-1].end <= 302
    assert segmenter.state == "room"


def test_a_clip_that_begins_with_its_sound_is_heard_from_there() -> None:
    swell = [(-45.0 + 2 * i, 1) for i in range(12)]
    made = marks(levels(*swell, (-22.0, 20), (-120.0, 30)))
    assert made[-1].phase == "final"
    assert made[-1].onset <= 1


def test_a_room_that_is_only_restless_gives_nothing() -> None:
    assert marks(levels((-52.0, 100), (-41.0, 30), (-52.0, 100))) == []
    assert marks(levels((-50.0, 3000), wobble=5.0)) == []


def test_the_floor_is_learnt_in_the_room_and_frozen_in_a_sound() -> None:
    segmenter = Segmenter()
    marks(levels((-52.0, 300)), segmenter)
    learnt = segmenter.floor_db
    assert learnt == pytest.approx(-52, abs=1.5)
    marks(levels((-20.0, 1500)), segmenter)
    assert segmenter.floor_db == learnt


def test_the_end_of_the_stream_ends_the_sound() -> None:
    segmenter = Segmenter()
    marks(levels((ROOM, 50), (LOUD, 20)), segmenter)
    assert segmenter.finish() == Mark("final", 50, 70, 1)
    assert segmenter.finish() is None


@given(
    st.lists(st.tuples(st.floats(-150, 10), st.integers(1, 80)), min_size=1, max_size=40),
    st.integers(0, 99),
)
def test_marks_are_in_order_whatever_is_heard(parts: list[tuple[float, int]], seed: int) -> None:
    segmenter = Segmenter()
    latest, take = 0, 0
    for i, db in enumerate(levels(*parts, seed=seed)):
        mark = segmenter.push(db)
        if mark is None:
            continue
        assert 0 <= mark.onset < mark.end <= i + 1
        assert mark.end >= latest
        assert mark.take >= take
        latest, take = mark.end, mark.take
