"""What a project holds, as values; and what it refuses to hold."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import msgspec
import numpy as np

from ..core.errors import InputError
from ..core.packet import Float32, Phase

#: Media type of a clip made by `clips.from_landmarks`.
LANDMARKS = "application/x-tmstream-landmarks"
MEDIA_TYPES = ("audio/flac", "image/jpeg", LANDMARKS)

MAX_TEXT = 500  #: characters of a label, person, take, source or group
MAX_DIMENSION = 65_536
MAX_CLIP_BYTES = 4 * 2**20  #: about 40 s of 16 kHz speech as FLAC

YEAR_3000_US = 32_503_680_000 * 10**6

#: Nothing is recorded or taught with less room on the disk; predicting goes on.
MIN_FREE_BYTES = 200 * 10**6

_ID = re.compile(r"[0-9A-Za-z_.:-]{1,80}")


class Clip(msgspec.Struct, frozen=True):
    """What was heard or seen: ``data`` is a whole file of ``media_type`` (see `MEDIA_TYPES`)."""

    data: bytes
    media_type: str


class NewExample(msgspec.Struct, frozen=True, eq=False):
    """An example to teach; ``vector`` is float32 ``(d,)``, finite, of one ``d`` per ``space``."""

    label: str
    space: str
    vector: Float32
    take: str  #: what was recorded together; never split between teaching and testing
    person: str | None = None
    groups: dict[str, str] = {}  #: further group columns, such as ``{"speaker": "s07"}``
    source: str = ""  #: the source node, or the file it came from
    t_us: int = 0
    end_us: int = 0
    phase: Phase = "frame"
    clip: Clip | None = None
    augmented_from: str | None = None  #: id of the example this one was made from
    negative: bool = False  #: "this was *not* the label"
    id: str | None = None  #: None: a new uuid; the same id twice is one example
    created_us: int = 0  #: microseconds since 1970; 0: now


class Example(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """An example as stored; its clip is fetched by `Project.clip`."""

    id: str
    label: str
    space: str
    vector: Float32
    take: str
    person: str | None
    groups: dict[str, str]
    source: str
    t_us: int
    end_us: int
    phase: Phase
    augmented_from: str | None
    negative: bool
    created_us: int
    has_clip: bool


class Change(msgspec.Struct, frozen=True):
    """What one committed step did; with ``reload``, read the examples again.

    ``settings`` are then all there are.
    """

    added: tuple[Example, ...] = ()
    removed: tuple[str, ...] = ()
    relabelled: dict[str, str] = {}  #: id to new label
    settings: dict[str, Any] = {}  #: key to new value; None: removed
    reload: bool = False


class SnapshotInfo(msgspec.Struct, frozen=True):
    """A named state of the project."""

    name: str
    created_us: int  #: microseconds since 1970


def checked_text(text: str, what: str) -> str:
    """Return ``text`` in Unicode's NFC form; `InputError` when empty, too long or unprintable."""
    if not isinstance(text, str):
        raise InputError(f"{what} must be text, not {type(text).__name__}")
    text = unicodedata.normalize("NFC", text).strip()
    if not text:
        raise InputError(f"{what} must not be empty")
    if len(text) > MAX_TEXT:
        raise InputError(f"{what} is longer than {MAX_TEXT} characters")
    if any(unicodedata.category(sign) in ("Cc", "Cs") for sign in text):
        raise InputError(f"{what} contains control characters: {text!r}")
    return text


def checked_vector(vector: Float32, space: str) -> Float32:
    """Return ``vector`` as little-endian float32 ``(d,)``; `InputError` when it is not finite."""
    array = np.asarray(vector)
    if array.ndim != 1 or not 1 <= array.size <= MAX_DIMENSION or array.dtype.kind not in "fiu":
        raise InputError(
            f"a vector of {space!r} must be one row of numbers, not {array.shape} {array.dtype}"
        )
    with np.errstate(over="ignore"):
        array = np.ascontiguousarray(array, "<f4")
    if not np.isfinite(array).all():
        raise InputError(f"a vector of {space!r} contains NaN or infinity")
    return array


def checked(example: NewExample) -> NewExample:
    """Return ``example`` fit to be stored, its texts in NFC; `InputError` says what is wrong."""
    space = checked_text(example.space, "space")
    if example.id is not None and not _ID.fullmatch(example.id):
        raise InputError(f"an id is 1 to 80 letters, digits and _.:- signs, not {example.id!r}")
    if example.phase not in ("early", "steady", "final", "frame"):
        raise InputError(f"unknown phase {example.phase!r}")
    clip = example.clip
    if clip is not None and clip.media_type not in MEDIA_TYPES:
        raise InputError(f"a clip is one of {', '.join(MEDIA_TYPES)}, not {clip.media_type!r}")
    if clip is not None and not 0 < len(clip.data) <= MAX_CLIP_BYTES:
        raise InputError(f"a clip has 1 to {MAX_CLIP_BYTES} bytes, not {len(clip.data)}")
    for name in ("t_us", "end_us"):
        if not -(2**63) <= getattr(example, name) < 2**63:
            raise InputError(f"{name} is out of range")
    if not 0 <= example.created_us < YEAR_3000_US:
        raise InputError("created_us is no time between 1970 and 3000")
    return msgspec.structs.replace(
        example,
        label=checked_text(example.label, "label"),
        space=space,
        vector=checked_vector(example.vector, space),
        take=checked_text(example.take, "take"),
        person=checked_text(example.person, "person") if example.person else None,
        groups={
            checked_text(key, "group"): checked_text(value, f"group {key!r}")
            for key, value in sorted(example.groups.items())
            if value != ""
        },
        source=checked_text(example.source, "source") if example.source else "",
    )
