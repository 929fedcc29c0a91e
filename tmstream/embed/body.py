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
    angles,
    length,
    middle,
    square,
    unit,
    visible,
)

#: Part of the space's identity: another value asks for `tmstream reembed`.
VERSION = "2"

#: A point seen this well counts in full; below, its features fade to those of somebody at rest.
SEEN = 0.6

ARMS = tuple(zip(SHOULDERS, ELBOWS, strict=True)) + tuple(zip(ELBOWS, WRISTS, strict=True))
REACHES = tuple(zip(SHOULDERS, WRISTS, strict=True))
LEGS = tuple(zip(HIPS, KNEES, strict=True)) + tuple(zip(KNEES, ANKLES, strict=True))

#: Start and end of what `_upper` points at, and of every limb, as rows of indices.
_UPPER = np.array([*ARMS, *REACHES]).T
_LIMBS = np.array([*ARMS, *LEGS]).T

#: Joints of the whole body as (end, joint, end), and their angle in radians when standing at rest;
#: 33..36 stand for the middles of shoulders, hips, knees and ankles.
JOINTS = (
    (11, 13, 15), (12, 14, 16), (13, 11, 23), (14, 12, 24), (11, 23, 25), (12, 24, 26),
    (23, 25, 27), (24, 26, 28), (33, 34, 35), (34, 35, 36), (33, 34, 36),
)  # fmt: skip
_JOINTS = tuple(zip(*JOINTS, strict=True))
REST_ANGLES = np.array([2.7, 2.7, 0.4, 0.4, 3, 3, 3, 3, 3, 3, 3], np.float32)
#: Points whose height above the hips counts, and that height at rest, in shoulder widths downwards.
LEVELS = (NOSE, *SHOULDERS, *ELBOWS, *WRISTS, *KNEES, *ANKLES)
REST_LEVELS = np.array([-2.2, -1.5, -1.5, -0.8, -0.8, -0.1, -0.1, 1.1, 1.1, 2.2, 2.2], np.float32)

DOWN = np.array([0, 1], np.float32)

#: What tells left from right counts this much in the whole body's vector: people do their squats,
#: and bend to a triangle, facing either way.
SIDE = 0.4


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
    """Return what 33 points (33, 4) look like: (27,) for ``upper``, (141,) for ``full``.

    Every feature is about 1 in size, and 0 or what rest gives for a part that cannot be seen.
    """
    at, seen = _seen(points, aspect)
    upper = _upper(at[:, :2], seen)
    if parts == "upper":
        return upper
    at_turned, seen_turned = _seen(mirrored(points), aspect)
    either = _either_way(upper, _upper(at_turned[:, :2], seen_turned))
    return np.concatenate([_whole(at, seen), either]).astype(np.float32)


def _seen(points: Float32, aspect: float) -> tuple[Float32, Float32]:
    """Return x, y, z in one unit, and how well each point is seen, 0..1."""
    seen = np.clip(points[:, 3] / SEEN, 0, 1) * visible(points, 0)
    return square(points, aspect), seen.astype(np.float32)


def _either_way(one: Float32, turned: Float32) -> Float32:
    """Return what a vector has in common with its mirror image, how they differ, and which way.

    With it instead of ``one``, 5 examples a label tell .93 instead of .91 of other people's fitness
    poses, and their standing as members rises: a bend to the other side is no stranger any more
    (turned away wrongly: yoga 5 % before, none after).
    """
    common, own = (one + turned) / 2, (one - turned) / 2
    return np.concatenate([common, np.abs(own), SIDE * own])


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
    start, end = _UPPER
    weight = seen[end, None]
    # A hidden arm hangs down: most often it is below the picture.
    made = [(weight * unit(at[end] - at[start]) + (1 - weight) * DOWN).ravel()]
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

    What does not tell the two sides of a profile apart counts in full, which side it is by `SIDE`.
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
        made.append(shown * (angles(*(joined[list(column)] for column in _JOINTS)) - REST_ANGLES))
    upright = unit(chest - pelvis)
    made.append(hips * np.array([abs(upright[0]), upright[1] + 1, SIDE * upright[0]]))
    start, end = _LIMBS
    x, y = unit(flat[end] - flat[start]).T
    weights = np.concatenate([seen[[*ELBOWS, *WRISTS]], legs])
    made.append((weights * np.stack([np.abs(x), y - 1, SIDE * x])).T.ravel())
    return np.concatenate(made).astype(np.float32)
