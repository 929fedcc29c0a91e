"""Hands in a picture: 21 points each, left or right, with an id that stays theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np

from ..backends.landmarker import Found
from ..core.node import Types
from ..core.packet import Gap, Image, Landmarks, UInt8
from ..maths.geometry import box_of
from ..maths.track import Side
from ._eye import Eye, Followed, moved
from ._watching import Watching

#: A smaller picture is enlarged to this and gets a border of half of it on every side: a hand that
#: fills a small photo is not found without (200 of 240 against 238).
SMALL = 200
#: Two results whose points lie this near (in hand sizes) are one hand seen twice.
SAME = 0.15

SPACE = "hand"


@dataclass
class HandLandmarks(Watching):
    """Finds hands: `Landmarks` of 21 points each, ``side`` the person's own left or right.

    ``zone``, ``focus``, ``smooth_hz``, ``speed_hz`` and ``path`` as in `BodyLandmarks`. Without a
    hand: `Absent` with ``no_person`` or ``too_dark``, or ``bad_frame``.

        hands: {type: hand_landmarks, from: cam, hands: 2}
    """

    takes: ClassVar[Types] = (Image, Gap)
    gives: ClassVar[Types] = (Landmarks,)
    _task, _space, _prefix, _detection = "hands", SPACE, "h", 0.5

    hands: int = 2
    focus: Literal["all", "nearest"] = field(default="all", metadata={"live": True})
    zone: list[float] | None = None
    smooth_hz: float = 4.0
    speed_hz: float = 20.0
    path: str | None = None
    _eye: Eye = field(init=False, repr=False)
    _followed: Followed = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._watch_for(self.hands, "hands")

    def _found(self, t_us: int, part: UInt8) -> list[Found]:
        """Look at it as it is, or enlarged and bordered; a single picture gets more looks."""
        small = max(part.shape[:2]) < SMALL
        looks = [_bordered, _doubled, _plain] if small else [_plain, _doubled, _bordered]
        if not self._eye.fresh:
            return self._seen(t_us, part, looks[0])
        for shown, turned in _variants(part):
            for look in looks:
                if found := self._seen(t_us, shown, look):
                    return [_turned_back(one) for one in found] if turned else found
        return []

    def _meant(self, found: list[Found], aspect: float) -> list[Found]:
        return _once_each(found, aspect)

    def _seen(self, t_us: int, part: UInt8, look: Callable[[UInt8], Look]) -> list[Found]:
        picture, left, top, width, height = look(part)
        return [moved(one, left, top, width, height) for one in self._eye.look(t_us, picture)]


#: A picture to look at, and where it lies in coordinates of the one it was made from.
Look = tuple[UInt8, float, float, float, float]


def _plain(part: UInt8) -> Look:
    return part, 0.0, 0.0, 1.0, 1.0


def _doubled(part: UInt8) -> Look:
    import cv2

    if max(part.shape[:2]) > 2000:
        return _plain(part)
    return np.asarray(cv2.resize(part, None, fx=2, fy=2), np.uint8), 0.0, 0.0, 1.0, 1.0


def _bordered(part: UInt8) -> Look:
    import cv2

    height, width, _ = part.shape
    scale = max(1.0, SMALL / max(height, width))
    if scale > 1:
        part = np.asarray(
            cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8
        )
    height, width, _ = part.shape
    edge = max(height, width) // 2
    made = cv2.copyMakeBorder(part, edge, edge, edge, edge, cv2.BORDER_REPLICATE)
    return (
        np.asarray(made, np.uint8),
        -edge / width,
        -edge / height,
        1 + 2 * edge / width,
        1 + 2 * edge / height,
    )


def _variants(part: UInt8) -> Iterator[tuple[UInt8, bool]]:
    """Yield a picture as it is, mirrored and lighter, and whether it is mirrored.

    Whether a hand is seen is partly luck. Of 264 photos of hands 3 showed none as they were; the
    mirror finds 2 of them, more light the third, and 140 photos without hands stayed without.
    """
    yield part, False
    yield np.ascontiguousarray(part[:, ::-1]), True
    yield np.clip(part * np.float32(1.4) + 20, 0, 255).astype(np.uint8), False


def _turned_back(one: Found) -> Found:
    """Return a hand found in the mirror as it is: the other side, left and right exchanged."""
    points = one.points.copy()
    points[:, 0] = 1 - points[:, 0]
    sides: dict[Side, Side] = {"left": "right", "right": "left", None: None}
    return Found(points, one.score, sides[one.side])


def _once_each(hands: list[Found], aspect: float) -> list[Found]:
    """Drop a hand that was found twice, the less certain one."""
    kept: list[Found] = []
    for one in sorted(hands, key=lambda hand: -hand.score):
        left, top, right, bottom = box_of(one.points, aspect)
        size = max(float(np.hypot(right - left, bottom - top)), 1e-6)
        if all(
            np.hypot(*(one.points[:, :2] - other.points[:, :2]).T).mean() / size > SAME
            for other in kept
        ):
            kept.append(one)
    return kept
