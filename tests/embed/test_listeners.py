"""Each listener hears as its model was trained to, and asks it no more than it must."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tmstream.embed.listeners import (
    BEFORE,
    CONSTANTS,
    EXCERPT,
    HOP,
    RMS,
    Events,
    Listener,
    Phones,
    Words,
    levelled,
)
from tmstream.maths.ring import Rows
from tmstream.maths.segment import Mark


class Sound:
    """A memory that holds a sound of so many frames."""

    def __init__(
        self, frames: int, seed: int = 1, loudness: float = 0.1, held: int | None = None
    ) -> None:
        rng = np.random.default_rng(seed)
        self.speech, self.wave = Rows(held or frames, 32), Rows(held or frames, HOP)
        for _ in range(frames):
            self.speech.push(rng.normal(5, 1, 32).astype(np.float32))
            self.wave.push(rng.normal(0, loudness, HOP).astype(np.float32))


class Counted:
    """A model that is counted."""

    def __init__(self, model: Any) -> None:
        self.model, self.asked = model, list[tuple[int, ...]]()

    def run(self, values: np.ndarray) -> np.ndarray:
        self.asked.append(values.shape)
        made: np.ndarray = self.model.run(values)
        return made


def counted(listener: Any) -> Counted:
    listener._model = Counted(listener._model)
    made: Counted = listener._model
    return made


LISTENERS = (Words, Phones, Events)


@pytest.mark.parametrize("kind", LISTENERS)
@pytest.mark.parametrize("frames", [3, 40, EXCERPT, 97, 300])
def test_any_length_of_sound_has_an_answer(kind: type[Any], frames: int) -> None:
    listener: Listener = kind(1)
    listener.begin()
    said = listener.hear(Sound(frames + BEFORE), Mark("final", BEFORE, frames, 1), frames + BEFORE)
    assert said.shape == (listener.size,)
    assert np.isfinite(said).all()
    assert said.std() > 0


@pytest.mark.parametrize("kind", LISTENERS)
def test_a_click_at_the_very_start_has_an_answer(kind: type[Any]) -> None:
    assert np.isfinite(kind(1).hear(Sound(1), Mark("final", 0, 1, 1), 1)).all()


@pytest.mark.parametrize("kind", LISTENERS)
def test_the_sound_before_is_forgotten(kind: type[Any]) -> None:
    alone, after = kind(1), kind(1)
    mark = Mark("final", BEFORE, 200, 1)
    after.begin()
    after.hear(Sound(200, seed=5), mark, 200)
    after.begin()
    alone.begin()
    sound = Sound(200)
    assert np.array_equal(after.hear(sound, mark, 200), alone.hear(sound, mark, 200))
    # Nor does it answer for one that swelled so slowly that its onset is no longer held.
    after.begin()
    mark, long = Mark("steady", BEFORE, 700, 3), Sound(700, held=500)
    assert np.array_equal(after.hear(long, mark, 700), kind(1).hear(long, mark, 700))


@pytest.mark.parametrize("kind", [Phones, Events])
def test_how_far_the_microphone_was_does_not_matter(kind: type[Any]) -> None:
    near, far = kind(1), kind(1)
    mark = Mark("final", BEFORE, 60, 1)
    loud = near.hear(Sound(60, loudness=0.2), mark, 60)
    quiet = far.hear(Sound(60, loudness=0.002), mark, 60)
    assert np.abs(loud - quiet).max() < 0.02 * np.abs(loud).max()


def test_digital_silence_is_not_made_loud() -> None:
    assert not levelled(np.zeros(160, np.float32)).any()
    sine = np.sin(np.arange(1600, dtype=np.float32))
    assert np.sqrt(np.mean(levelled(sine) ** 2)) == pytest.approx(RMS, rel=1e-5)


def test_events_are_what_the_original_yamnet_makes_of_this_chirp() -> None:
    """``yamnet_chirp.npy``: what the SavedModel of the pinned package gave, in TensorFlow 2.21."""
    rng, t = np.random.default_rng(7), np.arange(15600) / 16000
    chirp = 0.3 * np.sin(2 * np.pi * (200 + 1500 * t) * t) + rng.normal(0, 0.01, 15600)
    theirs = np.load(Path(__file__).with_name("yamnet_chirp.npy")).astype(np.float32)
    ours = Events(1)._look(levelled(chirp.astype(np.float32))[:, None])
    assert np.abs(ours - theirs).max() < 0.02 * theirs.max()
    assert ours @ theirs / (np.linalg.norm(ours) * np.linalg.norm(theirs)) > 0.9999


def test_phones_are_asked_at_the_first_look_and_when_more_was_heard_at_the_end() -> None:
    listener, sound = Phones(1), Sound(600)
    asked = counted(listener)
    for phase, end in [("early", 33), ("steady", 57), ("final", 80), ("final", 80), ("final", 300)]:
        listener.hear(sound, Mark(phase, BEFORE, end, 1), end)  # type: ignore[arg-type]
    assert [n for _, n in asked.asked] == [
        Phones.LEAST,
        80 * HOP + 2 * Phones.PAD,
        EXCERPT * HOP + 2 * Phones.PAD,
    ]
    listener.begin()
    listener.hear(sound, Mark("steady", 308, 400, 2), 400)
    assert len(asked.asked) == 4


@pytest.mark.parametrize("kind", [Words, Events])
def test_a_window_of_a_long_sound_is_looked_at_once(kind: type[Any]) -> None:
    listener, sound = kind(1), Sound(700)
    asked = counted(listener)
    for end in range(EXCERPT, 600, 24):
        listener.hear(sound, Mark("steady", BEFORE, end, 1), end)
    while_it_lasted = len(asked.asked)
    listener.hear(sound, Mark("final", BEFORE, 600, 1), 600)
    again = len(asked.asked) - while_it_lasted
    assert while_it_lasted + again <= (600 - kind.WINDOW) // kind.HOP + 1
    assert again <= 2


@pytest.mark.parametrize("kind", [Words, Events])
def test_while_a_sound_is_held_only_its_last_second_counts(kind: type[Any]) -> None:
    one, other = Sound(400), Sound(400, seed=2)
    for name in ("speech", "wave"):
        getattr(other, name)._data[200:400] = getattr(one, name)._data[200:400]

    def said(phase: Any, sound: Sound) -> Any:
        listener = kind(1)
        listener.begin()
        return listener.hear(sound, Mark(phase, BEFORE, 400, 1), 400)

    assert np.array_equal(said("steady", one), said("steady", other))
    assert not np.allclose(said("final", one), said("final", other), rtol=0.01)


def test_the_fingerprint_knows_how_they_listen() -> None:
    assert str(EXCERPT).encode() in CONSTANTS
