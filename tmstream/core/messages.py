"""The wire, protocol 1: every message as a struct; JSON Schema and docs are made from these.

Server to client: ``ServerMessage``. Client to server: ``ClientMessage``; each carries an ``id`` and
gets exactly one `Reply`. Who may send what is decided in `server.policy`, from the same types.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

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


class Hello(Message, frozen=True, tag="hello"):
    """The first message to every client."""

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
    """The whole engine, about once a second."""

    nodes: dict[str, NodeStatusPart]
    clients: int
    examples: int
    locked: bool


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


class Command(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True
):
    """Base of everything a client sends."""

    id: int | str


class Auth(Command, frozen=True, tag="auth"):
    """Trade a token or a one-time code for a role."""

    token: str | None = None
    code: str | None = None


class Subscribe(Command, frozen=True, tag="subscribe"):
    """Choose streams (message types), labels and a highest rate; the default is everything."""

    streams: list[str]
    labels: list[str] | None = None
    max_rate_hz: float | None = None


class Ping(Command, frozen=True, tag="ping"):
    """Measure the way there and back."""


class RecordStart(Command, frozen=True, tag="record_start"):
    """Teach ``label`` from what is heard and seen now; with ``seconds`` it stops by itself."""

    label: str
    spaces: list[str] | None = None
    seconds: float | None = None
    delay_s: float = 0.0
    person: str | None = None
    take: str | None = None


class RecordStop(Command, frozen=True, tag="record_stop"):
    """Stop recording; the reply names the examples, which are durable by then."""


class Mark(Command, frozen=True, tag="mark"):
    """The last ``seconds`` were ``label``; with null: what was said about them was wrong."""

    label: str | None
    seconds: float = 1.5
    subject: str | None = None
    space: str | None = None


class DeleteExamples(Command, frozen=True, tag="delete_examples"):
    """Forget examples."""

    ids: list[str]


class RenameLabel(Command, frozen=True, tag="rename_label"):
    """Give a label another name; an existing name merges the two."""

    label: str
    to: str


class DeleteLabel(Command, frozen=True, tag="delete_label"):
    """Forget a label with all its examples."""

    label: str


class ActiveLabels(Command, frozen=True, tag="active_labels"):
    """Only these labels may answer (a scene); an empty list means all."""

    labels: list[str]


class Lock(Command, frozen=True, tag="lock"):
    """Freeze teaching, refits and limits during a show."""


class Unlock(Command, frozen=True, tag="unlock"):
    """End a lock."""


class Undo(Command, frozen=True, tag="undo"):
    """Take back the last change of the project."""


class Redo(Command, frozen=True, tag="redo"):
    """Make a change again that was taken back."""


class Snapshot(Command, frozen=True, tag="snapshot"):
    """Name the present state."""

    name: str


class Restore(Command, frozen=True, tag="restore"):
    """Return to a named state."""

    name: str


class ListSnapshots(Command, frozen=True, tag="list_snapshots"):
    """Ask for the named states."""


class Set(Command, frozen=True, tag="set"):
    """Change a node's parameter while it runs; only those marked live, never a path or device."""

    node: str
    param: str
    value: Any


class Evaluate(Command, frozen=True, tag="evaluate"):
    """Judge the project by leave-one-group-out."""

    group: str | None = None


class Neighbours(Command, frozen=True, tag="neighbours"):
    """Ask for the receipts of answer number ``seq``."""

    seq: int


class Examples(Command, frozen=True, tag="examples"):
    """List the examples, without vectors."""

    label: str | None = None


class Clip(Command, frozen=True, tag="clip"):
    """Fetch the sound, picture or sparkline kept with an example (base64)."""

    example: str


class Relabel(Command, frozen=True, tag="relabel"):
    """Move examples to another label."""

    ids: list[str]
    label: str


class Simulate(Command, frozen=True, tag="simulate"):
    """Send a test event to all sketches."""

    label: str
    event: Literal["trigger", "enter", "leave"] = "trigger"


class AllowOrigin(Command, frozen=True, tag="allow_origin"):
    """Let pages of this origin listen (never more than that)."""

    origin: str


class NewCode(Command, frozen=True, tag="new_code"):
    """Ask for a one-time code, to open another page in a role; it is good for a minute."""

    role: Literal["viewer", "attendant", "control"] = "control"


class Upload(Command, frozen=True, tag="upload"):
    """Announce a file to teach; its pieces follow as binary frames (kind 4)."""

    name: str
    bytes: int
    label: str | None = None


class TeachFiles(Command, frozen=True, tag="teach_files"):
    """Teach files that were sent, or import them when they are a project; answers with a job."""

    uploads: list[int]
    person: str | None = None


class Export(Command, frozen=True, tag="export"):
    """Write all examples to a zip to download, or a copy beside the project; answers with a job."""

    form: Literal["zip", "copy"] = "zip"


class Calibrate(Command, frozen=True, tag="calibrate"):
    """Listen to the room, and stay silent at what it says from now on; answers with a job."""

    seconds: float = 20.0


class Lint(Command, frozen=True, tag="lint"):
    """Find what is wrong with the examples."""


class Job(Command, frozen=True, tag="job"):
    """Ask how far a job is."""

    job: int


class Restart(Command, frozen=True, tag="restart"):
    """End the engine, where somebody (systemd ...) starts it again."""


ClientMessage: TypeAlias = (
    Auth
    | Subscribe
    | Ping
    | RecordStart
    | RecordStop
    | Mark
    | DeleteExamples
    | RenameLabel
    | DeleteLabel
    | ActiveLabels
    | Lock
    | Unlock
    | Undo
    | Redo
    | Snapshot
    | Restore
    | ListSnapshots
    | Set
    | Evaluate
    | Neighbours
    | Examples
    | Clip
    | Relabel
    | Simulate
    | AllowOrigin
    | NewCode
    | Upload
    | TeachFiles
    | Export
    | Calibrate
    | Lint
    | Job
    | Restart
)
