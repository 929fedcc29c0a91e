"""What walks through the house: a payload, and the instant it belongs to.

Every time is ``t_us``: integer microseconds on the engine's clock. Payloads are immutable, and a
node never writes into the arrays it was given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

T = TypeVar("T")

Float32: TypeAlias = npt.NDArray[np.float32]
UInt8: TypeAlias = npt.NDArray[np.uint8]

#: Which part of a sound or movement a vector stands for: heard so far, while it lasts, whole;
#: or one frame of a stream that has no beginning and no end.
Phase: TypeAlias = Literal["early", "steady", "final", "frame"]

EventKind: TypeAlias = Literal["trigger", "enter", "hold", "leave", "count"]


class Value(msgspec.Struct, frozen=True, eq=False):
    """Base of payloads: an immutable record, compared by identity because it holds arrays."""


class Ledger(Value, frozen=True, eq=False):
    """When a packet's evidence passed the rooms, on the engine's clock; filled in by the engine."""

    captured_us: int  #: the newest raw sample behind it was handed over by its source
    embedded_us: int | None = None  #: its vector was ready
    scored_us: int | None = None  #: the head had voted


class Packet(Value, Generic[T], frozen=True, eq=False):
    """One item of one stream.

    ``t_us`` is the capture instant of the first sample; from `Embedding` onward it is the onset of
    the evidence, and the payload's ``end_us`` is its end. Within one stream and subject, capture
    times rise strictly; answers come in order of their ``end_us``.
    """

    t_us: int
    data: T
    ledger: Ledger | None = None

    def with_data(self, data: Any) -> Packet[Any]:
        """Return the same instant, one room further."""
        return Packet(self.t_us, data, self.ledger)


class Audio(Value, frozen=True, eq=False):
    """``samples`` is float32 ``(n, channels)`` in [-1, 1], at ``rate_hz``."""

    samples: Float32
    rate_hz: int


class Image(Value, frozen=True, eq=False):
    """``pixels`` is uint8 ``(h, w, 3)``, RGB, never mirrored."""

    pixels: UInt8


class Landmarks(Value, frozen=True, eq=False):
    """Keypoints of one person, hand or face.

    ``points`` is float32 ``(points, 4)``: x and y normalised to the picture (0..1, y down), z in
    units of the picture's width, visibility 0..1. ``aspect`` is the picture's width / height.
    """

    points: Float32
    space: str  #: "body", "hand" or "face"
    subject: str | None = None  #: stable id of the tracked person or hand
    aspect: float = 1.0
    side: Literal["left", "right"] | None = None  #: of a hand: the person's own left or right


class Features(Value, frozen=True, eq=False):
    """``values`` is float32 ``(frames, bins)``; one frame every ``hop_s`` seconds."""

    values: Float32
    hop_s: float
    level_db: float | None = None  #: of a display spectrum: RMS level, dB re full scale


class Embedding(Value, frozen=True, eq=False):
    """``vector`` is float32 ``(d,)``; ``space`` names the embedder and variant that made it."""

    vector: Float32
    space: str
    end_us: int
    subject: str | None = None
    source: str = ""  #: the source node whose history holds the evidence
    phase: Phase = "frame"
    take: int | None = None  #: number of the sound or movement; shared by its phases


class Absent(Value, frozen=True, eq=False):
    """Nothing there, and why: ``silence``, ``no_person``, ``too_dark``, ``not_finite`` ...

    ``source`` is the source node that shows it, filled in by the engine where there is just one.
    """

    space: str
    reason: str
    end_us: int
    subject: str | None = None
    source: str = ""


class Result(Value, frozen=True, eq=False):
    """One label's share of the vote, and how close the nearest of its examples is (both 0..1)."""

    label: str
    confidence: float
    closeness: float


class Neighbour(Value, frozen=True, eq=False):
    """An example that voted: the receipt of an answer."""

    id: str  #: uuid of the example
    label: str
    distance: float
    space: str


class Scores(Value, frozen=True, eq=False):
    """The head's answer. ``label`` is None when nothing fits, and ``rejected`` then says why."""

    label: str | None
    confidence: float
    rejected: str | None
    results: tuple[Result, ...]  #: every label, best first, also when rejected
    end_us: int
    seq: int = 0  #: number of this answer, for asking for its receipts later
    subject: str | None = None
    spaces: tuple[str, ...] = ()  #: the spaces that had something to say
    phase: Phase = "frame"
    take: int | None = None
    neighbours: tuple[Neighbour, ...] = ()
    node: str = ""  #: the head that answered, as the pipeline names it
    source: str = ""  #: the source node of the evidence that was answered; "" when unknown


class Event(Value, frozen=True, eq=False):
    """Something began, lasts, ended or was recognised once; ``onset_us`` is when it began."""

    event: EventKind
    label: str
    onset_us: int
    confidence: float
    subject: str | None = None
    held_s: float | None = None
    count: int | None = None
    end_us: int | None = None  #: end of the evidence, for the latency ledger


class Presence(Value, frozen=True, eq=False):
    """A person arrived or departed: information, never a reason to reject anyone."""

    subject: str
    state: Literal["arrive", "depart"]
    size: float | None = None  #: height of the person as a share of the picture's
    cut_off: tuple[str, ...] = ()  #: parts outside the picture, e.g. ("legs",)


class Gap(Value, frozen=True, eq=False):
    """A stream was interrupted: rings reset, what was entered leaves, time re-anchors.

    ``source`` is the source node it came from, filled in by the engine where there is just one.
    """

    reason: str
    source: str = ""


def same_source(one: str, other: str) -> bool:
    """Return whether two things may be of one source node; of an unknown one ("") they may be."""
    return one == other or "" in (one, other)


class NodeStatus(Value, frozen=True, eq=False):
    """How one node fares; every field but ``state`` covers the last seconds."""

    state: Literal["running", "waiting", "failed"]
    rate_hz: float = 0.0  #: packets handled a second
    p50_us: float = 0.0  #: median time to handle one
    p99_us: float = 0.0
    dropped: int = 0  #: packets thrown away at its door since the start
    message: str | None = None  #: what is wrong, and what to do


class Status(Value, frozen=True, eq=False):
    """All nodes at once; the engine hands it to every sink that takes it."""

    nodes: Mapping[str, NodeStatus]
