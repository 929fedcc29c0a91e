"""Where sounds begin and end: one causal segmenter for teaching and for listening.

It is fed one level a frame (10 ms) and knows nothing but levels, so it answers the same however
the stream is cut. A sound goes through these states::

    room --loud--> sound --quiet for PAUSE--> ended --loud before RESUME--> sound (same take)
                     |                          '-----otherwise-----------> room
                     '-- HOLD_MOST --> room (and its level is the new floor)

The noise floor is learnt only while nothing sounds, so a hum never becomes silence while it is
held. Four cases need more than one threshold:

* What was there when listening began may be the room or a clip that begins with its sound. The
  room is flat: while it is, nothing is said for a second, a jump begins the real sound, and after
  three seconds it is the room.
* A sound on top of a steady one (a clap over a hum): a jump after half a flat second begins a take.
* A roll of strokes never falls to the floor: after a decay, a new stroke begins a new take.
* What lasts longer than `HOLD_MOST` is the new room, or a new fan would deafen the house for ever.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

# Levels are dB re full scale, times are frames of 10 ms. Set on recordings of spoken words, taps
# and mixed sounds (tests/embed/test_audio_real.py); none is finer than 3 dB or 20 ms.
ON_DB = 10.0  #: louder than the floor by this much is a sound
OFF_DB = 6.0  #: quieter than the floor plus this is its end ...
DECAY_DB = 35.0  #: ... and so is a fall by this much from its peak
ECHO_DB_PER_FRAME = 0.3  #: how fast the threshold follows a dying sound: 30 dB a second
FLOOR_PRIOR_DB, FLOOR_LEAST_DB = -60.0, -66.0
FLOOR_UP, FLOOR_DOWN = 0.02, 0.06  #: share of the way a frame: 0.5 s up, 0.17 s down
FLAT_DB = 11.0  #: ten of eleven frames of a steady sound lie within this range
JUMP_DB = 12.0  #: rise over a steady sound that is another sound
STROKE_DECAY_DB = 15.0  #: a stroke has fallen by this much before the next one
CLEAR_DB = 30.0  #: a sound this far above the floor is over at its first pause, however short
PROVEN = 30  #: frames of room after which its floor is known
LEAST = 2  #: loud frames that make a sound
SHORT = 15  #: frames; a shorter sound may be the burst before a vowel, unless it is clear
PAUSE = 4  #: quiet frames that end a sound ...
RESUME = 12  #: ... unless it goes on within this many
EARLY = 25  #: frames after the onset
HOLD_MOST = 3000
HOLD_FLAT_START = 300  #: the same for a flat sound that was there when listening began
UNPROVEN_FLAT = 15  #: flat frames at the start that can be the room
HELD_FLAT = 50  #: flat frames inside a sound on which another one can begin
MUTE = 100  #: frames for which a flat start says nothing

State = Literal["room", "sound", "ended"]


class Mark(NamedTuple):
    """A moment at which a sound is worth a look; frames count from the start of the stream."""

    phase: Literal["early", "steady", "final"]
    onset: int  #: first loud frame
    end: int  #: one past the last loud frame so far
    take: int


@dataclass
class Segmenter:
    """Feed it one level a frame.

    ``steady`` is the hop in frames while a sound lasts; what never rises ``prominence_db`` above
    the floor is the room's own restlessness, and nothing is said of it.
    """

    steady: int = 24
    prominence_db: float = 15.0
    floor_db: float = field(default=FLOOR_PRIOR_DB, init=False)
    state: State = field(default="room", init=False)
    frame: int = field(default=0, init=False)  #: frames taken so far
    take: int = field(default=0, init=False)  #: number of the present or last sound

    _onset: int = field(default=0, init=False, repr=False)
    _end: int = field(default=0, init=False, repr=False)
    _loud: int = field(default=0, init=False, repr=False)
    _peak: tuple[float, int] = field(default=(-200.0, 0), init=False, repr=False)
    _lowest_db: float = field(default=0.0, init=False, repr=False)  #: since the peak
    _echo_db: float = field(default=-200.0, init=False, repr=False)
    _room_frames: int = field(default=0, init=False, repr=False)
    _unproven: bool = field(default=False, init=False, repr=False)
    _next_mark: int = field(default=0, init=False, repr=False)
    _recent: deque[float] = field(
        default_factory=lambda: deque(maxlen=HELD_FLAT), init=False, repr=False
    )

    def push(self, level_db: float) -> Mark | None:
        """Take the level of the next frame, in dB re full scale; return what is to be looked at."""
        level_db = max(level_db, -120.0)
        mark = None
        if self.state == "room":
            self._listen(level_db)
        else:
            mark = self._follow(level_db)
        self._recent.append(level_db)
        self.frame += 1
        self._echo_db -= ECHO_DB_PER_FRAME
        return mark

    def finish(self) -> Mark | None:
        """Return the end of a sound that the end of the stream cut short."""
        if self.state != "sound":
            return None
        self.state = "room"
        return self._final(self._end)

    def _final(self, end: int) -> Mark | None:
        return Mark("final", self._onset, end, self.take) if self.prominent() else None

    def prominent(self, by_db: float | None = None) -> bool:
        """Return whether the present sound rose above the floor by ``prominence_db``, or so far."""
        return self._peak[0] >= self.floor_db + (self.prominence_db if by_db is None else by_db)

    @property
    def end(self) -> int:
        """Return one past the last loud frame of the present or last sound."""
        return self._end

    @property
    def peak_db(self) -> float:
        """Return the loudest level of the present or last sound."""
        return self._peak[0]

    @property
    def loud_db(self) -> float:
        """Return the level above which a sound begins now."""
        return max(self.floor_db + ON_DB, self._echo_db)

    def _listen(self, level_db: float) -> None:
        if level_db > self.loud_db:
            self._loud += 1
            if self._loud >= LEAST:
                self._begin(level_db, self.frame - LEAST + 1)
            return
        self._loud = 0
        self._room_frames += 1
        if level_db > self.floor_db:  # a clip may begin with a sound that swells: rise with doubt
            share = max(FLOOR_UP, 1 / (self._room_frames + 20))
        else:
            share = max(FLOOR_DOWN, 1 / self._room_frames)
        self.floor_db = max(self.floor_db + share * (level_db - self.floor_db), FLOOR_LEAST_DB)

    def _begin(self, level_db: float, onset: int) -> None:
        self.state = "sound"
        self.take += 1
        self._onset, self._end = onset, self.frame + 1
        self._peak, self._lowest_db = (level_db, self.frame), level_db
        self._unproven = self._room_frames < PROVEN
        self._next_mark = onset + EARLY
        self._loud = 0
        self._recent.clear()

    def _follow(self, level_db: float) -> Mark | None:
        if self._another(level_db):
            last = None if self._muted() else self._final(self.frame)
            self._begin(level_db, self.frame)
            return last
        if level_db > self._peak[0]:
            self._peak, self._lowest_db = (level_db, self.frame), level_db
        self._lowest_db = min(self._lowest_db, level_db)
        off_db = max(self.floor_db + OFF_DB, self._peak[0] - DECAY_DB)
        # To go on after a pause takes as much as to begin; to stay takes less.
        if level_db > (off_db if self.state == "sound" else max(off_db + 4.0, self.loud_db)):
            self.state, self._end = "sound", self.frame + 1
        quiet = self.frame + 1 - self._end
        if self.state == "ended":
            if quiet > RESUME:
                self.state = "room"
            return None
        whole = self._end - self._onset >= SHORT or self.prominent(CLEAR_DB)
        if quiet >= (PAUSE if whole else RESUME):
            self.state, self._echo_db = "ended", off_db + 4.0
            return self._final(self._end)
        if self.frame - self._onset >= (HOLD_FLAT_START if self._flat_start() else HOLD_MOST):
            last = self._final(self._end)
            self.floor_db, self.state = float(np.median(self._recent)), "room"
            return last
        if self.frame + 1 >= self._next_mark and self.prominent() and not self._muted():
            phase: Literal["early", "steady"] = "steady"
            if self._next_mark == self._onset + EARLY and self.frame + 1 == self._next_mark:
                phase = "early"
            self._next_mark = self.frame + 1 + self.steady
            return Mark(phase, self._onset, self._end, self.take)
        return None

    def _flat(self, frames: int) -> bool:
        """Return whether the last ``frames`` levels lie close together."""
        if len(self._recent) < frames:
            return False
        low, high = np.quantile(list(self._recent)[-frames:], (0.05, 0.95))
        return bool(high - low < FLAT_DB)

    def _flat_start(self) -> bool:
        """Return whether this may be the room that was there before us."""
        heard = self.frame - self._onset
        return self._unproven and self._flat(min(HELD_FLAT, max(1, heard - LEAST)))

    def _muted(self) -> bool:
        return self.frame - self._onset < MUTE and self._flat_start()

    def _another(self, level_db: float) -> bool:
        """Return whether another sound begins on top of, or right after, the present one."""
        if self.state != "sound":
            return False
        peak_db, peak_frame = self._peak
        struck = peak_frame - self._onset <= 6 and self._lowest_db < peak_db - STROKE_DECAY_DB
        if struck and level_db > self._lowest_db + JUMP_DB and level_db > peak_db - 10.0:
            return True
        flat = UNPROVEN_FLAT if self._unproven else HELD_FLAT
        # The cheap question first: it is asked of every frame of every sound.
        if len(self._recent) < flat or level_db < min(self._recent) + JUMP_DB:
            return False
        if level_db < float(np.median(self._recent)) + JUMP_DB or not self._flat(flat):
            return False
        if self._unproven:
            self.floor_db, self._room_frames = float(np.median(self._recent)), PROVEN
        return True
