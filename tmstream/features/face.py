"""Faces in a picture: 468 points each, with an id that stays theirs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np

from ..backends.landmarker import SMALLEST, Found
from ..core.node import Types
from ..core.packet import Gap, Image, Landmarks, UInt8
from ._eye import Eye, Followed, moved
from ._watching import Watching

#: Score a new face needs. At MediaPipe's own 0.5 it sees faces in 13 of 404 photos of fruit,
#: clothes and hands, at 0.6 in 4, at 0.7 in 2; of 93 people's faces 92 are found, 92 and 91.
DETECTION = 0.6
#: A face in a single picture is looked at again in a square of so many face sizes around it. The
#: detector sees the whole picture in 128 x 128 pixels; from so near, its box fits as well as that
#: of a face that was followed for some frames: nine points in ten lie within .13 of a face's width
#: of the body landmarker's, .20 from afar (104 photos).
AROUND = 3.0

SPACE = "face"


@dataclass
class FaceLandmarks(Watching):
    """Finds faces: `Landmarks` of 468 points each.

    A face must be a tenth of the picture wide, as at 1.5 m from a usual webcam; with a ``zone``, of
    that.

    ``zone``, ``focus``, ``smooth_hz``, ``speed_hz`` and ``path`` as in `BodyLandmarks`. Without a
    face: `Absent` with ``no_person`` or ``too_dark``, or ``bad_frame``.

        face: {type: face_landmarks, from: cam, faces: 1}
    """

    takes: ClassVar[Types] = (Image, Gap)
    gives: ClassVar[Types] = (Landmarks,)
    _task, _space, _prefix, _detection = "face", SPACE, "f", DETECTION

    faces: int = 1
    focus: Literal["all", "nearest"] = field(default="all", metadata={"live": True})
    zone: list[float] | None = None
    smooth_hz: float = 4.0
    speed_hz: float = 20.0
    path: str | None = None
    _eye: Eye = field(init=False, repr=False)
    _followed: Followed = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._watch_for(self.faces, "faces")

    def _found(self, t_us: int, part: UInt8) -> list[Found]:
        """Look at the whole; in a single picture also from closer, and at each face from near."""
        found = self._eye.look(t_us, part)
        if not self._eye.fresh:
            return found
        found = found or self._eye.closer(t_us, part, lambda one: True)
        return [self._from_near(t_us, part, one) for one in found]

    def _from_near(self, t_us: int, part: UInt8, one: Found) -> Found:
        size = np.array(part.shape[1::-1])
        at = one.points[:, :2] * size
        middle, half = (at.min(axis=0) + at.max(axis=0)) / 2, np.ptp(at, axis=0).max() * AROUND / 2
        left, top = np.clip(middle - half, 0, size).astype(int)
        right, bottom = np.clip(middle + half, 0, size).astype(int)
        near = np.ascontiguousarray(part[top:bottom, left:right])
        if min(near.shape[:2]) < SMALLEST:
            return one
        share = (right - left) / size[0], (bottom - top) / size[1]
        again = [
            moved(face, left / size[0], top / size[1], *share)
            for face in self._eye.look(t_us, near)
        ]
        centre = one.points[:, :2].mean(axis=0)
        again.sort(key=lambda face: float(np.abs(face.points[:, :2].mean(axis=0) - centre).sum()))
        return again[0] if again else one
