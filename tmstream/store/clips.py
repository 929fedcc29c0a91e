"""Clips: sound as FLAC, pictures as JPEG, landmarks as compressed MessagePack, and back."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from ..core.errors import InputError
from ..core.packet import Landmarks, Packet, UInt8
from .records import LANDMARKS, Clip

JPEG_QUALITY = 85
MAX_SIDE = 640  #: pixels of a kept picture's longer side
MAX_LANDMARK_BYTES = 16 * 2**20  #: unpacked


class _Pose(msgspec.Struct, array_like=True):
    t_us: int
    space: str
    subject: str | None
    aspect: float
    side: str | None
    points: bytes  # float32, little-endian, (points, 4)


def from_audio(samples: npt.NDArray[Any], rate_hz: int) -> Clip:
    """Return ``samples`` (int16, or float in [-1, 1]; ``(n, channels)``) as 16 bit FLAC."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format="FLAC", subtype="PCM_16")
    return Clip(file.getvalue(), "audio/flac")


def from_picture(pixels: UInt8) -> Clip:
    """Return a picture (uint8 ``(h, w, 3)``, RGB) as JPEG, its longer side at most `MAX_SIDE`."""
    import cv2

    bgr: npt.NDArray[Any] = np.ascontiguousarray(pixels[:, :, ::-1])
    scale = MAX_SIDE / max(pixels.shape[:2])
    if scale < 1:
        size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
        bgr = cv2.resize(bgr, size, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise InputError("a picture could not be written as JPEG")
    return Clip(data.tobytes(), "image/jpeg")


def from_landmarks(packets: Sequence[Packet[Landmarks]]) -> Clip:
    """Return landmarks with their times, exactly."""
    poses = [
        _Pose(
            packet.t_us,
            packet.data.space,
            packet.data.subject,
            packet.data.aspect,
            packet.data.side,
            np.ascontiguousarray(packet.data.points, "<f4").tobytes(),
        )
        for packet in packets
    ]
    return Clip(zlib.compress(msgspec.msgpack.encode(poses)), LANDMARKS)


def to_landmarks(clip: Clip) -> list[Packet[Landmarks]]:
    """Return the landmarks of a clip; `InputError` when it holds none, or is a bomb."""
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(clip.data, MAX_LANDMARK_BYTES)
        if unpacker.unconsumed_tail:
            raise InputError(f"a landmark clip unpacks to more than {MAX_LANDMARK_BYTES} bytes")
        poses = msgspec.msgpack.decode(data, type=list[_Pose])
    except (zlib.error, msgspec.DecodeError) as error:
        raise InputError(f"not a landmark clip: {error}") from error
    packets = []
    for pose in poses:
        points = np.frombuffer(pose.points[: len(pose.points) // 16 * 16], "<f4").reshape(-1, 4)
        if pose.side not in (None, "left", "right") or not np.isfinite(points).all():
            raise InputError("a landmark clip holds something else than landmarks")
        data_ = Landmarks(points, pose.space, pose.subject, pose.aspect, pose.side)  # type: ignore[arg-type]
        packets.append(Packet(pose.t_us, data_))
    return packets
