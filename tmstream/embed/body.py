"""How somebody stands, as a vector: where limbs point, how joints bend, at any size and place."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from ..core.node import Types
from ..core.packet import Absent, Embedding, Float32, Landmarks, Packet
from ..core.services import Services
from ..maths.geometry import (
    ANKLES,
    BODY_PAIRS,
    ELBOWS,
    HIPS,
    KNEES,
    NOSE,
    SHOULDERS,
    WRISTS,
    angle,
    length,
    middle,
    square,
    unit,
    visible,
)

#: Part of the space's identity: another value asks for `tmstream reembed`.
VERSION = "1"

#: A point seen this well counts in full; below, its features fade to those of somebody at rest.
SEEN = 0.6

ARMS = tuple(zip(SHOULDERS, ELBOWS, strict=True)) + tuple(zip(ELBOWS, WRISTS, strict=True))
REACHES = tuple(zip(SHOULDERS, WRISTS, strict=True))
LEGS = tuple(zip(HIPS, KNEES, strict=True)) + tuple(zip(KNEES, ANKLES, strict=True))

#: Joints of the whole body as (end, joint, end), and their angle in radians when standing at rest;
#: 33..36 stand for the middles of shoulders, hips, knees and ankles.
JOINTS = (
    (11, 13, 15), (12, 14, 16), (13, 11, 23), (14, 12, 24), (11, 23, 25), (12, 24, 26),
    (23, 25, 27), (24, 26, 28), (33, 34, 35), (34, 35, 36), (33, 34, 36),
)  # fmt: skip
REST_ANGLES = np.array([2.7, 2.7, 0.4, 0.4, 3, 3, 3, 3, 3, 3, 3], np.float32)
#: Points whose height above the hips counts, and that height at rest, in shoulder widths downwards.
LEVELS = (NOSE, *SHOULDERS, *ELBOWS, *WRISTS, *KNEES, *ANKLES)
REST_LEVELS = np.array([-2.2, -1.5, -1.5, -0.8, -0.8, -0.1, -0.1, 1.1, 1.1, 2.2, 2.2], np.float32)

DOWN = np.array([0, 1], np.float32)


@dataclass
class BodyEmbedding:
    """Turns each person's landmarks into an `Embedding` of how they stand.

    ``parts: upper`` (space ``body.upper``) needs head, shoulders and arms, so that sitting, a desk
    or a wheelchair makes no difference; ``full`` (``body.full``) adds torso and legs, and says
    nothing of somebody whose knees are hidden. ``either_side`` makes left and right the same.

        pose: {type: body_embedding, from: body}
    """

    takes: ClassVar[Types] = (Landmarks,)
    gives: ClassVar[Types] = (Embedding,)

    parts: Literal["upper", "full"] = "upper"
    either_side: bool = False
    _source: str = field(default="", init=False, repr=False)

    @property
    def space(self) -> str:
        """Return the space of its vectors."""
        return f"body.{self.parts}"

    def open(self, services: Services) -> None:
        """Learn the source's name."""
        self._source = services.sources[0] if services.sources else ""

    @property
    def fingerprint(self) -> str:
        """Return a hash of what makes the vectors: those of two of them must not be compared."""
        told = f"body {VERSION} {self.parts} {self.either_side}"
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def process(self, packet: Packet[Any]) -> Iterator[Packet[Any]]:
        """Yield the vector of one person; landmarks of anything else are passed over."""
        data: Landmarks = packet.data
        if data.space != "body" or data.points.shape != (33, 4):
            return
        space = self.space
        if not np.isfinite(data.points).all():
            yield packet.with_data(Absent(space, "not_finite", packet.t_us, data.subject))
            return
        if self.parts == "full" and not visible(data.points[list(KNEES)]).any():
            return
        vector = body_vector(data.points, data.aspect, self.parts)
        if self.either_side:
            other = body_vector(mirrored(data.points), data.aspect, self.parts)
            both = np.concatenate([vector + other, np.abs(vector - other)])
            vector = (both / 2).astype(np.float32)
        yield packet.with_data(Embedding(vector, space, packet.t_us, data.subject, self._source))


def body_vector(points: Float32, aspect: float, parts: str) -> Float32:
    """Return what 33 points (33, 4) look like: (27,) for ``upper``, (87,) for ``full``.

    Every feature is about 1 in size, and 0 or what rest gives for a part that cannot be seen.
    """
    at = square(points, aspect)
    seen = np.clip(points[:, 3] / SEEN, 0, 1) * visible(points, 0)
    upper = _upper(at[:, :2], seen)
    if parts == "upper":
        return upper
    return np.concatenate([_whole(at, seen), upper]).astype(np.float32)


def mirrored(points: Float32) -> Float32:
    """Return the body (33, 4) as a mirror shows it: x turned, left and right exchanged."""
    order = np.arange(33)
    for left, right in BODY_PAIRS:
        order[[left, right]] = right, left
    turned = points[order].copy()
    turned[:, 0] = 1 - turned[:, 0]
    return turned


def _upper(at: Float32, seen: Float32) -> Float32:
    """Return arms, hands to head and to shoulders, head and lean of the trunk, from x and y.

    Two dimensions, because depth is a guess: with z, accuracy on webcam poses fell from 1.0 to .92.
    """
    chest = middle(at, SHOULDERS)
    head = at[NOSE] - chest
    # Turned sideways the shoulders meet; the neck does not shrink.
    scale = max(float(length(at[SHOULDERS[0]] - at[SHOULDERS[1]])), 1.2 * float(length(head)), 1e-6)
    made = []
    for start, end in (*ARMS, *REACHES):
        # A hidden arm hangs down: most often it is below the picture.
        made.append(seen[end] * unit(at[end] - at[start]) + (1 - seen[end]) * DOWN)
    for wrist in WRISTS:
        made.append(0.5 * seen[wrist] * (at[wrist] - chest) / scale)
        made.append(0.5 * seen[wrist] * (at[wrist] - at[NOSE]) / scale)
    apart = float(length(at[WRISTS[0]] - at[WRISTS[1]])) / scale
    made.append(np.array([0.5 * seen[list(WRISTS)].min() * apart - 0.5]))
    for shoulder, elbow, wrist in zip(SHOULDERS, ELBOWS, WRISTS, strict=True):
        bent = float(unit(at[shoulder] - at[elbow]) @ unit(at[wrist] - at[elbow]))
        made.append(np.array([seen[wrist] * bent - (1 - seen[wrist])]))
    made.append(0.5 * head / scale + np.array([0, 0.3]))
    upright = unit(chest - middle(at, HIPS))
    made.append(seen[list(HIPS)].min() * (upright + DOWN))
    return np.concatenate(made).astype(np.float32)


def _whole(at: Float32, seen: Float32) -> Float32:
    """Return heights, joint angles flat and in space, and where limbs point.

    What does not tell the two sides of a profile apart counts in full, which side it is by 0.4:
    people do their squats facing either way.
    """
    flat = at[:, :2]
    chest, pelvis = middle(flat, SHOULDERS), middle(flat, HIPS)
    trunk = max(
        float(length(chest - pelvis)) / 2, float(length(flat[SHOULDERS[0]] - flat[SHOULDERS[1]]))
    )
    hips = float(seen[list(HIPS)].min())
    legs = hips * seen[[*KNEES, *ANKLES]]
    both = np.array([hips, hips * seen[list(KNEES)].min(), hips * seen[list(ANKLES)].min()])

    level = (flat[list(LEVELS), 1] - pelvis[1]) / max(trunk, 1e-6)
    made = [np.concatenate([np.full(7, hips), legs]) * (np.clip(level, -4, 4) - REST_LEVELS)]
    shown = np.concatenate([seen[list(WRISTS)], [hips, hips], legs, both[[1, 2, 2]]])
    for points in (flat, at):
        middles = [middle(points, pair) for pair in (SHOULDERS, HIPS, KNEES, ANKLES)]
        joined = np.vstack([points, middles])
        bent = np.array([angle(*joined[list(joint)]) for joint in JOINTS])
        made.append(shown * (bent - REST_ANGLES))
    upright = unit(chest - pelvis)
    made.append(hips * np.array([abs(upright[0]), upright[1] + 1, 0.4 * upright[0]]))
    for (start, end), weight in zip(
        (*ARMS, *LEGS), [*seen[[*ELBOWS, *WRISTS]], *legs], strict=True
    ):
        x, y = unit(flat[end] - flat[start])
        made.append(weight * np.array([abs(x), y - 1, 0.4 * x]))
    return np.concatenate(made).astype(np.float32)
