"""Hands in a picture: 21 points each, left or right, with an id that stays theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from ..backends.landmarker import Found
from ..core.node import Types
from ..core.packet import Absent, Gap, Image, Landmarks, Packet, UInt8
from ..core.services import Services
from ..maths.geometry import box_of
from ..maths.track import Side
from ._eye import Eye, Followed, check_zone, moved, why_nobody

#: A smaller picture is enlarged to this and gets a border of half of it on every side: a hand that
#: fills a small photo is not found without (200 of 240 against 238).
SMALL = 200
#: Two results whose points lie this near (in hand sizes) are one hand seen twice.
SAME = 0.15

SPACE = "hand"


@dataclass
class HandLandmarks:
    """Finds hands: `Landmarks` of 21 points each, ``side`` the person's own left or right.

    ``zone``, ``focus``, ``smooth_hz``, ``speed_hz`` and ``path`` as in `BodyLandmarks`. Without a
    hand: `Absent` with ``no_person`` or ``too_dark``, or ``bad_frame``.

        hands: {type: hand_landmarks, from: cam, hands: 2}
    """

    takes: ClassVar[Types] = (Image, Gap)
    gives: ClassVar[Types] = (Landmarks,)

    hands: int = 2
    focus: Literal["all", "nearest"] = field(default="all", metadata={"live": True})
    zone: list[float] | None = None
    smooth_hz: float = 4.0
    speed_hz: float = 20.0
    path: str | None = None
    _eye: Eye = field(init=False, repr=False)
    _followed: Followed = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 1 <= self.hands <= 8:
            raise ValueError("hands must be 1 to 8")
        if self.smooth_hz < 0 or self.speed_hz < 0:
            raise ValueError("smooth_hz and speed_hz must not be negative")
        check_zone(self.zone)
        self._eye = Eye("hands", count=self.hands, detection=0.5, zone=self.zone)
        self._followed = Followed("h", smooth_hz=self.smooth_hz, speed_hz=self.speed_hz)

    def open(self, services: Services) -> None:
        """Verify the model and start the landmark process; raises `ModelError`."""
        self._eye.open(services, self.path)

    def close(self) -> None:
        """End the landmark process."""
        self._eye.close()

    def process(self, packet: Packet[Any]) -> Iterator[Packet[Any]]:
        """Yield the landmarks of every hand in the picture, or why there is none."""
        if isinstance(packet.data, Gap):
            yield from self._departed(packet, self._followed.clear())
            self._eye.interrupted()
            yield packet
            return
        sight = self._eye.see(packet, SPACE, self._found)
        if isinstance(sight, Packet):
            yield sight
            return
        aspect = sight.aspect
        hands = _once_each(sight.found, aspect)
        everything, departed = self._followed.follow(packet.t_us, hands, aspect)
        yield from self._departed(packet, departed)
        if self.focus == "nearest":
            everything = self._followed.nearest(everything)
        if not everything:
            yield packet.with_data(Absent(SPACE, why_nobody(sight.part), packet.t_us))
        for subject, side, points, _ in everything:
            yield packet.with_data(Landmarks(points, SPACE, subject, aspect, side))

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

    def _seen(self, t_us: int, part: UInt8, look: Callable[[UInt8], Look]) -> list[Found]:
        picture, left, top, width, height = look(part)
        return [moved(one, left, top, width, height) for one in self._eye.look(t_us, picture)]

    def _departed(self, packet: Packet[Any], subjects: list[str]) -> Iterator[Packet[Any]]:
        for subject in subjects:
            yield packet.with_data(Absent(SPACE, "no_person", packet.t_us, subject))


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
