"""Any picture as a vector: what is in it, whatever it is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..backends.models import find_model
from ..backends.onnx import OnnxModel
from ..core.node import Types
from ..core.packet import Absent, Embedding, Float32, Image, Packet, UInt8
from ..core.services import Services

#: Part of the space's identity: another value asks for `tmstream reembed`.
VERSION = "1"

SPACE = "image"
SIDE = 224  #: pixels the model sees
SMALLEST = 8  #: a smaller region shows nothing

#: The whole middle square, and its inner part mirrored, averaged: with 5 examples a label the first
#: alone gives .89 on groceries, both .91; a third view gains nothing.
INNER = 0.875


@dataclass
class ImageEmbedding:
    """Turns pictures into `Embedding` (1280 numbers, space ``image``) with EfficientNet-Lite0.

    Looks at the middle square, or the middle of ``region`` [left, top, right, bottom] (0..1 of the
    picture). ``hz`` caps how often a stream is looked at. ``path`` is another ``.onnx`` model with
    the same input.

        look: {type: image_embedding, from: cam, hz: 10}
    """

    takes: ClassVar[Types] = (Image,)
    gives: ClassVar[Types] = (Embedding,)
    space: ClassVar[str] = "image"

    region: list[float] | None = None
    hz: float = 15.0
    path: str | None = None
    _model: OnnxModel | None = field(default=None, init=False, repr=False)
    _fingerprint: str = field(default="", init=False, repr=False)
    _source: str = field(default="", init=False, repr=False)
    _next_us: int | None = field(default=None, init=False, repr=False)
    _last_us: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.hz <= 0:
            raise ValueError("hz must be above 0")
        box = self.region
        if box is not None and (
            len(box) != 4 or not (0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1)
        ):
            raise ValueError("region must be [left, top, right, bottom], each 0..1 of the picture")

    def open(self, services: Services) -> None:
        """Verify and load the model; raises `ModelError`."""
        model = find_model("image", self.path)
        self._model = OnnxModel(model)
        told = f"image {VERSION} {self.region} {model.sha256}"
        self._fingerprint = hashlib.sha256(told.encode()).hexdigest()[:16]
        self._source = services.sources[0] if services.sources else ""

    @property
    def fingerprint(self) -> str:
        """Return a hash of what makes the vectors: those of two of them must not be compared."""
        return self._fingerprint

    def process(self, packet: Packet[Any]) -> Iterator[Packet[Any]]:
        """Yield the vector of a picture; those in between, at more than ``hz``, are passed over."""
        assert self._model is not None
        if self._next_us is not None and self._last_us <= packet.t_us < self._next_us:
            self._last_us = packet.t_us
            return
        pixels = packet.data.pixels
        if not _is_picture(pixels):
            yield packet.with_data(Absent(SPACE, "bad_frame", packet.t_us))
            return
        part = cut(pixels, self.region)
        if min(part.shape[:2]) < SMALLEST:
            yield packet.with_data(Absent(SPACE, "bad_frame", packet.t_us))
            return
        self._last_us = packet.t_us
        self._next_us = packet.t_us + round(1e6 / self.hz)
        vector = self._model.run(views(part)).mean(axis=0)
        yield packet.with_data(Embedding(vector, SPACE, packet.t_us, None, self._source))


def _is_picture(pixels: Any) -> bool:
    return (
        isinstance(pixels, np.ndarray)
        and pixels.dtype == np.uint8
        and pixels.ndim == 3
        and pixels.shape[2] == 3
    )


def cut(pixels: UInt8, region: list[float] | None) -> UInt8:
    """Return ``region`` (shares of width and height) of a picture (h, w, 3)."""
    if region is None:
        return pixels
    height, width, _ = pixels.shape
    left, top, right, bottom = region
    return pixels[
        round(top * height) : round(bottom * height), round(left * width) : round(right * width)
    ]


def views(pixels: UInt8) -> Float32:
    """Return what the model is shown: float32 (2, 3, 224, 224), (value - 127) / 128."""
    import cv2

    height, width, _ = pixels.shape
    shown = np.empty((2, 3, SIDE, SIDE), np.float32)
    for at, (share, mirror) in enumerate(((1.0, False), (INNER, True))):
        side = int(min(height, width) * share)
        top, left = (height - side) // 2, (width - side) // 2
        square = np.ascontiguousarray(pixels[top : top + side, left : left + side])
        # Area averaging when shrinking: anything else invents patterns in fine texture.
        how = cv2.INTER_AREA if side > SIDE else cv2.INTER_LINEAR
        small = cv2.resize(square, (SIDE, SIDE), interpolation=how)
        if mirror:
            small = small[:, ::-1]
        shown[at] = ((small.astype(np.float32) - 127) / 128).transpose(2, 0, 1)
    return shown
