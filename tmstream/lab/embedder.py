"""From a sample to its embeddings, by the same nodes that would meet it live.

One walk stays open for all samples of a kind, so models load once; a `Gap` between two samples lets
nothing of one reach the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..backends.pictures import decode_picture
from ..core.errors import DeviceError, InputError
from ..core.node import Transform
from ..core.packet import Absent, Audio, Embedding, Float32, Gap, Image, Landmarks, Packet
from ..engine.graph import Graph
from ..store import clips
from ..store.project import Clip
from . import augment, decode
from .part import Part
from .samples import Sample

#: Quiet before and after a sound that comes without any: what the segmenter needs to see its edges.
QUIET_S = 0.6
#: A sound quieter than this (RMS of its loudest tenth of a second, dB re full scale) is none.
SILENT_DB = -62.0
#: Other sounds of a clip count when at most this much weaker than its strongest (energy, dB).
WEAKER_DB = 20.0
#: When nothing stands out, this much around the loudest moment is taken as the sound.
LOUDEST_S = (0.4, 0.8)
LOUDEST_DB = -20.0
#: What is kept with an example around its sound, to embed it again one day.
KEEP_AROUND_S = 0.5
MOST_CLIP_S = 40.0
#: Time between two samples on the walk's clock.
APART_US = 60_000_000

SAID = {
    "silence": "silent",
    "no_person": "no person found",
    "no_hand": "no hand found",
    "too_dark": "too dark",
    "not_finite": "holds NaN or infinity",
}
#: Causes of a failure to decode that are worth saying for each label.
CAUSES = ("no such file", "no such sound file", "a coordinate is missing or not a finite number")


@dataclass(frozen=True)
class Heard:
    """What one sample gave: embeddings and absences, with times from the sample's beginning."""

    sample: Sample
    packets: tuple[tuple[str, Packet[Any]], ...] = ()  #: with the node that gave each
    reason: str | None = None  #: why there is no embedding
    error: str | None = None  #: why it could not be decoded
    note: str | None = None  #: what was done to find something after all
    weights: dict[int | None, float] = field(default_factory=dict)  #: energy of each sound by take
    raw: Any = field(default=None, repr=False)  #: what a clip can be made of

    @property
    def embeddings(self) -> list[Packet[Embedding]]:
        """Return what was found, in order of time."""
        return [packet for _, packet in self.packets if isinstance(packet.data, Embedding)]

    @property
    def why(self) -> str:
        """Say why it was skipped."""
        if self.error:
            known = next((one for one in CAUSES if self.error.endswith(one)), None)
            return f"cannot decode: {known}" if known else "cannot decode"
        return SAID.get(self.reason or "", self.reason or "")

    def clip(self, packet: Packet[Embedding]) -> Clip | None:
        """Return what to keep with an example: the sound around it, the picture, the landmarks."""
        raw = self.raw
        if isinstance(raw, decode.Sound):
            return _sound_clip(raw, self.packets, packet)
        if isinstance(raw, Image):
            return clips.from_picture(raw.pixels)
        return clips.from_landmarks(raw) if isinstance(raw, list) and raw else None


class Embedder:
    """Embeds samples of one kind, one after the other; use it from the thread that opened it."""

    def __init__(self, graph: Graph, services: Sequence[object] = ()) -> None:
        self._source = next(name for name, slot in graph.slots.items() if not slot.spec.sources)
        embeds = [slot for slot in graph.shaped(Transform) if Embedding in slot.factory.gives]
        self.nodes = tuple(slot.name for slot in embeds)
        upstream = {slot.name for slot in graph.shaped(Transform)}
        downstream = {
            s.name for s in graph.shaped(Transform) if set(s.spec.sources) & set(self.nodes)
        }
        self._part = Part(graph, upstream - downstream, services)
        self._now_us = 0

    def __enter__(self) -> Embedder:
        self._part.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._part.__exit__()

    def fingerprints(self) -> dict[str, str]:
        """Return what the embedding nodes were made of, by node, where they say so."""
        nodes = {name: self._part.node(name) for name in self.nodes}
        return {name: n.fingerprint for name, n in nodes.items() if hasattr(n, "fingerprint")}

    def embed(self, sample: Sample) -> Heard:
        """Return what ``sample`` gives; a file that cannot be used says so in the answer."""
        try:
            return self._embed(sample)
        except DeviceError:
            try:
                return self._embed(sample)  # a fresh landmark process is starting
            except DeviceError as error:
                return Heard(sample, reason="cannot_decode", error=str(error))
        except InputError as error:
            return Heard(sample, reason="cannot_decode", error=str(error))

    def _embed(self, sample: Sample) -> Heard:
        if sample.kind == "sound":
            piece = decode.sound(sample)
            if sample.variant is not None:
                piece = augment.sound(piece, sample.variant)
            return self.hear(sample, piece)
        if sample.kind == "picture":
            pixels = decode.picture(sample)
            if sample.variant is not None:
                pixels = augment.picture(pixels, sample.variant)
            image = Image(pixels)
            return self._seen(sample, self._walk([Packet(0, image)]), image)
        if sample.kind == "video":
            frames: list[Image] = []
            with self._stretch() as stretch:

                def show(packet: Packet[Image]) -> None:
                    frames[:] = [packet.data]
                    stretch.push(packet)

                decode.each_frame(sample, show)
            return self._seen(sample, stretch.of_nearest(), frames[0] if frames else None)
        row = decode.landmarks(sample)
        if sample.variant is not None:
            row = augment.landmarks(row, sample.variant)
        packets = [Packet(0, row)]
        return self._seen(sample, self._walk(packets), packets)

    def again(self, clip: Clip) -> Heard:
        """Return what a kept clip gives; raises `InputError` when it cannot be read."""
        sample = Sample(Path("clip"), "clip", "sound")
        if clip.media_type == "audio/flac":
            return self.hear(sample, decode.sound_of(clip.data))
        if clip.media_type == "image/jpeg":
            image = Image(decode_picture(clip.data))
            return self._seen(sample, self._walk([Packet(0, image)]), image)
        poses = clips.to_landmarks(clip)
        first_us = poses[0].t_us if poses else 0
        moved = [Packet(pose.t_us - first_us, pose.data) for pose in poses]
        return self._seen(sample, self._walk(moved), moved)

    def _seen(self, sample: Sample, made: list[tuple[str, Packet[Any]]], raw: Any) -> Heard:
        return Heard(sample, tuple(made), _reason(made, "no_person"), raw=raw)

    # Sound

    def hear(self, sample: Sample, piece: decode.Sound) -> Heard:
        """Return what a piece of sound gives."""
        if not np.isfinite(piece.samples).all():
            return Heard(sample, reason="not_finite")
        if _level_db(_cut(piece, piece.from_s, piece.until_s)) < SILENT_DB:
            return Heard(sample, reason="silence")
        tail = np.zeros((round(QUIET_S * piece.rate_hz), piece.samples.shape[1]), np.float32)
        ended = replace(piece, samples=np.concatenate([piece.samples, tail]))
        whole, loudest = _whole(piece), _loudest(piece)
        tries: list[tuple[str | None, decode.Sound, decode.Sound]] = [
            (None, piece, ended),
            ("no clear beginning; taken whole", whole, whole),
            ("nothing stood out; its loudest part was taken", loudest, loudest),
        ]
        for note, part, shown in tries:
            made, weights = _strong(_asked_for(self._walk(shown.blocks()), part), part)
            if made:
                return Heard(sample, tuple(made), note=note, weights=weights, raw=part)
        return Heard(sample, reason="silence")

    # Walking

    def _walk(self, packets: Sequence[Packet[Any]]) -> list[tuple[str, Packet[Any]]]:
        with self._stretch() as stretch:
            for packet in packets:
                stretch.push(packet)
        return stretch.of_nearest()

    def _stretch(self) -> _Stretch:
        start_us, self._now_us = self._now_us, self._now_us + APART_US
        return _Stretch(self, self._part, self._source, start_us)

    def passed(self, t_us: int) -> None:
        """Note how far the walk's clock went."""
        self._now_us = max(self._now_us, t_us + APART_US)


class _Stretch:
    """The walk of one sample, from its first packet to the `Gap` behind it."""

    def __init__(self, embedder: Embedder, part: Part, source: str, start_us: int) -> None:
        self.made: list[tuple[str, Packet[Any]]] = []
        self.sizes: dict[str | None, float] = {}  #: area of each subject, summed over frames
        self._embedder, self._part, self._source = embedder, part, source
        self._start_us = self._last_us = start_us

    def __enter__(self) -> _Stretch:
        self._push(Packet(self._start_us, Gap("another sample")))
        return self

    def push(self, packet: Packet[Any]) -> None:
        """Hand on a packet whose time counts from the sample's beginning."""
        self._last_us = self._start_us + packet.t_us
        self._push(Packet(self._last_us, packet.data))

    def __exit__(self, *_: object) -> None:
        self._embedder.passed(self._last_us)
        self._push(Packet(self._last_us + 1, Gap("end")))

    def of_nearest(self) -> list[tuple[str, Packet[Any]]]:
        """Return what was made of the subject seen largest and longest: the one it is about."""
        if len(self.sizes) < 2:
            return self.made
        nearest = max(self.sizes, key=lambda subject: self.sizes[subject])
        return [(name, p) for name, p in self.made if p.data.subject in (None, nearest)]

    def _push(self, packet: Packet[Any]) -> None:
        for giver, made in self._part.push(self._source, packet):
            if isinstance(made.data, Landmarks):
                size = self.sizes.get(made.data.subject, 0.0) + _area(made.data)
                self.sizes[made.data.subject] = size
            elif isinstance(made.data, Embedding | Absent):
                data = replace_times(made.data, -self._start_us)
                self.made.append((giver, Packet(made.t_us - self._start_us, data)))


def replace_times(data: Any, by_us: int) -> Any:
    """Return ``data`` with its end moved by ``by_us``."""
    import msgspec

    return msgspec.structs.replace(data, end_us=data.end_us + by_us)


def _area(landmarks: Landmarks) -> float:
    """Return the area of the box around the visible points, in shares of the picture's height."""
    points = landmarks.points
    seen = points[points[:, 3] > 0.5] if (points[:, 3] > 0.5).any() else points
    width, height = np.ptp(seen[:, 0]) * landmarks.aspect, np.ptp(seen[:, 1])
    return float(width * height)


def _reason(made: list[tuple[str, Packet[Any]]], usual: str) -> str | None:
    if any(isinstance(packet.data, Embedding) for _, packet in made):
        return None
    reasons = [packet.data.reason for _, packet in made if isinstance(packet.data, Absent)]
    return max(set(reasons), key=reasons.count) if reasons else usual


_Made = list[tuple[str, Packet[Any]]]


def _asked_for(made: _Made, piece: decode.Sound) -> _Made:
    """Return the sounds that overlap what was asked for, by half of the shorter of the two."""
    spans: dict[int | None, tuple[int, int]] = {}
    for _, packet in made:
        data = packet.data
        if isinstance(data, Embedding):
            first, last = spans.get(data.take, (packet.t_us, data.end_us))
            spans[data.take] = (min(first, packet.t_us), max(last, data.end_us))
    from_us, until_us = piece.from_s * 1e6, piece.until_s * 1e6
    wanted = {
        take
        for take, (first, last) in spans.items()
        if min(last, until_us) - max(first, from_us) >= min(last - first, until_us - from_us) / 2
    }
    return [(n, p) for n, p in made if isinstance(p.data, Embedding) and p.data.take in wanted]


def _strong(made: _Made, piece: decode.Sound) -> tuple[_Made, dict[int | None, float]]:
    """Return the sounds that are not far weaker than the strongest, and the energy of each."""
    energies: dict[int | None, float] = {}
    for _, packet in made:
        heard = _cut(piece, packet.t_us / 1e6, packet.data.end_us / 1e6).samples
        energy = float((heard.astype(np.float64) ** 2).sum())
        energies[packet.data.take] = max(energies.get(packet.data.take, 0.0), energy)
    least = max(energies.values(), default=0.0) * 10 ** (-WEAKER_DB / 10)
    energies = {take: energy for take, energy in energies.items() if energy >= least}
    return [(name, packet) for name, packet in made if packet.data.take in energies], energies


def _cut(piece: decode.Sound, from_s: float, until_s: float) -> decode.Sound:
    first, last = (round(max(0.0, at) * piece.rate_hz) for at in (from_s, until_s))
    samples = piece.samples[first : max(last, first + 1)]
    return decode.Sound(samples, piece.rate_hz, piece.offset_s + from_s, 0.0, until_s - from_s)


def _power(piece: decode.Sound, width_s: float) -> Float32:
    """Return the mean square over a sliding window, for each place of it."""
    square = np.square(piece.samples.astype(np.float64)).mean(axis=1)
    width = max(1, min(len(square), round(width_s * piece.rate_hz)))
    total = np.concatenate([[0.0], np.cumsum(square)])
    power: Float32 = ((total[width:] - total[:-width]) / width).astype(np.float32)
    return power


def _level_db(piece: decode.Sound) -> float:
    """Return the RMS of the loudest tenth of a second, dB re full scale."""
    if not len(piece.samples):
        return -200.0
    return float(10 * np.log10(max(float(_power(piece, 0.1).max()), 1e-20)))


def _whole(piece: decode.Sound) -> decode.Sound:
    """Return what was asked for, in quiet."""
    return _in_quiet(_cut(piece, piece.from_s, piece.until_s))


def _loudest(piece: decode.Sound) -> decode.Sound:
    """Return what is around the loudest moment, in quiet, at a usual level."""
    asked = _cut(piece, piece.from_s, piece.until_s)
    at_s = float(_power(asked, 0.1).argmax()) / piece.rate_hz
    part = _cut(asked, max(0.0, at_s - LOUDEST_S[0]), at_s + LOUDEST_S[1])
    gain = 10 ** ((LOUDEST_DB - _level_db(part)) / 20)
    return _in_quiet(replace(part, samples=np.clip(part.samples * gain, -1.0, 1.0)))


def _in_quiet(part: decode.Sound) -> decode.Sound:
    """Return ``part`` with quiet around it, and soft edges, that the cut is no click."""
    samples = part.samples.copy()
    edge = min(len(samples) // 2, round(0.01 * part.rate_hz))
    if edge:
        ramp = np.linspace(0.0, 1.0, edge, dtype=np.float32)[:, None]
        samples[:edge] *= ramp
        samples[-edge:] *= ramp[::-1]
    quiet = np.zeros((round(QUIET_S * part.rate_hz), samples.shape[1]), np.float32)
    return decode.Sound(
        np.concatenate([quiet, samples, quiet]), part.rate_hz, part.offset_s - QUIET_S, QUIET_S,
        QUIET_S + len(samples) / part.rate_hz,
    )  # fmt: skip


def _sound_clip(
    piece: decode.Sound, packets: Sequence[tuple[str, Packet[Any]]], packet: Packet[Embedding]
) -> Clip:
    same = [p for _, p in packets if p.data.take == packet.data.take]
    first_s = min(p.t_us for p in same) / 1e6 - KEEP_AROUND_S
    last_s = max(p.data.end_us for p in same) / 1e6 + KEEP_AROUND_S
    part = _cut(piece, max(0.0, first_s), min(last_s, first_s + MOST_CLIP_S))
    return clips.from_audio(part.samples.mean(axis=1, keepdims=True), piece.rate_hz)


def audio_packets(samples: Float32, rate_hz: int) -> list[Packet[Audio]]:
    """Return sound as the packets of a stream from time 0."""
    return decode.Sound(samples, rate_hz, 0.0, 0.0, len(samples) / rate_hz).blocks()
