"""A movement as a vector: a wave, a circle, a swipe, a squat, fast or slow, near or far."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..core.node import Types
from ..core.packet import Absent, Embedding, Float32, Gap, Landmarks, Packet
from ..core.services import Services
from ..maths.geometry import HIPS, NOSE, SHOULDERS, WRISTS, length, middle, square
from ..maths.movement import Movement, MovementSegmenter, movement_vector

#: Part of the space's identity: another value asks for `tmstream reembed`.
VERSION = "1"

SPACE = "gesture"

#: Somebody at rest is told of this often, not with every frame.
REST_US = 100_000
#: A subject unseen for so long has left.
AWAY_US = 2_000_000


@dataclass
class GestureEmbedding:
    """Finds where a person's movements begin and end; one `Embedding` (space ``gesture``) for each.

    Watches the hands, relative to the chest, and the chest itself (for a squat, or walking). At
    rest it gives `Absent` with ``still``. Landmarks of anything but bodies are passed over.

        moves: {type: gesture_embedding, from: body}
    """

    takes: ClassVar[Types] = (Landmarks, Absent, Gap)
    gives: ClassVar[Types] = (Embedding, Absent)
    space: ClassVar[str] = "gesture"

    _people: dict[str | None, _Person] = field(init=False, repr=False, default_factory=dict)
    _source: str = field(default="", init=False, repr=False)
    _takes_count: int = field(default=0, init=False, repr=False)

    def open(self, services: Services) -> None:
        """Learn the source's name."""
        self._source = services.sources[0] if services.sources else ""

    @property
    def fingerprint(self) -> str:
        """Return a hash of what makes the vectors: those of two of them must not be compared."""
        return hashlib.sha256(f"gesture {VERSION}".encode()).hexdigest()[:16]

    def process(self, packet: Packet[Any]) -> Iterator[Packet[Any]]:
        """Yield the movement that has just ended, or that somebody stands still."""
        data = packet.data
        if isinstance(data, Gap):
            for subject in list(self._people):
                yield from self._ended(subject)
            yield packet
        elif isinstance(data, Absent):
            if data.subject is not None:
                yield from self._ended(data.subject)
            else:
                yield from self._left(packet.t_us)
            yield packet
        elif data.points.shape == (33, 4) and data.space == "body":
            yield from self._seen(packet, data)

    def _seen(self, packet: Packet[Any], data: Landmarks) -> Iterator[Packet[Any]]:
        if not np.isfinite(data.points).all():
            yield packet.with_data(Absent(SPACE, "not_finite", packet.t_us, data.subject))
            return
        person = self._people.get(data.subject)
        if person is None:
            person = self._people[data.subject] = _Person()
        if person.seen_us is not None and packet.t_us <= person.seen_us:
            return
        person.seen_us = packet.t_us
        movement = person.watch(packet.t_us, data)
        if movement is not None:
            yield self._made(data.subject, movement)
        elif not person.segmenter.moving and packet.t_us - person.told_us >= REST_US:
            person.told_us = packet.t_us
            yield packet.with_data(Absent(SPACE, "still", packet.t_us, data.subject))

    def _left(self, t_us: int) -> Iterator[Packet[Any]]:
        for subject, person in list(self._people.items()):
            if person.seen_us is not None and t_us - person.seen_us > AWAY_US:
                yield from self._ended(subject)

    def _ended(self, subject: str | None) -> Iterator[Packet[Any]]:
        person = self._people.pop(subject, None)
        if person is not None and (movement := person.segmenter.finish()) is not None:
            yield self._made(subject, movement)

    def _made(self, subject: str | None, movement: Movement) -> Packet[Embedding]:
        self._takes_count += 1
        made = Embedding(
            movement_vector(movement),
            SPACE,
            movement.end_us,
            subject,
            self._source,
            "final",
            self._takes_count,
        )
        return Packet(movement.onset_us, made)


class _Person:
    """One subject's movements; its size is learned slowly, so that bending is not shrinking."""

    def __init__(self) -> None:
        self.segmenter = MovementSegmenter()
        self.seen_us: int | None = None
        self.told_us = -REST_US
        self._scale = 0.0

    def watch(self, t_us: int, data: Landmarks) -> Movement | None:
        """Take one frame; return a movement that has ended."""
        at: Float32 = square(data.points, data.aspect)[:, :2]
        chest = middle(at, SHOULDERS)
        scale = max(
            float(length(at[SHOULDERS[0]] - at[SHOULDERS[1]])),
            1.2 * float(length(at[NOSE] - chest)),
            0.6 * float(length(chest - middle(at, HIPS))),
            1e-6,
        )
        self._scale = scale if self._scale == 0 else self._scale + 0.05 * (scale - self._scale)
        hands = [at[wrist] - chest for wrist in WRISTS]
        tracks = np.array([chest, *hands], np.float64) / self._scale
        return self.segmenter.push(t_us, tracks)
