"""Bring your own model: any ONNX file with one input becomes an embedder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from ..backends.models import find_model
from ..backends.onnx import OnnxModel
from ..core.errors import ModelError
from ..core.node import Types
from ..core.packet import Absent, Embedding, Features, Float32, Image, Landmarks, Packet
from ..core.services import Services


@dataclass
class OnnxEmbedding:
    """Runs a user's ONNX model on each packet; its first output, flattened, is the `Embedding`.

    ``input`` says what the model eats: ``image`` (float32 (1, 3, size, size), RGB, NCHW),
    ``image_nhwc`` ((1, size, size, 3)), ``landmarks`` ((1, points, 4)) or ``features``
    ((1, frames, bins)). Pictures are cut to the middle square, resized to ``size``, and become
    ``(value - mean) / std``.

        mine: {type: onnx, from: cam, path: mine.onnx, space: mine, input: image, size: 224}
    """

    takes: ClassVar[Types] = (Image, Landmarks, Features)
    gives: ClassVar[Types] = (Embedding,)

    path: str
    space: str = "custom"
    input: Literal["image", "image_nhwc", "landmarks", "features"] = "image"
    size: int = 224
    mean: float = 127.5
    std: float = 127.5
    _model: OnnxModel | None = field(default=None, init=False, repr=False)
    _fingerprint: str = field(default="", init=False, repr=False)
    _source: str = field(default="", init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.space or not self.space.isprintable():
            raise ValueError("space must be a name")
        if not 1 <= self.size <= 2048:
            raise ValueError("size must be 1 to 2048")
        if self.std <= 0:
            raise ValueError("std must be above 0")

    def open(self, services: Services) -> None:
        """Load the model; raises `ModelError` when it cannot be read or wants another input."""
        model = find_model(self.space, self.path)
        self._model = OnnxModel(model)
        rank = {"image": 4, "image_nhwc": 4, "landmarks": 3, "features": 3}[self.input]
        if len(self._model.input_shape) != rank or self._model.input_type != "tensor(float)":
            raise ModelError(
                f"{self.path}: takes {self._model.input_type} {self._model.input_shape}, "
                f"but input: {self.input} gives float32 with {rank} dimensions"
            )
        self._fingerprint = f"{model.sha256[:12]} {self.input} {self.size} {self.mean} {self.std}"
        self._source = services.sources[0] if services.sources else ""

    @property
    def fingerprint(self) -> str:
        """Return what makes the vectors: those of two of them must not be compared."""
        return self._fingerprint

    def process(self, packet: Packet[Any]) -> Iterator[Packet[Any]]:
        """Yield the model's answer to one packet; packets of another kind are passed over."""
        assert self._model is not None
        values = self._eaten(packet.data)
        if values is None:
            return
        data = packet.data
        subject = data.subject if isinstance(data, Landmarks) else None
        reason = "not_finite"
        if values.size and np.isfinite(values).all():
            try:
                vector = np.ravel(self._model.run(values)).astype(np.float32)
            # onnxruntime's errors share no base class below Exception; a wrong shape is one.
            except Exception:  # noqa: BLE001
                vector = np.full(1, np.nan, np.float32)
                reason = "wrong_shape"
            if np.isfinite(vector).all():
                end_us = packet.t_us
                if isinstance(data, Features):  # its last row
                    end_us += round((len(data.values) - 1) * data.hop_s * 1e6)
                made = Embedding(vector, self.space, end_us, subject, self._source)
                yield packet.with_data(made)
                return
        yield packet.with_data(Absent(self.space, reason, packet.t_us, subject))

    def _eaten(self, data: Any) -> Float32 | None:
        if self.input in ("image", "image_nhwc"):
            if not isinstance(data, Image) or data.pixels.ndim != 3 or 0 in data.pixels.shape:
                return None
            return self._picture(data.pixels)
        if self.input == "landmarks":
            return data.points[None].astype(np.float32) if isinstance(data, Landmarks) else None
        return data.values[None].astype(np.float32) if isinstance(data, Features) else None

    def _picture(self, pixels: Any) -> Float32:
        import cv2

        height, width = pixels.shape[:2]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        square = np.ascontiguousarray(pixels[top : top + side, left : left + side])
        how = cv2.INTER_AREA if side > self.size else cv2.INTER_LINEAR
        small = np.asarray(cv2.resize(square, (self.size, self.size), interpolation=how))
        shown = ((small.astype(np.float32) - self.mean) / self.std)[None]
        if self.input == "image":
            shown = shown.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(shown, np.float32)
