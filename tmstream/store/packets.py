"""Packets as bytes and back: every payload of `core.packet`, floats bit for bit.

Sound is gathered into one block per node. It is kept as FLAC where that loses nothing (its samples
are whole 16 bit steps), and otherwise as float32 with equal bytes put side by side, which packs
better. Pictures are JPEG: what is replayed is the picture as recorded.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np

from ..core import packet as payloads
from ..core.errors import InputError
from ..core.packet import Audio, Float32, Image, Packet

Named: TypeAlias = tuple[str, Packet[Any]]  #: the node that gave it, and what it gave

#: What can be kept besides `Audio` and `Image`, by name.
KINDS: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        payloads.Landmarks,
        payloads.Features,
        payloads.Embedding,
        payloads.Absent,
        payloads.Scores,
        payloads.Event,
        payloads.Presence,
        payloads.Gap,
    )
}

#: All that can be kept.
PAYLOADS: tuple[type, ...] = (Audio, Image, *KINDS.values())

JPEG_QUALITY = 90
MAX_SIDE = 8192  #: pixels; a larger picture is not one of ours
_STEP = np.float32(32768)
_TIMES = ("end_us", "onset_us")


def encode(packets: Iterable[Named], *, exact: bool = True) -> list[list[Any]]:
    """Return entries ready for MessagePack; without ``exact`` sound is rounded to 16 bits."""
    entries: list[list[Any]] = []
    sound: dict[str, list[Packet[Audio]]] = {}
    for node, packet in packets:
        waiting = sound.get(node, [])
        if isinstance(packet.data, Audio):
            if waiting and not _alike(waiting[-1].data, packet.data):
                entries.append(_sound(node, sound.pop(node), exact))
            sound.setdefault(node, []).append(packet)
            continue
        if waiting:
            entries.append(_sound(node, sound.pop(node), exact))
        if isinstance(packet.data, Image):
            entries.append(_picture(node, packet))
        else:
            fields = msgspec.to_builtins(
                packet.data, builtin_types=(bytes,), enc_hook=_pack_array, str_keys=False
            )
            entries.append([type(packet.data).__name__, node, packet.t_us, fields])
    entries.extend(_sound(node, rest, exact) for node, rest in sound.items())
    return entries


def decode(entries: Sequence[Any], nodes: frozenset[str] | None = None) -> Iterator[Named]:
    """Yield what `encode` was given, of ``nodes`` only if named.

    Raises:
        InputError: not entries of ours.
    """
    for entry in entries:
        try:
            kind, node = entry[0], entry[1]
            if nodes is not None and node not in nodes:
                continue
            if kind == "Audio":
                yield from ((node, packet) for packet in _heard(*entry[2:]))
            elif kind == "Image":
                yield node, _seen(*entry[2:])
            else:
                data: Any = msgspec.convert(entry[3], KINDS[kind], dec_hook=_unpack_array)
                yield node, Packet(entry[2], data)
        except InputError:
            raise
        except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"a recorded packet cannot be read: {error!r}") from error


def earlier(packet: Packet[Any], by_us: int) -> Packet[Any]:
    """Return ``packet`` with every instant in it moved ``by_us`` towards the past."""
    if by_us == 0:
        return packet
    moved = {
        name: getattr(packet.data, name) - by_us
        for name in _TIMES
        if getattr(packet.data, name, None) is not None
    }
    data = msgspec.structs.replace(packet.data, **moved) if moved else packet.data
    return Packet(packet.t_us - by_us, data)


def _alike(one: Audio, other: Audio) -> bool:
    return one.rate_hz == other.rate_hz and one.samples.shape[1] == other.samples.shape[1]


def _sound(node: str, packets: list[Packet[Audio]], exact: bool) -> list[Any]:
    samples = np.concatenate([packet.data.samples for packet in packets])
    rate_hz, channels = packets[0].data.rate_hz, samples.shape[1]
    whole = np.zeros(samples.shape, np.int16)
    lossless = bool(np.isfinite(samples).all())
    if lossless:
        whole = np.clip(np.rint(samples * _STEP), -32768, 32767).astype(np.int16)
        # Compared as bytes: minus zero is not zero.
        lossless = (whole / _STEP).astype(np.float32).tobytes() == samples.tobytes()
    if (lossless or not exact) and channels <= 8 and rate_hz <= 192_000 and len(whole):
        import soundfile

        file = io.BytesIO()
        soundfile.write(file, whole, rate_hz, format="FLAC", subtype="PCM_16")
        codec, data = "flac", file.getvalue()
    else:
        flat = np.ascontiguousarray(samples, "<f4").view(np.uint8).reshape(-1, 4)
        codec, data = "float32", flat.T.tobytes()
    times = [packet.t_us for packet in packets]
    lengths = [len(packet.data.samples) for packet in packets]
    return ["Audio", node, times, lengths, rate_hz, channels, codec, data]


def _heard(
    times: list[int], lengths: list[int], rate_hz: int, channels: int, codec: str, data: bytes
) -> Iterator[Packet[Audio]]:
    if codec == "flac":
        import soundfile

        whole, _ = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)
        samples: Float32 = (whole / _STEP).astype(np.float32)
    else:
        flat = np.frombuffer(data, np.uint8).reshape(4, -1).T
        samples = np.ascontiguousarray(flat).view("<f4").reshape(-1, channels)
    if samples.shape != (sum(lengths), channels) or len(times) != len(lengths):
        raise InputError("a recorded sound has another length than it says")
    start = 0
    for t_us, length in zip(times, lengths, strict=True):
        yield Packet(t_us, Audio(samples[start : start + length], rate_hz))
        start += length


def _picture(node: str, packet: Packet[Image]) -> list[Any]:
    import cv2

    pixels = np.ascontiguousarray(packet.data.pixels[:, :, ::-1])
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise InputError("a picture could not be written as JPEG")
    return ["Image", node, packet.t_us, list(pixels.shape[:2]), data.tobytes()]


def _seen(t_us: int, shape: list[int], data: bytes) -> Packet[Image]:
    import cv2

    if max(shape) > MAX_SIDE:
        raise InputError(f"a recorded picture of {shape} pixels is too large")
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None or list(pixels.shape[:2]) != shape:
        raise InputError("a recorded picture cannot be read")
    return Packet(t_us, Image(np.ascontiguousarray(pixels[:, :, ::-1])))


def _pack_array(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        array = np.ascontiguousarray(value, "<f4")
        return [list(value.shape), array.tobytes()]
    raise TypeError(f"cannot keep a {type(value).__name__}")


def _unpack_array(kind: Any, value: Any) -> Any:
    shape, data = value
    return np.frombuffer(data, "<f4").astype(np.float32).reshape(shape)
