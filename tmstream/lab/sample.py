"""What a sample is, of what kind, and a sound that was read from one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from ..backends.pictures import PICTURE_ENDINGS
from ..core.packet import Audio, Float32, Packet
from ..store.project import Clip

Kind: TypeAlias = Literal["sound", "picture", "video", "body", "hand", "face"]

SOUND_ENDINGS = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf",
     ".w64", ".rf64"}
)  # fmt: skip
#: What telephones and programs write, and no decoder here reads; with what to make of it first.
CONVERT: dict[str, tuple[Kind, str]] = {
    **dict.fromkeys((".m4a", ".aac", ".wma", ".amr"), ("sound", "WAV or MP3")),
    **dict.fromkeys((".heic", ".heif", ".avif"), ("picture", "JPEG")),
}
VIDEO_ENDINGS = frozenset({".mp4", ".m4v", ".mkv", ".mov", ".avi", ".webm", ".mjpeg", ".mpg"})
#: Columns that say who was recorded, and what in one go.
PERSON_COLUMNS = ("person", "speaker", "subject", "signer", "singer", "player", "participant")
TAKE_COLUMNS = ("take", "clip", "session", "recording", "group")
BLOCK_S = 0.25  #: of a sound that is played into a graph


@dataclass(frozen=True)
class Sound:
    """A piece of a recording; times in seconds from the piece's beginning.

    ``samples`` is float32 (n, channels) at ``rate_hz``; ``offset_s`` is where the piece begins in
    the file. Only what sounds between ``from_s`` and ``until_s`` was asked for.
    """

    samples: Float32
    rate_hz: int
    offset_s: float
    from_s: float
    until_s: float

    def blocks(self) -> list[Packet[Audio]]:
        """Return the piece as the packets of a stream from time 0."""
        size = max(1, round(BLOCK_S * self.rate_hz))
        return [
            Packet(
                round(at * 1e6 / self.rate_hz), Audio(self.samples[at : at + size], self.rate_hz)
            )
            for at in range(0, len(self.samples), size)
        ]


@dataclass(frozen=True)
class Sample:
    """One thing to teach or to classify.

    ``points`` is float32 (points, 4) x y z visibility, as the table has them, when the sample is a
    row of a landmark table. ``start_s`` and ``end_s`` cut a span out of a recording.
    """

    file: Path
    name: str  #: the file as it was named
    kind: Kind
    label: str | None = None
    start_s: float | None = None
    end_s: float | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    row: int | None = None  #: line of the table, counted from 1 below its header
    points: Float32 | None = field(default=None, repr=False, compare=False)
    clip: Clip | None = field(default=None, repr=False, compare=False)  #: instead of the file
    variant: str | None = None  #: see `augment`: not the sample itself, but something made of it
    room: Sound | None = field(default=None, repr=False, compare=False)  #: for the variant
    fault: str = ""  #: why it is none, though its table names it: the others are used

    @property
    def person(self) -> str | None:
        """Return who was recorded, when a column says so."""
        return next((self.groups[one] for one in PERSON_COLUMNS if self.groups.get(one)), None)

    @property
    def take(self) -> str | None:
        """Return what was recorded in one go, when a column says so; never split when judging."""
        told = next((self.groups[one] for one in TAKE_COLUMNS if self.groups.get(one)), None)
        if told is not None and self.start_s is None:
            return told
        return self.person if self.row is not None else None

    def __str__(self) -> str:
        if self.row is not None:
            return f"{self.name}:{self.row}"
        return self.name if self.start_s is None else f"{self.name} @ {self.start_s:g} s"


def kind_of(path: Path) -> Kind | None:
    """Return what kind of file this is by its ending, or None."""
    ending = path.suffix.lower()
    if ending in SOUND_ENDINGS:
        return "sound"
    if ending in CONVERT:
        return CONVERT[ending][0]
    if ending in PICTURE_ENDINGS:
        return "picture"
    return "video" if ending in VIDEO_ENDINGS else None
