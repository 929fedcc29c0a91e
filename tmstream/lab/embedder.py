"""From a sample to its embeddings, by the same nodes that would meet it live.

One walk stays open for all samples of a kind, so models load once; a `Gap` between two samples lets
nothing of one reach the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ..backends.pictures import decode_picture
from ..core.errors import DeviceError, InputError
from ..core.node import Transform
from ..core.packet import Absent, Embedding, Gap, Image, Landmarks, Packet
from ..engine.graph import Graph
from ..store import clips
from ..store.project import Clip
from . import augment, decode, excerpt
from .excerpt import Made
from .film import Film
from .part import Part
from .sample import CONVERT, Sample, Sound

#: Time between two samples on the walk's clock.
APART_US = 60_000_000

#: Why there is no example, or no label, in words.
SAID = {
    "silence": "silent",
    "no_person": "no person found",
    "no_hand": "no hand found",
    "too_dark": "too dark",
    "bad_frame": "too small to be a picture",
    "not_finite": "holds NaN or infinity",
    "cannot_decode": "cannot be decoded",
    "too_far": "unlike anything taught",
    "ambiguous": "between two labels",
    "too_few_examples": "too few examples yet",
}


@dataclass(frozen=True)
class Heard:
    """What one sample gave: embeddings and absences, with times from the sample's beginning."""

    sample: Sample
    packets: tuple[tuple[str, Packet[Any]], ...] = ()  #: with the node that gave each
    reason: str | None = None  #: why there is no embedding
    error: str | None = None  #: why it could not be decoded
    note: str | None = None  #: what was done to find something after all, or why not
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
            cause, ending = self.error, self.sample.file.suffix.lower()
            for name in (str(self.sample), str(self.sample.file), self.sample.file.name):
                cause = cause.removeprefix(f"{name}: ")
            if ending in CONVERT:
                cause = f"convert {ending} to {CONVERT[ending][1]}"
            # What a decoder says in brackets is for those who wrote it.
            return f"cannot decode: {cause.partition(' (')[0]}".partition(": cannot be read")[0]
        if self.reason == "cannot_decode" and self.note:
            return self.note
        return SAID.get(self.reason or "", self.reason or "")

    def clips(self, packets: Sequence[Packet[Embedding]]) -> list[Clip | None]:
        """Return what to keep with the examples made of ``packets``; a film is read but once."""
        if isinstance(self.raw, Film):
            return self.raw.clips(packets)
        return [self.clip(packet) for packet in packets]

    def clip(self, packet: Packet[Embedding]) -> Clip | None:
        """Return what to keep with an example: the sound around it, the picture, the landmarks."""
        raw = self.raw
        if isinstance(raw, Film):
            return raw.clips([packet])[0]
        if isinstance(raw, Sound):
            return excerpt.clip(raw, self.packets, packet)
        if isinstance(raw, Image):
            return clips.from_picture(raw.pixels)
        return clips.from_landmarks(raw) if isinstance(raw, list) and raw else None


class Stopped(Exception):
    """Ends the walk of a sample that nobody waits for any more."""


class Embedder:
    """Embeds samples of one kind, one after the other; use it from the thread that opened it.

    Between two packets ``stopped`` is asked whether to raise `Stopped`: a film may take minutes.
    """

    def __init__(
        self,
        graph: Graph,
        services: Sequence[object] = (),
        *,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self.stopped = stopped
        self._source = next(name for name, slot in graph.slots.items() if not slot.spec.sources)
        embeds = [slot for slot in graph.shaped(Transform) if Embedding in slot.gives]
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
            if sample.fault:
                raise InputError(sample.fault)
            return self._embed(sample)
        except DeviceError:
            try:
                return self._embed(sample)  # a fresh landmark process is starting
            except DeviceError as error:
                return Heard(sample, reason="cannot_decode", error=str(error))
        except InputError as error:
            return Heard(sample, reason="cannot_decode", error=str(error))

    def _embed(self, sample: Sample) -> Heard:
        if sample.clip is not None:
            return self._again(sample, sample.clip)
        if sample.kind == "sound":
            return self.hear(sample, decode.sound(sample))
        if sample.kind == "picture":
            image = Image(decode.picture(sample))
            return self._seen(sample, self._walk([Packet(0, image)]), image)
        if sample.kind == "video":
            with self._stretch() as stretch:
                decode.each_frame(sample, stretch.push)
            return self._seen(sample, stretch.of_nearest(), Film(sample, stretch.poses))
        packets = [Packet(0, decode.landmarks(sample))]
        return self._seen(sample, self._walk(packets), packets)

    def again(self, clip: Clip) -> Heard:
        """Return what a kept clip gives; raises `InputError` when it cannot be read."""
        return self._again(Sample(Path("clip"), "clip", "sound"), clip)

    def _again(self, sample: Sample, clip: Clip) -> Heard:
        variant = sample.variant
        if clip.media_type == "audio/flac":
            piece = decode.sound_of(clip.data)
            if variant is not None:
                piece = augment.sound(piece, variant, sample.room)
            return self.hear(sample, piece)
        if clip.media_type == "image/jpeg":
            pixels = decode_picture(clip.data)
            image = Image(pixels if variant is None else augment.picture(pixels, variant))
            return self._seen(sample, self._walk([Packet(0, image)]), image)
        poses = clips.to_landmarks(clip)
        first_us = poses[0].t_us if poses else 0
        made = [
            Packet(
                pose.t_us - first_us,
                pose.data if variant is None else augment.landmarks(pose.data, variant),
            )
            for pose in poses
        ]
        return self._seen(sample, self._walk(made), made)

    def _seen(self, sample: Sample, made: Made, raw: Any) -> Heard:
        return Heard(sample, tuple(made), _reason(made, "no_person"), raw=raw)

    def hear(self, sample: Sample, piece: Sound) -> Heard:
        """Return what a piece of sound gives."""
        if not np.isfinite(piece.samples).all():
            return Heard(sample, reason="not_finite")
        if excerpt.is_silent(piece):
            return Heard(sample, reason="silence")
        for note, part, shown in excerpt.ways(piece):
            made = excerpt.asked_for(self._walk(shown.blocks()), part)
            made, weights = excerpt.strong(made, part)
            if made:
                return Heard(sample, tuple(made), note=note, weights=weights, raw=part)
        return Heard(sample, reason="silence")

    def _walk(self, packets: Sequence[Packet[Any]]) -> Made:
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
        self.made: Made = []
        self.poses: list[Packet[Landmarks]] = []  #: of bodies
        self.sizes: dict[str | None, float] = {}  #: area of each subject, summed over frames
        self._embedder, self._part, self._source = embedder, part, source
        self._start_us = self._last_us = start_us

    def __enter__(self) -> _Stretch:
        self._push(Packet(self._start_us, Gap("another sample")))
        return self

    def push(self, packet: Packet[Any]) -> None:
        """Hand on a packet whose time counts from the sample's beginning."""
        if self._embedder.stopped():
            raise Stopped
        self._last_us = self._start_us + packet.t_us
        self._push(Packet(self._last_us, packet.data))

    def __exit__(self, *_: object) -> None:
        self._embedder.passed(self._last_us)
        self._push(Packet(self._last_us + 1, Gap("end")))

    def of_nearest(self) -> Made:
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
                if made.data.space == "body":
                    self.poses.append(Packet(made.t_us - self._start_us, made.data))
            elif isinstance(made.data, Embedding | Absent):
                self.made.append((giver, moved(made, -self._start_us)))


def moved(packet: Packet[Any], by_us: int) -> Packet[Any]:
    """Return an embedding or absence with its span moved by ``by_us``."""
    data = msgspec.structs.replace(packet.data, end_us=packet.data.end_us + by_us)
    return Packet(packet.t_us + by_us, data)


def _area(landmarks: Landmarks) -> float:
    """Return the area of the box around the visible points, in shares of the picture's height."""
    points = landmarks.points
    seen = points[points[:, 3] > 0.5] if (points[:, 3] > 0.5).any() else points
    width, height = np.ptp(seen[:, 0]) * landmarks.aspect, np.ptp(seen[:, 1])
    return float(width * height)


def _reason(made: Made, usual: str) -> str | None:
    if any(isinstance(packet.data, Embedding) for _, packet in made):
        return None
    reasons = [packet.data.reason for _, packet in made if isinstance(packet.data, Absent)]
    return max(set(reasons), key=reasons.count) if reasons else usual
