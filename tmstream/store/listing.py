"""Files from elsewhere, read as hostile: a zip or a folder as names and bounded bytes.

Sizes and ratios are checked before anything is unpacked, and a name is looked up in the listing and
never used as a path.
"""

from __future__ import annotations

import itertools
import stat
import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import IO

from ..core.errors import InputError

MAX_MEMBERS = 200_000
MAX_BYTES = 4 * 10**9  #: of all files, unpacked
MAX_RATIO = 100  #: of a member's size to its packed size; ours reach about 4
MAX_LINE_BYTES = 4 * 2**20
#: A smaller member may be packed as well as it likes.
HARMLESS_BYTES = 2**20


class Listing:
    """Files by name; a reading beyond its limit raises `InputError`."""

    def __init__(self, openers: Mapping[str, Callable[[], IO[bytes]]]) -> None:
        self._openers = openers

    @property
    def names(self) -> set[str]:
        """The files there are; only these can be read."""
        return set(self._openers)

    def read(self, name: str, limit: int) -> bytes:
        """Return a whole file of at most ``limit`` bytes."""
        with self._openers[name]() as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise InputError(f"{name!r} is larger than {limit} bytes")
        return data

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield the lines of a file, each at most `MAX_LINE_BYTES`, together `MAX_BYTES`."""
        total = 0
        with self._openers[name]() as file:
            while line := file.readline(MAX_LINE_BYTES + 1):
                total += len(line)
                if len(line) > MAX_LINE_BYTES or total > MAX_BYTES:
                    raise InputError(f"{name} has lines too long to be examples")
                yield line


def of_zip(archive: zipfile.ZipFile, path: Path) -> Listing:
    """Return the members of an archive, whose directory is checked first; raises `InputError`."""
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise InputError(f"{path}: holds {len(members)} files, more than {MAX_MEMBERS}")
    if len({member.filename for member in members}) != len(members):
        raise InputError(f"{path}: holds two files of one name")
    if sum(member.file_size for member in members) > MAX_BYTES:
        raise InputError(f"{path}: unpacks to more than {MAX_BYTES / 1e9:.0f} GB")
    for member in members:
        size, packed = member.file_size, member.compress_size
        if size > HARMLESS_BYTES and size > MAX_RATIO * packed:
            raise InputError(f"{path}: {member.filename!r} is packed too well to be true")
    return Listing({one.filename: partial(archive.open, one.filename) for one in members})


def of_folder(path: Path) -> Listing:
    """Return the plain files of a folder; links are not followed out of it."""
    real = path.resolve()
    openers: dict[str, Callable[[], IO[bytes]]] = {}
    for found in itertools.islice(path.rglob("*"), MAX_MEMBERS):
        if stat.S_ISREG(found.lstat().st_mode) and found.resolve().is_relative_to(real):
            openers[found.relative_to(path).as_posix()] = _opener(found)
    return Listing(openers)


def _opener(file: Path) -> Callable[[], IO[bytes]]:
    return lambda: file.open("rb")
