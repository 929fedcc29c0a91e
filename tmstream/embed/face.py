"""The expression of a face as a vector: mouth, eyes, brows, and where the head points."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from ..core.node import Types
from ..core.packet import Absent, Embedding, Float32, Landmarks, Packet
from ..core.services import Services
from ..maths.geometry import length, square, unit

#: Part of the space's identity: another value asks for `tmstream reembed`.
VERSION = "1"

SPACE = "face"
POINTS = 468

# Points of MediaPipe's face mesh; right and left are the person's own.
CORNERS = (33, 133, 362, 263)  #: of the eyes: right outer, right inner, left inner, left outer
BETWEEN_EYES, BELOW_NOSE, CHIN = 168, 2, 152
#: Upper and lower lid of each eye, three times.
LIDS = np.array([[(159, 145), (158, 153), (160, 144)], [(386, 374), (385, 380), (387, 373)]])
#: Outer and inner half of each brow.
BROWS = np.array([[(70, 63), (66, 107)], [(300, 293), (296, 336)]])
FROWN = (107, 336)
MOUTH = (61, 291)
LIPS_INNER, LIPS_OUTER = (13, 14), (0, 17)

#: What `measures` gives of a calm face, and its spread: over photos of 26 people.
CALM = np.array([
    (0.280, 0.045), (0.280, 0.045),  # how open each eye is
    (0.017, 0.013), (0.541, 0.031), (0.189, 0.031),  # mouth: open, wide, high with its lips
    (-0.005, 0.012), (-0.005, 0.012),  # its corners below its middle
    (0.230, 0.022), (0.230, 0.022),  # ... and below the nose
    (-0.192, 0.028), (-0.192, 0.028), (-0.217, 0.034), (-0.217, 0.034),  # brows: outer, inner
    (0.316, 0.011),  # between the brows
    (0.717, 0.042), (0.168, 0.011),  # chin and upper lip below the nose
    (0.0, 0.015),  # mouth to the left
], np.float32)  # fmt: skip
#: Down of a calm face points so far backwards, as a nose stands out.
CALM_DOWN = -0.33
#: How much directions of the head count beside measures in spreads, and a calm face beside both:
#: without it two calm faces would differ like any two (14 to 20 and 5 to 20 do alike).
DIRECTION = 14.0
REST = 10.0


@dataclass
class FaceEmbedding:
    """Turns each face's landmarks into an `Embedding` of its expression (space ``face``).

    ``head: remove`` forgets where the head points, so that a smile is one however it is held.

        face: {type: face_embedding, from: faces}
    """

    takes: ClassVar[Types] = (Landmarks,)
    gives: ClassVar[Types] = (Embedding,)
    space: ClassVar[str] = SPACE

    head: Literal["keep", "remove"] = "keep"
    _source: str = field(default="", init=False, repr=False)

    def open(self, services: Services) -> None:
        """Learn the source's name."""
        self._source = services.sources[0] if services.sources else ""

    @property
    def fingerprint(self) -> str:
        """Return a hash of what makes the vectors: those of two of them must not be compared."""
        return hashlib.sha256(f"face {VERSION} {self.head}".encode()).hexdigest()[:16]

    def process(self, packet: Packet[Any]) -> Iterator[Packet[Any]]:
        """Yield the vector of one face; landmarks of anything else are passed over."""
        data: Landmarks = packet.data
        if data.space != SPACE or data.points.shape != (POINTS, 4):
            return
        if not np.isfinite(data.points).all():
            yield packet.with_data(Absent(SPACE, "not_finite", packet.t_us, data.subject))
            return
        vector = face_vector(square(data.points, data.aspect), turn=self.head == "remove")
        yield packet.with_data(Embedding(vector, SPACE, packet.t_us, data.subject, self._source))


def frame_of(at: Float32) -> tuple[Float32, Float32, float]:
    """Return the head's axes (3, 3) as rows (to its left, down, forwards), middle and width.

    From the corners of the eyes and the bridge of the nose, which no expression moves.
    """
    across = unit(at[CORNERS[3]] - at[CORNERS[0]])
    down = at[BELOW_NOSE] - at[BETWEEN_EYES]
    down = unit(down - (down @ across) * across)
    width = float(length(at[CORNERS[3]] - at[CORNERS[0]]))
    return (
        np.stack([across, down, np.cross(across, down)]).astype(np.float32),
        np.asarray(at[list(CORNERS)].mean(axis=0)),
        max(width, 1e-6),
    )


def measures(at: Float32) -> Float32:
    """Return the 17 lengths of `CALM` of points (468, 3) in the head's frame, its width 1."""

    def below(points: Any) -> Float32:
        return np.asarray(at[points, 1])

    def apart(one: int, other: int) -> Float32:
        return length(at[one] - at[other])

    eyes = at[[CORNERS[:2], CORNERS[2:]]]
    gaps = length(at[LIDS[..., 0]] - at[LIDS[..., 1]]).mean(axis=1)
    corners = below(list(MOUTH))
    return np.concatenate([
        gaps / np.maximum(length(eyes[:, 0] - eyes[:, 1]), 1e-6),
        [apart(*LIPS_INNER), apart(*MOUTH), apart(*LIPS_OUTER)],
        corners - below(list(LIPS_INNER)).mean(),
        corners - at[BELOW_NOSE, 1],
        (below(BROWS).mean(axis=2) - eyes[..., 1].mean(axis=1)[:, None]).T.ravel(),
        [apart(*FROWN)],
        below([CHIN, LIPS_OUTER[0]]) - at[BELOW_NOSE, 1],
        [at[list(MOUTH), 0].mean()],
    ])  # fmt: skip


def face_vector(at: Float32, *, turn: bool) -> Float32:
    """Return the expression (18,) of 468 points (468, 3) in one unit, and where the head points.

    Lengths in the head's own frame, as spreads from a calm face; then three directions of its axes
    (21,), unless ``turn`` makes it look ahead. Of nine modelled expressions of people who did not
    teach, these tell .88 apart, raw points .72 (`benchmarks/faces.py`).
    """
    axes, middle, width = frame_of(at)
    calm, spread = CALM.T
    own = np.asarray((at - middle) @ axes.T / width, np.float32)
    found = (measures(own) - calm) / spread
    across, down, _ = axes
    head = [] if turn else [across[1], across[2], down[2] - CALM_DOWN]
    return np.concatenate([[REST], found, np.multiply(DIRECTION, head)]).astype(np.float32)
