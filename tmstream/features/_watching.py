"""What finding bodies, hands and faces has in common: pictures in, landmarks with ids out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal

from ..backends.landmarker import Found, Task
from ..core.packet import Absent, Float32, Gap, Landmarks, Packet, UInt8
from ..core.services import Services
from ._eye import Eye, Followed, Zone, check_zone, why_nobody


class Watching:
    """The shared part of a node that finds landmarks; the node has the parameters as fields."""

    _task: ClassVar[Task]
    _space: ClassVar[str]
    _prefix: ClassVar[str]  #: of ids
    _detection: ClassVar[float]  #: score a new one needs

    focus: Literal["all", "nearest"]
    zone: Zone
    smooth_hz: float
    speed_hz: float
    path: str | None
    _eye: Eye
    _followed: Followed

    def _watch_for(self, count: int, what: str) -> None:
        """Check the parameters and make ready; raises `ValueError`."""
        if not 1 <= count <= 8:
            raise ValueError(f"{what} must be 1 to 8")
        if self.smooth_hz < 0 or self.speed_hz < 0:
            raise ValueError("smooth_hz and speed_hz must not be negative")
        check_zone(self.zone)
        self._eye = Eye(self._task, count=count, detection=self._detection, zone=self.zone)
        self._followed = Followed(self._prefix, smooth_hz=self.smooth_hz, speed_hz=self.speed_hz)

    def open(self, services: Services) -> None:
        """Verify the model and start the landmark process; raises `ModelError`."""
        self._eye.open(services, self.path)

    def close(self) -> None:
        """End the landmark process."""
        self._eye.close()

    def process(self, packet: Packet[Any]) -> Iterator[Packet[Any]]:
        """Yield the landmarks of everybody in the picture, or why there is nobody."""
        if isinstance(packet.data, Gap):
            yield from self._departed(packet, self._followed.clear())
            self._eye.interrupted()
            yield packet
            return
        sight = self._eye.see(packet, self._space, self._found)
        if isinstance(sight, Packet):
            yield sight
            return
        meant = self._meant(sight.found, sight.aspect)
        everybody, departed = self._followed.follow(packet.t_us, meant, sight.aspect)
        yield from self._departed(packet, departed)
        given = self._followed.nearest(everybody) if self.focus == "nearest" else everybody
        if not given:
            yield packet.with_data(Absent(self._space, why_nobody(sight.part), packet.t_us))
        # Else what was entered for them would last until they had been away for five seconds.
        for subject in self._followed.passed_over((e[0] for e in everybody), (g[0] for g in given)):
            yield packet.with_data(Absent(self._space, "no_person", packet.t_us, subject))
        for subject, side, points, _ in given:
            yield from self._arrived(packet, subject, points)
            yield packet.with_data(Landmarks(points, self._space, subject, sight.aspect, side))

    def _found(self, t_us: int, part: UInt8) -> list[Found]:
        """Return who is found in the part of a picture that counts."""
        return self._eye.look(t_us, part)

    def _meant(self, found: list[Found], aspect: float) -> Sequence[Found]:
        """Return those that count, each once."""
        return found

    def _arrived(self, packet: Packet[Any], subject: str, points: Float32) -> Iterator[Packet[Any]]:
        """Yield what is to be said of somebody before their landmarks."""
        yield from ()

    def _departed(self, packet: Packet[Any], subjects: list[str]) -> Iterator[Packet[Any]]:
        """Yield what is to be said of those who left."""
        for subject in subjects:
            yield packet.with_data(Absent(self._space, "no_person", packet.t_us, subject))
