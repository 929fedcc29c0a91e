"""The wire, protocol 1: every message as a struct; JSON Schema and docs are made from these.

Server to client: ``ServerMessage``, below. Client to server: ``ClientMessage``, in `commands`;
all of its names can be had here as well.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from .commands import *  # noqa: F403 - the other half of the wire

PROTOCOL = 1


class Message(msgspec.Struct, frozen=True, tag_field="type", eq=True):
    """Base of everything the server sends."""


class ResultPart(msgspec.Struct, frozen=True):
    """One label of a `Prediction`."""

    label: str
    confidence: float
    closeness: float


class LatencyPart(msgspec.Struct, frozen=True):
    """Where the time went, in microseconds: durations, not instants."""

    onset_us: int  #: from the onset of the evidence to this message
    capture_us: int  #: from the last sample needed to its arrival in the engine
    embed_us: int  #: from there to the finished vector
    head_us: int  #: from there to the head's vote
    total_us: int  #: from the last sample needed to this message


class ProjectPart(msgspec.Struct, frozen=True):
    """Which examples this engine answers from."""

    path: str
    created: bool
    examples: int


class GraphNode(msgspec.Struct, frozen=True):
    """One node of the pipeline, and the nodes whose packets it reads."""

    name: str
    kind: str  #: its type in the YAML
    sources: list[str]


class LiveParameter(msgspec.Struct, frozen=True):
    """A parameter that `Set` can change, with its present value."""

    node: str
    param: str
    value: Any


class Hello(Message, frozen=True, tag="hello"):
    """The first message to every client.

    ``streams`` are the message types this pipeline can send; ``video`` among them goes to control,
    and with ``shares_video`` to every page on this machine.
    """

    version: str
    pipeline: str
    project: ProjectPart | None
    labels: list[str]
    active_labels: list[str]
    spaces: list[str]
    streams: list[str]
    role: str
    unix_offset_us: int
    protocol: int = PROTOCOL
    private: bool = False
    graph: list[GraphNode] = []
    live: list[LiveParameter] = []
    shares_video: bool = False


class Prediction(Message, frozen=True, tag="prediction"):
    """An answer of the head; ``label`` is null for none of the above, and ``rejected`` says why."""

    node: str
    t_us: int
    end_us: int
    seq: int
    subject: str | None
    label: str | None
    confidence: float
    rejected: str | None
    results: list[ResultPart]
    latency: LatencyPart
    phase: str = "frame"
    spaces: list[str] = []


class EventMessage(Message, frozen=True, tag="event", omit_defaults=True):
    """A label was triggered, entered, is held, was left or was counted."""

    event: Literal["trigger", "enter", "hold", "leave", "count"]
    label: str
    t_us: int
    onset_us: int
    subject: str | None
    confidence: float
    latency: LatencyPart
    held_s: float | None = None
    count: int | None = None
    simulated: bool = False


class LandmarksMessage(Message, frozen=True, tag="landmarks"):
    """Points of one body or hand: x, y (0..1 of the picture), z, visibility; camera-true."""

    space: str
    subject: str | None
    t_us: int
    points: list[list[float]]
    side: str | None = None
    aspect: float = 1.0


class PresenceMessage(Message, frozen=True, tag="presence", omit_defaults=True):
    """Somebody arrived or departed: information only."""

    subject: str
    t_us: int
    state: Literal["arrive", "depart"]
    size: float | None = None
    cut_off: list[str] = []


class SpectrumMessage(Message, frozen=True, tag="spectrum"):
    """A log-mel frame for display."""

    t_us: int
    bins: list[float]
    level_db: float


class NodeStatusPart(msgspec.Struct, frozen=True, omit_defaults=True):
    """How one node fares."""

    state: Literal["running", "waiting", "failed"]
    rate_hz: float
    p50_us: float
    p99_us: float
    dropped: int
    message: str | None = None


class StatusMessage(Message, frozen=True, tag="status"):
    """The whole engine, about once a second; ``live`` is what can be changed, as it stands now."""

    nodes: dict[str, NodeStatusPart]
    clients: int
    examples: int
    locked: bool
    live: list[LiveParameter] = []
    active_labels: list[str] = []


class ErrorPart(msgspec.Struct, frozen=True):
    """Why a command was refused."""

    code: str
    message: str


class Reply(Message, frozen=True, tag="reply", omit_defaults=True):
    """The one answer to a command."""

    id: int | str | None
    ok: bool
    result: Any = None
    error: ErrorPart | None = None


class OriginRefused(Message, frozen=True, tag="origin_refused"):
    """A page that is not on the list wanted to listen; only told to control, who may allow it."""

    origin: str


class MediaAck(Message, frozen=True, tag="media_ack", omit_defaults=True):
    """A picture or sound block of this browser was used (or not, and why); send the next."""

    kind: Literal["microphone", "camera"]
    seq: int
    error: str | None = None


ServerMessage: TypeAlias = (
    Hello
    | Prediction
    | EventMessage
    | LandmarksMessage
    | PresenceMessage
    | SpectrumMessage
    | StatusMessage
    | OriginRefused
    | MediaAck
    | Reply
)
