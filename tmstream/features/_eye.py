"""What landmarks of bodies, hands and faces share: a zone, patience, and who is who."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..backends.landmarker import Found, Landmarker, Task, check_frame
from ..backends.models import find_model
from ..core.errors import DeviceError, InputError
from ..core.packet import Absent, Float32, Gap, Image, Packet, UInt8
from ..core.services import Services
from ..maths.filters import OneEuro
from ..maths.geometry import box_of
from ..maths.track import Seen, Side, Tracker

#: An id survives being unseen this long: somebody walks behind a pillar, a hand behind a back.
PATIENCE_S = 1.5
#: Faults in a row before the engine is told; each already started a fresh process.
FAULTS = 3
#: Nobody found, and the brightest twentieth of the picture is darker than this (of 255).
DARK = 30
#: Somebody else must be this much larger to take the focus over.
NEARER = 1.3
#: A single picture in which nobody is seen is looked at again in parts of this share, at these
#: (left, top): the detector misses people under a third of the picture (4 of 11 found without,
#: 11 of 11 with). Streams are not: tracking would have to jump between parts; give them a ``zone``.
CLOSER = 0.5
CLOSER_AT = (
    (0.25, 0.25),
    (0.25, 0.5),
    (0.0, 0.25),
    (0.5, 0.25),
    (0.0, 0.5),
    (0.5, 0.5),
    (0.25, 0.0),
)
#: A smaller part shows no more than the whole did.
CLOSER_PIXELS = 160

Zone = list[float] | None


def check_zone(zone: Zone) -> None:
    """Raises `ValueError` unless it is [left, top, right, bottom] within the picture (0..1)."""
    if zone is None:
        return
    if len(zone) != 4 or not (0 <= zone[0] < zone[2] <= 1 and 0 <= zone[1] < zone[3] <= 1):
        raise ValueError("zone must be [left, top, right, bottom], each 0..1 of the picture")


class Sight(NamedTuple):
    """One picture, looked at."""

    found: list[Found]  #: in coordinates of the whole picture
    aspect: float  #: its width / height
    part: UInt8  #: the zone of it that counts


class Eye:
    """Finds landmarks in a zone of the picture, and begins anew after an interruption."""

    def __init__(self, task: Task, *, count: int, detection: float, zone: Zone) -> None:
        self._task: Task = task
        self._count, self._detection = count, detection
        self._zone = zone or [0.0, 0.0, 1.0, 1.0]
        self._landmarker: Landmarker | None = None
        self._services: Services | None = None
        self._faults = 0
        self._last_us: int | None = None
        self.fresh = False  #: the next picture follows no other

    def open(self, services: Services, path: str | None) -> None:
        """Verify the model and begin to start the landmark process."""
        model = find_model(self._task, path)
        self._services = services
        self._landmarker = Landmarker(
            self._task, model.path, count=self._count, detection=self._detection
        )
        self._landmarker.start()

    def close(self) -> None:
        """End the landmark process."""
        if self._landmarker is not None:
            self._landmarker.close()

    def see(
        self, packet: Packet[Image], space: str, find: Callable[[int, UInt8], list[Found]]
    ) -> Sight | Packet[Any]:
        """Return what ``find`` sees in the zone; or the `Absent` or `Gap` to hand on instead."""
        try:
            picture = picture_of(packet)
            part = self.zone_of(picture)
            found = find(packet.t_us, part)
        except InputError:
            return packet.with_data(Absent(space, "bad_frame", packet.t_us))
        except DeviceError as error:
            return packet.with_data(Gap(self.failed(error)))
        self.fresh = False
        aspect = picture.shape[1] / picture.shape[0]
        return Sight(self.in_picture(found, picture), aspect, part)

    def interrupted(self) -> None:
        """The stream was cut here."""
        self.fresh, self._last_us = True, None
        if self._landmarker is not None:
            self._landmarker.forget()

    def zone_of(self, picture: UInt8) -> UInt8:
        """Return the part of the picture that counts; raises `InputError` when it is unusable."""
        check_frame(picture)
        height, width, _ = picture.shape
        left, top, right, bottom = self._pixels(width, height)
        part = np.ascontiguousarray(picture[top:bottom, left:right])
        check_frame(part)
        return part

    def look(self, t_us: int, picture: UInt8) -> list[Found]:
        """Return everybody found in a part of a picture, in its own coordinates.

        Raises:
            DeviceError: the landmark process failed; the next look has a fresh one.
        """
        assert self._landmarker is not None
        elapsed_ms = 33.0 if self._last_us is None else (t_us - self._last_us) / 1e3
        found = self._landmarker.detect(picture, elapsed_ms, still=self.fresh)
        self._last_us = t_us
        if self._faults and self._services is not None:
            self._services.notice(None)
        self._faults = 0
        return [one for one in found if np.isfinite(one.points).all()]

    def closer(self, t_us: int, picture: UInt8, wanted: Callable[[Found], bool]) -> list[Found]:
        """Return who is ``wanted`` in the first part of a single picture that shows somebody."""
        height, width = round(picture.shape[0] * CLOSER), round(picture.shape[1] * CLOSER)
        if min(height, width) < CLOSER_PIXELS:
            return []
        for left, top in CLOSER_AT:
            x, y = round(left * picture.shape[1]), round(top * picture.shape[0])
            tile = np.ascontiguousarray(picture[y : y + height, x : x + width])
            near = [moved(one, left, top, CLOSER, CLOSER) for one in self.look(t_us, tile)]
            near = [one for one in near if wanted(one)]
            if near:
                return near
        return []

    def failed(self, error: DeviceError) -> str:
        """Count a fault and return what to tell; raises it again when patience is at its end."""
        self._faults += 1
        if self._services is not None:
            self._services.notice(str(error))
        if self._faults >= FAULTS:
            raise error
        self.fresh, self._last_us = False, None
        return str(error)

    def in_picture(self, found: Iterable[Found], picture: UInt8) -> list[Found]:
        """Return landmarks of the zone in coordinates of the whole picture."""
        height, width, _ = picture.shape
        left, top, right, bottom = self._pixels(width, height)
        return [
            moved(one, left / width, top / height, (right - left) / width, (bottom - top) / height)
            for one in found
        ]

    def _pixels(self, width: int, height: int) -> tuple[int, int, int, int]:
        left, top, right, bottom = self._zone
        return (
            round(left * width),
            round(top * height),
            round(right * width),
            round(bottom * height),
        )


def moved(one: Found, left: float, top: float, width: float, height: float) -> Found:
    """Return landmarks of a part of a picture, which lies at (left, top), in the whole."""
    points = one.points.copy()
    points[:, 0] = left + points[:, 0] * width
    points[:, 1] = top + points[:, 1] * height
    points[:, 2] *= width  # z is in units of the picture's width
    return Found(points, one.score, one.side)


class Followed:
    """Ids, smoothing and focus for the landmarks of one stream."""

    def __init__(
        self,
        prefix: str,
        *,
        smooth_hz: float,
        speed_hz: float,
    ) -> None:
        self._tracker = Tracker(prefix, PATIENCE_S)
        self._smooth = smooth_hz, speed_hz
        self._filters: dict[str, OneEuro] = {}
        self._focus: str | None = None
        self._given: set[str] = set()  # whose landmarks were given, as long as they are there

    def follow(
        self, t_us: int, found: Sequence[Found], aspect: float
    ) -> tuple[list[tuple[str, Side, Float32, float]], list[str]]:
        """Return (id, side, smoothed points, size) of each, largest first; and who departed."""
        boxes = [box_of(one.points, aspect) for one in found]
        seen = [Seen(box, one.side, one.score) for box, one in zip(boxes, found, strict=True)]
        ids, departed = self._tracker.update(t_us, seen)
        for subject in departed:
            self._filters.pop(subject, None)
            self._given.discard(subject)
        made = []
        for subject, one, (left, top, right, bottom) in zip(ids, found, boxes, strict=True):
            size = float(np.hypot(right - left, bottom - top))
            points = self._smoothed(subject, t_us, one.points, max(size, 1e-3))
            made.append((subject, self._tracker.side(subject), points, size))
        return sorted(made, key=lambda one: -one[3]), departed

    def nearest(
        self, everybody: list[tuple[str, Side, Float32, float]]
    ) -> list[tuple[str, Side, Float32, float]]:
        """Return the largest alone; a rival must be clearly larger to take over."""
        if not everybody:
            return []
        focused = next((one for one in everybody if one[0] == self._focus), None)
        if focused is None or everybody[0][3] > NEARER * focused[3]:
            focused = everybody[0]
        self._focus = focused[0]
        return [focused]

    def passed_over(self, seen: Iterable[str], given: Iterable[str]) -> list[str]:
        """Return who is seen and was given before, but is not among those ``given`` now."""
        now = set(given)
        self._given |= now
        return [subject for subject in seen if subject in self._given - now]

    def clear(self) -> list[str]:
        """Forget everybody; return who departed."""
        self._filters.clear()
        self._given.clear()
        self._focus = None
        return self._tracker.clear()

    def _smoothed(self, subject: str, t_us: int, points: Float32, size: float) -> Float32:
        if self._smooth[0] <= 0:
            return points
        smooth = self._filters.setdefault(subject, OneEuro(*self._smooth))
        made = points.copy()
        made[:, :3] = smooth(t_us, points[:, :3], size)
        return made


def picture_of(packet: Packet[Image]) -> UInt8:
    """Return its pixels if they are a picture at all; raises `InputError`."""
    pixels = packet.data.pixels
    if not isinstance(pixels, np.ndarray):
        raise InputError("a picture is an array")
    check_frame(pixels)
    return pixels


def why_nobody(picture: UInt8) -> str:
    """Return "too_dark" for a picture in which nobody could be seen, else "no_person"."""
    step = max(1, min(picture.shape[:2]) // 60)
    light = picture[::step, ::step].max(axis=2)
    return "too_dark" if np.percentile(light, 95) < DARK else "no_person"
