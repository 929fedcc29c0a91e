"""People in a picture: 33 points each, with an id that stays theirs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from ..backends.landmarker import Found
from ..core.node import Types
from ..core.packet import Absent, Float32, Gap, Image, Landmarks, Packet, Presence, UInt8
from ..maths.geometry import (
    ANKLES,
    EARS,
    ELBOWS,
    HIPS,
    KNEES,
    NOSE,
    SHOULDERS,
    WRISTS,
    box_of,
    length,
    middle,
    square,
    visible,
)
from ._eye import Eye, Followed
from ._watching import Watching

#: Score a new person needs. At MediaPipe's own 0.5 it sees people in one of five photographs of
#: hands, fruit and clothes, at 0.7 in 2 of 310, and 92 of 93 people are still found.
DETECTION = 0.7
#: Points that show a person; the rest are details of these.
CORE = (NOSE, *SHOULDERS, *ELBOWS, *WRISTS, *HIPS, *KNEES, *ANKLES)
#: Two results whose points lie this near (in body sizes) are one person seen twice.
SAME = 0.12

SPACE = "body"


@dataclass
class BodyLandmarks(Watching):
    """Finds people: `Landmarks` of 33 points each, `Presence` as they come and go.

    ``zone`` [left, top, right, bottom] is the part of the picture that counts; ``focus: nearest``
    follows the largest person alone. ``smooth_hz`` is the cutoff at rest (0: none), which rises by
    ``speed_hz`` for each body size a second. ``path`` is another ``.task`` of the same kind.
    Without anybody: `Absent` with ``no_person`` or ``too_dark``, or ``bad_frame``.

        body: {type: body_landmarks, from: cam, people: 2}
    """

    takes: ClassVar[Types] = (Image, Gap)
    gives: ClassVar[Types] = (Landmarks, Presence)
    _task, _space, _prefix, _detection = "body", SPACE, "p", DETECTION

    people: int = 1
    focus: Literal["all", "nearest"] = field(default="all", metadata={"live": True})
    zone: list[float] | None = None
    smooth_hz: float = 4.0
    speed_hz: float = 20.0
    path: str | None = None
    _eye: Eye = field(init=False, repr=False)
    _followed: Followed = field(init=False, repr=False)
    _present: dict[str, Presence] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._watch_for(self.people, "people")

    def _found(self, t_us: int, part: UInt8) -> list[Found]:
        """Look at the whole; at a single picture without anybody, once more from closer."""
        aspect = part.shape[1] / part.shape[0]
        found = self._eye.look(t_us, part)

        def somebody(one: Found) -> bool:
            return _is_person(one.points, aspect)

        if not self._eye.fresh or any(somebody(one) for one in found):
            return found
        return self._eye.closer(t_us, part, somebody) or found

    def _meant(self, found: list[Found], aspect: float) -> list[Found]:
        return _once_each([one for one in found if _is_person(one.points, aspect)], aspect)

    def _arrived(
        self, packet: Packet[Any], subject: str, points: Float32
    ) -> Iterator[Packet[Presence]]:
        seen = _presence(subject, points)
        if subject not in self._present:
            yield packet.with_data(seen)
        self._present[subject] = seen

    def _departed(self, packet: Packet[Any], subjects: list[str]) -> Iterator[Packet[Any]]:
        for subject in subjects:
            last = self._present.pop(subject, None)
            if last is not None:
                gone = Presence(subject, "depart", last.size, last.cut_off)
                yield packet.with_data(gone)
                yield packet.with_data(Absent(SPACE, "no_person", packet.t_us, subject))


def _is_person(points: Float32, aspect: float) -> bool:
    """Return whether the points can be somebody: the landmarker also sees people in a forearm.

    Bounds below every body of the yoga, fitness and webcam sets (first percentile); lengths in
    space, in units of the torso or the shoulders, whichever is longer.
    """
    if np.count_nonzero(visible(points[list(CORE)])) < 3:
        return False
    at = square(points, aspect)
    torso = float(length(middle(at, SHOULDERS) - middle(at, HIPS)))
    shoulders = float(length(at[SHOULDERS[0]] - at[SHOULDERS[1]]))
    trunk = max(torso, shoulders, 1e-6)
    ears = float(length(at[EARS[0]] - at[EARS[1]]))
    neck = float(length(at[NOSE] - middle(at, SHOULDERS)))
    return shoulders > 0.2 * torso and ears > 0.08 * trunk and neck > 0.14 * trunk


def _once_each(people: list[Found], aspect: float) -> list[Found]:
    """Drop a person that was found twice."""
    kept: list[Found] = []
    for one in people:
        left, top, right, bottom = box_of(one.points, aspect)
        size = max(float(np.hypot(right - left, bottom - top)), 1e-6)
        apart = [length(one.points[:, :2] - other.points[:, :2]).mean() / size for other in kept]
        if all(distance > SAME for distance in apart):
            kept.append(one)
    return kept


def _presence(subject: str, points: Float32) -> Presence:
    """Return that somebody is there, how large, and which parts lie outside the picture."""
    x, y = points[:, 0], points[:, 1]
    outside = (x < 0) | (x > 1) | (y < 0) | (y > 1)
    parts = {
        "head": (NOSE, *EARS),
        "left_arm": (ELBOWS[0], WRISTS[0]),
        "right_arm": (ELBOWS[1], WRISTS[1]),
        "legs": (*KNEES, *ANKLES),
    }
    cut_off = tuple(name for name, at in parts.items() if outside[list(at)].all())
    height = float(np.clip(y, 0, 1).max() - np.clip(y, 0, 1).min())
    return Presence(subject, "arrive", round(height, 3), cut_off)
