"""Files from elsewhere, read as hostile: a zip or a folder as names and bounded bytes.

Sizes and ratios are checked before anything is unpacked, and a name is looked up in the listing and
never used as a path.
"""

from __future__ import annotations

import itertools
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

from ..core.errors import InputError

MAX_BYTES = 4 * 10**9  #: of all files, unpacked
MAX_LINE_BYTES = 4 * 2**20
#: A smaller member may be packed as well as it likes.
HARMLESS_BYTES = 2**20


class Bounds(NamedTuple):
    """How large an archive may be."""

    members: int
    bytes: int  #: of all members, unpacked
    ratio: int  #: of a member's size to its packed size


#: An export of ours, whose members reach a ratio of about 4.
EXPORT = Bounds(200_000, MAX_BYTES, 100)


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


@contextmanager
def opened_zip(path: Path, name: str, bounds: Bounds) -> Iterator[zipfile.ZipFile]:
    """Open an archive, called ``name``, whose directory is checked against ``bounds`` first.

    Raises:
        InputError: it is damaged, also where that shows only inside, too large, or packed rarely.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check(archive.infolist(), name, bounds)
            yield archive
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise InputError(f"{name}: is not a whole zip file ({error})") from error
    except OSError as error:
        raise InputError(f"{name}: cannot be unpacked ({error})") from error


def _check(members: Sequence[zipfile.ZipInfo], name: str, bounds: Bounds) -> None:
    if len(members) > bounds.members:
        raise InputError(f"{name}: holds {len(members)} files, more than {bounds.members}")
    if sum(member.file_size for member in members) > bounds.bytes:
        raise InputError(f"{name}: unpacks to more than {bounds.bytes / 1e9:.0f} GB")
    for member in members:
        size, packed = member.file_size, member.compress_size
        if size > HARMLESS_BYTES and size > bounds.ratio * packed:
            raise InputError(f"{name}: {member.filename!r} is packed too well to be true")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InputError(f"{name}: is packed in a rare way; make a plain zip of it")


def of_zip(archive: zipfile.ZipFile, path: Path) -> Listing:
    """Return the members of an archive; raises `InputError`."""
    names = archive.namelist()
    if len(set(names)) != len(names):
        raise InputError(f"{path}: holds two files of one name")
    return Listing({one: partial(archive.open, one) for one in names})


def of_folder(path: Path) -> Listing:
    """Return the plain files of a folder; links are not followed out of it."""
    real = path.resolve()
    openers: dict[str, Callable[[], IO[bytes]]] = {}
    for found in itertools.islice(path.rglob("*"), EXPORT.members):
        if stat.S_ISREG(found.lstat().st_mode) and found.resolve().is_relative_to(real):
            openers[found.relative_to(path).as_posix()] = _opener(found)
    return Listing(openers)


def _opener(file: Path) -> Callable[[], IO[bytes]]:
    return lambda: file.open("rb")
