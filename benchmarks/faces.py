"""Faces: where their points lie beside the body's, and which expressions are told apart.

There are no labelled expressions here. So they are modelled: the points found on people's photos
are moved as a smile or a raised brow moves them, each time by another amount, turned by a few
degrees and shaken. Who teaches and who is asked are different people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from tmstream.backends.pictures import decode_picture
from tmstream.core.packet import Embedding, Float32, Gap, Image, Landmarks, Packet, UInt8
from tmstream.embed.face import LIDS, MOUTH, SPACE, face_vector, frame_of
from tmstream.features.body import BodyLandmarks
from tmstream.features.face import FaceLandmarks
from tmstream.head.knn import Knn
from tmstream.head.scratch import Scratch
from tmstream.maths.geometry import length, square, unit
from tmstream.store.project import NewExample
from tmstream.testing import FakeServices, opened

from .measure import Row
from .sets import DATA

#: Sets of photos with people, and how many letters of a file's name say who.
PHOTOS = {"webcam_pose_photos": 2, "hand_gestures_photos": 8}
CALM = ("calm", "gape", "smile", "kiss", "brows up", "frown", "eyes shut", "wink", "sad")
TURNED = {
    "to the left": (28, 0, 0), "to the right": (-28, 0, 0), "up": (0, 18, 0), "down": (0, -18, 0),
    "tilted": (0, 0, 22),
}  # fmt: skip
SHOTS, DRAWS = 5, 6
#: Nose, right and left eye, right and left corner of the mouth: of the body.
BODY = [0, 5, 2, 10, 9]
CHEEKS = (234, 454)


class Seen(NamedTuple):
    """One photo: who it shows, and the points found in it, x and y in units of its height."""

    who: str
    face: Float32
    mirrored: Float32
    body: Float32
    body_mirrored: Float32


def photos() -> Iterator[Seen]:
    """Yield every photo in which face and body are found, also mirrored."""
    nodes = opened(FaceLandmarks()), opened(BodyLandmarks())

    def look(node: Any, pixels: UInt8) -> Float32 | None:
        list(node.process(Packet(0, Gap("another photo"))))
        made = [one.data for one in node.process(Packet(0, Image(pixels)))]
        found = next((one for one in made if isinstance(one, Landmarks)), None)
        return None if found is None else square(found.points, found.aspect)

    try:
        for folder, letters in PHOTOS.items():
            for file in sorted((DATA / folder).glob("*/*.jpg")):
                pixels = decode_picture(file)
                aspect = pixels.shape[1] / pixels.shape[0]
                turned = np.ascontiguousarray(pixels[:, ::-1])
                found = [look(node, one) for node in nodes for one in (pixels, turned)]
                if any(one is None for one in found):
                    continue
                for back in (found[1], found[3]):
                    back[:, 0] = aspect - back[:, 0]  # type: ignore[index]
                yield Seen(file.name[:letters], *found)  # type: ignore[arg-type]
    finally:
        for node in nodes:
            node.close()


def features(face: Float32) -> Float32:
    """Return nose, eyes and corners of the mouth (5, 2) of a face's points, right before left."""
    eyes = [face[[*LIDS[side][0], *corners], :2].mean(axis=0)
            for side, corners in enumerate(((33, 133), (362, 263)))]  # fmt: skip
    return np.array([face[4, :2], *eyes, *face[list(MOUTH), :2]])


def moved(face: Float32, what: str, much: float) -> Float32:
    """Return a face in its own frame (468, 3) with an expression, ``much`` of it (1: usual)."""
    made = face.copy()

    def pull(point: int, reach: float, by: tuple[float, float]) -> None:
        near = np.exp(-np.square(face[:, :2] - face[point, :2]).sum(axis=1) / (2 * reach**2))
        if point in (105, 334, 107, 336):
            near = near * (face[:, 1] < -0.02)  # brows move without the eyes
        made[:, :2] += near[:, None] * np.multiply(by, much)

    if what == "gape":
        lips = face[[13, 14], 1].mean()
        below = 1 / (1 + np.exp(-(face[:, 1] - lips) / 0.02))
        made[:, 1] += 0.22 * much * below * np.exp(-((face[:, 0] / 0.6) ** 2))
    for point, side in zip(MOUTH, (-1, 1), strict=True):
        if what in ("smile", "sad"):
            pull(point, 0.15, (0.09 * side, -0.08) if what == "smile" else (0.0, 0.07))
    for outer, inner, side in ((105, 107, 1), (334, 336, -1)):
        if what == "brows up":
            pull(outer, 0.22, (0.0, -0.1))
        if what == "frown":
            pull(inner, 0.15, (0.05 * side, 0.07))
    if what == "kiss":
        near = np.exp(-np.square(face[:, :2] - face[13, :2]).sum(axis=1) / (2 * 0.22**2))
        made[:, 0] -= near * 0.45 * much * (face[:, 0] - face[13, 0])
    for lids in LIDS[: {"eyes shut": 2, "wink": 1}.get(what, 0)]:
        for upper, lower in lids:
            made[upper, 1] += (face[lower, 1] - face[upper, 1]) * min(0.9 * much, 1.0)
    return made


def shown(face: Float32, what: str, rng: np.random.Generator) -> Float32:
    """Return somebody's face with an expression or turned, as it may look once."""
    much = rng.uniform(0.7, 1.3)
    made = moved(face, what, much) + rng.normal(0, 0.004, face.shape)
    yaw, pitch, roll = np.radians(
        np.multiply(TURNED.get(what, (0, 0, 0)), much) + rng.normal(0, 5, 3)
    )
    about = [
        [[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]],
        [[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]],
        [[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]],
    ]
    return np.asarray(made @ np.linalg.multi_dot(about).T, np.float32)


def told_apart(
    faces: dict[str, Float32], labels: Sequence[str], vector: Callable[[Float32], Float32]
) -> tuple[float, float]:
    """Return the shares of first labels and of answers that are right, of people not taught."""
    first = answered = asked = 0
    for draw in range(DRAWS):
        rng = np.random.default_rng(draw)
        people = list(rng.permutation(list(faces)))
        book, head = Scratch(), Knn()
        book.add([
            NewExample(
                label, SPACE, vector(shown(faces[who], label, rng)), f"{who} {label}", person=who
            )
            for who in people[:SHOTS] for label in labels
        ])  # fmt: skip
        head.open(FakeServices(), book)
        for who in people[SHOTS:]:
            for label in labels:
                asked += 1
                now_us = asked * 60_000_000
                one = Embedding(vector(shown(faces[who], label, rng)), SPACE, now_us, "f1")
                (scores,) = [p.data for p in head.process(Packet(now_us, one))]
                first += scores.results[0].label == label
                answered += scores.label == label
    return first / asked, answered / asked


def rows() -> Iterator[Row]:
    """Yield the figures; without the data, nothing."""
    if not DATA.is_dir():
        print(f"   no real data at {DATA} (set TMSTREAM_DATA)")
        return
    seen = list(photos())

    def beside(one: Callable[[Seen], Float32], other: Callable[[Seen], Float32]) -> float:
        """Return the median difference of two sets of five points, in widths of the face."""
        return float(np.median([
            length(one(s) - other(s)).mean() / length(s.face[CHEEKS[0]] - s.face[CHEEKS[1]])
            for s in seen
        ]))  # fmt: skip

    swapped = [0, 2, 1, 4, 3]
    of_body = beside(lambda s: s.body[BODY, :2], lambda s: s.body_mirrored[BODY, :2][swapped])
    apart = beside(lambda s: features(s.face), lambda s: s.body[BODY, :2])
    itself = beside(lambda s: features(s.face), lambda s: features(s.mirrored)[swapped])
    yield Row(f"nose, eyes, mouth of {len(seen)} faces beside the body's", f"{apart:.3f} of width",
              f"body, mirrored {of_body:.3f}", apart / of_body, "<= 0.05 of the face's width",
              apart <= 0.05)  # fmt: skip
    yield Row("... beside those of the mirrored photo", f"{itself:.3f} of width",
              f"body {of_body:.3f}", itself / of_body, "<= 0.02", itself <= 0.02)  # fmt: skip
    faces: dict[str, Float32] = {}
    for s in seen:
        axes, middle, width = frame_of(s.face)
        faces.setdefault(s.who, np.asarray((s.face - middle) @ axes.T / width, np.float32))
    for what, labels in (("", CALM), (" and turned", (*CALM, *TURNED))):
        vote, answered = told_apart(faces, labels, lambda face: face_vector(face, turn=False))
        raw, _ = told_apart(faces, labels, lambda face: unit((face - face.mean(axis=0)).ravel()))
        yield Row(f"{len(labels)} faces modelled{what} on {len(faces)} people, {SHOTS}-shot",
                  f"vote {vote:.3f} answered {answered:.3f}", f"raw points {raw:.3f}", vote / raw,
                  ">= raw points", vote >= raw)  # fmt: skip
