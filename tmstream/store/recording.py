"""A recording on disk: a folder of sessions, each a folder of segments of checked chunks.

::

    takes/evening/                        what `tmstream replay` is given
        20261121-190512-000/              one run of the engine
            session.json                  when, and with which pipeline
            000000.rec 000001.rec ...     chunks of about a second, each with its length and crc32

A chunk is packed MessagePack (`store.packets`). Killed at any instant, a recording is readable up
to its last whole chunk. Chunks are our own: of a stranger's recording no more is promised than that
its sizes are bounded.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from ..core.errors import InputError
from . import packets

FORMAT = 1
SUFFIX = ".rec"
INFO = "session.json"
MAX_CHUNK = 64 * 2**20  #: bytes of a chunk, packed
MAX_UNPACKED = 256 * 2**20

_FRAME = struct.Struct("<4sII")
_MAGIC = b"tmr1"


class RunInfo(msgspec.Struct, frozen=True):
    """How the engine was started: a service, so that a recording can say what made it."""

    pipeline: str = ""  #: text of the YAML, as run
    path: str = ""  #: where it is
    project: str | None = None


class Session(msgspec.Struct, frozen=True):
    """What stands in ``session.json``."""

    started_us: int  #: on the engine's clock: the instant that replays as 0
    started_unix_us: int  #: for people
    version: str = ""
    run: RunInfo = RunInfo()
    private: bool = False
    format: int = FORMAT


def frame(entries: list[list[Any]]) -> bytes:
    """Return a chunk as it stands in a segment."""
    body = zlib.compress(msgspec.msgpack.encode(entries), 1)
    return _FRAME.pack(_MAGIC, len(body), zlib.crc32(body)) + body


def sessions(path: Path) -> list[Path]:
    """Return the session folders of a recording, oldest first."""
    return sorted(info.parent for info in path.glob(f"*/{INFO}"))


def segments(session: Path) -> list[Path]:
    """Return the segments of a session in order."""
    return sorted(session.glob(f"*{SUFFIX}"))


class Recording:
    """One session, for reading; ``notices`` tells what was found damaged."""

    def __init__(self, folder: Path, session: Session) -> None:
        self.folder, self.session = folder, session
        self.notices: list[str] = []

    @classmethod
    def open(cls, path: Path) -> Recording:
        """Open a session, or the newest one of a recording.

        Raises:
            InputError: there is none, or a newer tmstream made it.
        """
        if not (path / INFO).is_file():
            found = sessions(path)
            if not found:
                raise InputError(f"{path}: not a recording (no {INFO} in it or one folder below)")
            older, path = found[:-1], found[-1]
        else:
            older = []
        try:
            session = msgspec.json.decode((path / INFO).read_bytes(), type=Session)
        except (OSError, msgspec.DecodeError) as error:
            raise InputError(f"{path / INFO}: cannot be read: {error}") from error
        if session.format > FORMAT:
            raise InputError(f"{path}: made by a newer tmstream ({session.version})")
        recording = cls(path, session)
        if older:
            names = ", ".join(one.name for one in older[-3:])
            recording.notices.append(f"the newest of {len(older) + 1} sessions; before it: {names}")
        return recording

    def packets(self, *nodes: str) -> Iterator[packets.Named]:
        """Yield what was recorded (of ``nodes`` only, if named), from time 0, each node in order.

        What is damaged is passed over and named in ``notices``.
        """
        wanted = frozenset(nodes) if nodes else None
        for segment in segments(self.folder):
            for entries in self._chunks(segment):
                for node, packet in packets.decode(entries, wanted):
                    yield node, packets.earlier(packet, self.session.started_us)

    def kinds(self) -> dict[str, frozenset[type]]:
        """Return what each node gave, reading the whole recording once."""
        kinds: dict[str, set[type]] = {}
        for segment in segments(self.folder):
            for entries in self._chunks(segment):
                for kind, node, *_ in entries:
                    kinds.setdefault(node, set()).add(_kind(kind))
        return {node: frozenset(found) for node, found in kinds.items()}

    def length_us(self) -> int:
        """Return the latest instant recorded."""
        return max((packet.t_us for _, packet in self.packets()), default=0)

    def _chunks(self, segment: Path) -> Iterator[list[Any]]:
        try:
            with segment.open("rb") as file:
                size = segment.stat().st_size
                while head := file.read(_FRAME.size):
                    entries = _chunk(head, file.read(_length(head)))
                    if entries is None:
                        left = size - file.tell()
                        self._note(f"{segment.name}: torn; the last {left or 'few'} bytes are lost")
                        return
                    yield entries
        except FileNotFoundError:  # removed by the recorder's own bounds while we read
            self._note(f"{segment.name}: has just been removed")

    def _note(self, notice: str) -> None:
        if notice not in self.notices:
            self.notices.append(notice)


def _length(head: bytes) -> int:
    if len(head) < _FRAME.size:
        return 0
    magic, length, _ = _FRAME.unpack(head)
    return length if magic == _MAGIC and length <= MAX_CHUNK else 0


def _chunk(head: bytes, body: bytes) -> list[Any] | None:
    """Return the entries of a chunk; None when it is torn or damaged."""
    if len(head) < _FRAME.size or not body:
        return None
    _, length, crc = _FRAME.unpack(head)
    if len(body) != length or zlib.crc32(body) != crc:
        return None
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(body, MAX_UNPACKED)
        if unpacker.unconsumed_tail:
            return None
        entries = msgspec.msgpack.decode(data)
    except (zlib.error, msgspec.DecodeError):
        return None
    return entries if isinstance(entries, list) else None


def _kind(name: str) -> type:
    for kind in packets.PAYLOADS:
        if kind.__name__ == name:
            return kind
    raise InputError(f"the recording holds {name!r}, which this tmstream does not know")
