"""A person made of arithmetic, who stands, waves, circles, swipes and squats: no camera needed."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal, NamedTuple

import numpy as np

from ..core.node import Types
from ..core.packet import Float32, Image, Landmarks, Packet, UInt8

Move = Literal["stand", "t_pose", "arms_up", "hands_on_hips", "wave", "circle", "swipe", "squat"]

#: Lengths as shares of the body's height, after the canon of eight heads.
UPPER_ARM, FOREARM, HAND = 0.16, 0.14, 0.07
THIGH, SHIN = 0.24, 0.24
CHEST_Y, HIP_Y, SHOULDER_X, HIP_X = 0.18, 0.48, 0.115, 0.075

ASPECT = 4 / 3
CHALK = (235, 235, 225)
#: How unsteady a landmarker's points are, as a share of the body's height.
JITTER = 0.002

#: Bones that a drawing shows, as pairs of the 33 points.
BONES = (
    (11, 12), (11, 13), (13, 15), (12, 14), (14, 16), (11, 23), (12, 24), (23, 24),
    (23, 25), (25, 27), (24, 26), (26, 28), (27, 31), (28, 32), (15, 19), (16, 20),
)  # fmt: skip


class Stance(NamedTuple):
    """Arms as (upper, fore) in radians from hanging (0) outwards (pi: up), and how deep a squat."""

    left: tuple[float, float] = (0.15, 0.1)
    right: tuple[float, float] = (0.15, 0.1)
    depth: float = 0.0  #: 0 standing, 1 thighs level
    sway: float = 0.0  #: of the whole body to its left, in body heights


@dataclass
class Walker:
    """Performs ``moves`` one after another, again and again: `Landmarks` of a drawn person.

    ``speed`` and ``size`` (1: most of the picture's height) change how a movement is made, ``seed``
    how it varies each time. ``people`` stand side by side. With ``picture: true`` it gives the
    drawing (`Image`) instead. ``seconds`` ends it; without, it goes on for ever.

        body: {type: walker, moves: [stand, wave, squat], every_s: 3.0}
    """

    gives: ClassVar[Types] = (Landmarks, Image)
    live: ClassVar[bool] = False

    moves: list[Move] = field(default_factory=lambda: ["stand", "wave", "circle", "swipe", "squat"])
    every_s: float = 3.0
    speed: float = 1.0
    size: float = 1.0
    people: int = 1
    seed: int = 0
    seconds: float | None = None
    fps: float = 30.0
    picture: bool = False

    def __post_init__(self) -> None:
        if not self.moves:
            raise ValueError("moves must name at least one move")
        if not 0.5 <= self.every_s <= 60:
            raise ValueError("every_s must lie between 0.5 and 60 seconds")
        if not 0.2 <= self.speed <= 5:
            raise ValueError("speed must lie between 0.2 and 5")
        if not 0.05 <= self.size <= 1.2:
            raise ValueError("size must lie between 0.05 and 1.2")
        if not 1 <= self.people <= 8:
            raise ValueError("people must be 1 to 8")
        if self.seed < 0:
            raise ValueError("seed must not be negative")
        if self.seconds is not None and not self.seconds > 0:
            raise ValueError("seconds must be positive")
        if not 1 <= self.fps <= 120:
            raise ValueError("fps must lie between 1 and 120")

    async def packets(self) -> AsyncIterator[Packet[Landmarks | Image]]:
        """Yield every person's points, frame by frame."""
        performers = [self._stances(person) for person in range(self.people)]
        rng = np.random.default_rng(self.seed)
        frame = 0
        while self.seconds is None or frame < self.seconds * self.fps:
            t_us = round(frame * 1e6 / self.fps)
            bodies = []
            for person, stances in enumerate(performers):
                centre = (person + 1) / (self.people + 1)
                points = body_points(next(stances), self.size, centre, ASPECT)
                shaken = points.copy()
                shaken[:, :2] += rng.normal(0, JITTER * self.size, (33, 2))
                bodies.append(shaken.astype(np.float32))
            if self.picture:
                yield Packet(t_us, Image(drawing(bodies)))
            else:
                for person, points in enumerate(bodies):
                    yield Packet(t_us, Landmarks(points, "body", f"p{person + 1}", ASPECT))
            frame += 1

    def _stances(self, person: int) -> Iterator[Stance]:
        """Yield one stance a frame, each performance a little different."""
        rng = np.random.default_rng([self.seed, person])
        turn = person  # people do not move in step
        while True:
            move = MOVES[self.moves[turn % len(self.moves)]]
            tempo, width = self.speed * rng.uniform(0.9, 1.1), rng.uniform(0.9, 1.1)
            for at in range(round(self.every_s * self.fps)):
                yield move((at / self.fps - 0.5) * tempo, width)
            turn += 1


def _ramp(t_s: float, begin_s: float, end_s: float) -> float:
    """Return 0 before, 1 after, and a smooth way between."""
    share = min(max((t_s - begin_s) / (end_s - begin_s), 0.0), 1.0)
    return share * share * (3 - 2 * share)


def _between(
    start: tuple[float, float], end: tuple[float, float], share: float
) -> tuple[float, float]:
    return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])


REST = (0.15, 0.1)


def stand(t_s: float, width: float) -> Stance:
    """Stand with hanging arms; one breathes."""
    return Stance(sway=0.002 * math.sin(2 * t_s))


def t_pose(t_s: float, width: float) -> Stance:
    """Hold both arms out."""
    arm = _between(REST, (1.57 * width, 1.57 * width), _ramp(t_s, 0, 0.5))
    return Stance(arm, arm)


def arms_up(t_s: float, width: float) -> Stance:
    """Hold both arms up."""
    arm = _between(REST, (2.8 * width, 2.9 * width), _ramp(t_s, 0, 0.5))
    return Stance(arm, arm)


def hands_on_hips(t_s: float, width: float) -> Stance:
    """Hold both hands at the hips."""
    arm = _between(REST, (0.8 * width, -0.8 * width), _ramp(t_s, 0, 0.5))
    return Stance(arm, arm)


def wave(t_s: float, width: float) -> Stance:
    """Lift the right hand, swing the forearm three times, and lower it."""
    lifted = _ramp(t_s, 0, 0.3) - _ramp(t_s, 1.5, 1.8)
    swing = 0.6 * width * math.sin(2 * math.pi * 2.0 * t_s) * lifted
    return Stance(right=_between(REST, (1.4, 3.0 + swing), lifted))


def circle(t_s: float, width: float) -> Stance:
    """Swing the stretched right arm once all the way round."""
    turn = 2 * math.pi * _ramp(t_s, 0, 1.4)
    bend = 0.1 + 0.2 * (width - 1)
    return Stance(right=(0.15 + turn, bend + turn))


def swipe(t_s: float, width: float) -> Stance:
    """Hold the right arm out and draw the hand across the chest."""
    lifted = _ramp(t_s, 0, 0.25) - _ramp(t_s, 0.8, 1.1)
    across = _ramp(t_s, 0.3, 0.7)
    return Stance(right=_between(REST, (1.5 - 0.9 * across, 1.6 - 3.1 * width * across), lifted))


def squat(t_s: float, width: float) -> Stance:
    """Bend the knees and come up again."""
    depth = min(1.0, width) * (_ramp(t_s, 0, 0.7) - _ramp(t_s, 0.8, 1.5))
    return Stance(depth=depth)


MOVES: dict[Move, Callable[[float, float], Stance]] = {
    "stand": stand,
    "t_pose": t_pose,
    "arms_up": arms_up,
    "hands_on_hips": hands_on_hips,
    "wave": wave,
    "circle": circle,
    "swipe": swipe,
    "squat": squat,
}


def body_points(stance: Stance, size: float, centre: float, aspect: float) -> Float32:
    """Return 33 points (33, 4) of somebody facing the camera, whose left is on the picture's right.

    ``size`` is the body's height and ``centre`` its place, as shares of the picture.
    """
    at = np.zeros((33, 2))  # x to the body's left, y down from the crown, in body heights
    drop = (THIGH + SHIN) * 0.5 * stance.depth
    at[:11] = _face()
    for side, (upper, fore), sign in ((0, stance.left, 1.0), (1, stance.right, -1.0)):
        shoulder = np.array([sign * SHOULDER_X, CHEST_Y])
        elbow = shoulder + UPPER_ARM * _hanging(upper, sign)
        wrist = elbow + FOREARM * _hanging(fore, sign)
        at[[11 + side, 13 + side, 15 + side]] = shoulder, elbow, wrist
        for finger, spread in ((17, -0.25), (19, 0.0), (21, 0.35)):
            at[finger + side] = wrist + HAND * (1 - abs(spread)) * _hanging(fore + spread, sign)
        hip = np.array([sign * HIP_X, HIP_Y])
        # Seen from the front a bent knee comes forward: thigh and shin look shorter.
        knee = hip + np.array([sign * 0.06 * stance.depth, THIGH - drop * 0.6])
        ankle = np.array([sign * (HIP_X + 0.03 * stance.depth), HIP_Y + THIGH + SHIN - drop])
        at[[23 + side, 25 + side, 27 + side]] = hip, knee, ankle
        at[29 + side] = ankle[0], ankle[1] + 0.02
        at[31 + side] = ankle[0] + sign * 0.02, ankle[1] + 0.035
    at[:, 1] += drop  # the feet stay where they are
    at[:, 0] += stance.sway
    points = np.ones((33, 4))
    points[:, 0] = centre + at[:, 0] * 0.85 * size / aspect
    points[:, 1] = 0.95 + (at[:, 1] - 1.0) * 0.85 * size
    points[:, 2] = 0.0
    points[25:33, 2] = -0.1 * stance.depth * size
    points[:, 3] = 0.99
    return points.astype(np.float32)


def _hanging(angle: float, sign: float) -> Float32:
    """Return the direction ``angle`` outwards from straight down."""
    return np.array([sign * math.sin(angle), math.cos(angle)], np.float32)


def _face() -> Float32:
    """Return nose, eyes, ears and mouth."""
    nose, eye, ear, mouth = 0.075, 0.055, 0.06, 0.1
    rows = [(0.0, nose)]
    rows += [(x, eye) for x in (0.01, 0.016, 0.022, -0.01, -0.016, -0.022)]
    rows += [(0.04, ear), (-0.04, ear), (0.014, mouth), (-0.014, mouth)]
    return np.array(rows, np.float32)


def drawing(bodies: list[Float32], height: int = 480) -> UInt8:
    """Return a picture (480, 640, 3) of the bodies, in white chalk on green."""
    import cv2

    width = round(height * ASPECT)
    board = np.full((height, width, 3), (30, 60, 45), np.uint8)
    for points in bodies:
        at = (points[:, :2] * [width, height]).round().astype(int)
        thick = max(1, round(0.02 * float(np.ptp(points[:, 1])) * height))
        for start, end in BONES:
            ends = tuple(map(int, at[start])), tuple(map(int, at[end]))
            cv2.line(board, *ends, CHALK, thick)
        radius = max(2, round(1.4 * abs(int(at[7][0]) - int(at[8][0])) / 2))
        cv2.circle(board, tuple(map(int, at[0])), radius, CHALK, -1)
    return board
