"""Files on their way between a studio page and the engine: pieces in, one-time addresses out.

A file is announced by ``upload {name, bytes, label}`` and sent in binary frames, as in `uplink`:

====== ===== ===========================================================================
offset type  meaning
====== ===== ===========================================================================
0      u8    4 = a piece of a file
1      u8    0
2      u16   0
4      u32   number of the upload, as the reply to ``upload`` said
8      u32   where the piece begins in the file, in bytes
12     u32   0
====== ===== ===========================================================================

Pieces come in order. A name is only ever shown: the file lies under a number in a folder of our
own, which is removed in the end.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..core.errors import InputError, StoreError
from .uplink import HEADER

PIECE = 4
MOST_FILE_BYTES = 1 << 30
MOST_BYTES = 2 << 30  #: of all files that wait
MOST_FILES = 5000
FREE_BYTES = 500 << 20  #: left on the disk
FORGOTTEN_S = 900.0  #: a file that nobody went on sending or used
OFFER_S = 60.0
MOST_DOWNLOAD_BYTES = 64 << 20  #: a page is held in memory while it is sent
_NAME_LENGTH = 120


@dataclass
class File:
    """A file that is coming, or has come."""

    number: int
    name: str  #: as the page said, without folders; to be shown, never opened
    label: str | None
    size: int
    path: Path
    come: int = 0
    touched_s: float = 0.0

    @property
    def whole(self) -> bool:
        """Return whether all of it has come."""
        return self.come == self.size


class Offer(NamedTuple):
    """A file that may be fetched once."""

    path: Path
    name: str
    until_s: float


class Uploads:
    """The files of one engine's run."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._folder: Path | None = None
        self._files: dict[int, File] = {}
        self._offers: dict[str, Offer] = {}
        self._last = 0

    @property
    def folder(self) -> Path:
        """Return the folder of our own, readable by this user alone."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="tmstream-"))
        return self._folder

    def begin(self, name: str, size: int, label: str | None = None) -> int:
        """Expect a file of ``size`` bytes; returns its number.

        Raises:
            InputError: it is too large, or too many wait already.
            StoreError: the disk is nearly full.
        """
        self._forget_old()
        shown = shown_name(name)
        if not 0 < size <= MOST_FILE_BYTES:
            held = "is empty" if size <= 0 else f"is larger than {MOST_FILE_BYTES >> 30} GB"
            raise InputError(f"{shown}: {held}")
        waiting = sum(one.size for one in self._files.values())
        if len(self._files) >= MOST_FILES or waiting + size > MOST_BYTES:
            raise InputError(
                f"{shown}: too much at once; at most {MOST_FILES} files and "
                f"{MOST_BYTES >> 30} GB (tmstream teach takes more)"
            )
        try:
            if shutil.disk_usage(self.folder).free < size + FREE_BYTES:
                raise StoreError(f"{shown}: there is too little room on this disk")
            self._last += 1
            path = self.folder / f"{self._last:06d}"
            path.touch(mode=0o600)
        except OSError as error:
            raise StoreError(f"{shown}: cannot be kept ({error.strerror})") from error
        self._files[self._last] = File(
            self._last, shown, label, size, path, touched_s=self._now_s()
        )
        return self._last

    def put(self, frame: bytes) -> None:
        """Add a piece.

        Raises:
            InputError: nobody announced it, it is not the next one, or it is too long.
        """
        kind, zero, none, number, offset, nothing = HEADER.unpack_from(frame.ljust(HEADER.size))
        file = self._files.get(number)
        if kind != PIECE or zero or none or nothing or len(frame) <= HEADER.size:
            raise InputError("this is no piece of a file")
        if file is None:
            raise InputError(f"no upload {number} was announced")
        piece = memoryview(frame)[HEADER.size :]
        if offset != file.come or offset + len(piece) > file.size:
            del self._files[number]
            file.path.unlink(missing_ok=True)
            raise InputError(f"{file.name}: its pieces do not fit together; send it again")
        try:
            with file.path.open("ab") as out:
                out.write(piece)
        except OSError as error:
            raise InputError(f"{file.name}: cannot be kept ({error.strerror})") from error
        file.come += len(piece)
        file.touched_s = self._now_s()

    def take(self, numbers: list[int]) -> list[File]:
        """Return whole files, which are the caller's from now on (to be deleted, too).

        Raises:
            InputError: one is missing, or has not come to its end.
        """
        if len(set(numbers)) != len(numbers) or not numbers:
            raise InputError("name each upload once, and at least one")
        for number in numbers:
            file = self._files.get(number)
            if file is None or not file.whole:
                raise InputError(f"upload {number} has not come whole; send it again")
        return [self._files.pop(number) for number in numbers]

    def offer(self, path: Path, name: str) -> str:
        """Return the address under which ``path`` can be fetched once, soon; it is then deleted."""
        self._forget_old()
        key = secrets.token_urlsafe(24)
        self._offers[key] = Offer(path, name, self._now_s() + OFFER_S)
        return f"/download/{key}"

    def fetch(self, address: str) -> tuple[str, bytes] | None:
        """Return the name and content of what was offered at ``address``, once."""
        self._forget_old()
        found = self._offers.pop(address.removeprefix("/download/"), None)
        if found is None:
            return None
        try:
            return found.name, found.path.read_bytes()
        except OSError:
            return None
        finally:
            found.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove everything."""
        self._files.clear()
        self._offers.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _forget_old(self) -> None:
        now_s = self._now_s()
        for file in [f for f in self._files.values() if now_s - f.touched_s > FORGOTTEN_S]:
            del self._files[file.number]
            file.path.unlink(missing_ok=True)
        for key in [key for key, one in self._offers.items() if now_s > one.until_s]:
            self._offers.pop(key).path.unlink(missing_ok=True)


def shown_name(name: str) -> str:
    """Return the last part of ``name`` as one printable line, in Unicode's NFC form."""
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    kept = "".join(sign for sign in last if unicodedata.category(sign)[0] != "C").strip()
    return kept[-_NAME_LENGTH:] or "unnamed"
