"""What a client may ask, protocol 1: one struct for each command, and `ClientMessage` of all.

Each carries an ``id`` and gets exactly one `messages.Reply`. Who may send what is decided in
`server.policy`, from the same types.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec


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
    """Teach ``label`` from what is heard and seen now; with ``seconds`` it stops by itself.

    Of several people in the picture all are taught, or only ``subject``; a sound is nobody's.
    """

    label: str
    spaces: list[str] | None = None
    seconds: float | None = None
    delay_s: float = 0.0
    person: str | None = None
    take: str | None = None
    subject: str | None = None


class RecordStop(Command, frozen=True, tag="record_stop"):
    """Stop recording; the reply names the examples, which are durable by then, and the subjects."""


class Mark(Command, frozen=True, tag="mark"):
    """The last ``seconds`` were ``label``; with null: what was said about them was wrong.

    With ``until_us`` the seconds up to then, at most half a minute ago.
    """

    label: str | None
    seconds: float = 1.5
    subject: str | None = None
    space: str | None = None
    until_us: int | None = None


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
    """Judge the project by leave-one-group-out.

    With ``background`` it answers with a job, which has the judgement as its result.
    """

    group: str | None = None
    background: bool = False


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


class ViewerLink(Command, frozen=True, tag="viewer_link"):
    """Ask for the address that lets a phone in this network watch, and nothing more."""


class Upload(Command, frozen=True, tag="upload"):
    """Announce a file to teach; its pieces follow as binary frames (kind 4)."""

    name: str
    bytes: int
    label: str | None = None


class TeachFiles(Command, frozen=True, tag="teach_files"):
    """Teach files that were sent, or import them when they are a project; answers with a job."""

    uploads: list[int]
    person: str | None = None


class Augment(Command, frozen=True, tag="augment"):
    """Teach variants of a label's examples, or delete them (``on: false``); answers with a job.

    Those there are now, and have none yet: what is taught later has none until it is asked again.
    """

    label: str
    on: bool = True


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


class StopJob(Command, frozen=True, tag="stop_job"):
    """Stop a job that is ``stoppable`` now; answers with how far it came.

    Judging always is; teaching files and variants are while they are embedded.
    """

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
    | ViewerLink
    | Upload
    | TeachFiles
    | Augment
    | Export
    | Calibrate
    | Lint
    | Job
    | StopJob
    | Restart
)
