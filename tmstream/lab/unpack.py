"""Label folders out of a zip, read as hostile: no name in it is ever used as a path."""

from __future__ import annotations

import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..core.errors import InputError
from .samples import Sample, kind_of

MOST_MEMBERS = 20_000
MOST_BYTES = 2 << 30  #: unpacked, together
MOST_RATIO = 200  #: of a member's size to its packed size; digital silence reaches it, no take does
_READ = 1 << 20


@dataclass(frozen=True)
class Left:
    """A file that is not taken, and why."""

    name: str
    why: str


def is_export(path: Path) -> bool:
    """Return whether ``path`` is a zip that `store.exchange` wrote, or would read."""
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return "examples.jsonl" in archive.NameToInfo
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        return False


def unpack(path: Path, name: str, into: Path, label: str | None = None) -> list[Sample | Left]:
    """Return the samples of the zip ``path``, each in a file of its own below ``into``.

    The folder a file lies in is its label; without one it is ``label``. ``name`` is what the zip is
    called.

    Raises:
        InputError: it is no whole zip, or is larger than it seems; nothing of it is used then.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [one for one in archive.infolist() if not one.is_dir()]
            _check(members, name)
            return list(_unpacked(archive, members, name, into, label))
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, OSError) as error:
        raise InputError(f"{name}: is not a whole zip file ({error})") from error


def _check(members: list[zipfile.ZipInfo], name: str) -> None:
    if len(members) > MOST_MEMBERS:
        raise InputError(f"{name}: holds {len(members)} files, more than {MOST_MEMBERS}")
    if sum(one.file_size for one in members) > MOST_BYTES:
        raise InputError(f"{name}: unpacks to more than {MOST_BYTES >> 30} GB")
    for one in members:
        if one.file_size > _READ and one.file_size > MOST_RATIO * one.compress_size:
            raise InputError(f"{name}: {_shown(one.filename)} is packed too well to be true")


def _unpacked(
    archive: zipfile.ZipFile,
    members: list[zipfile.ZipInfo],
    name: str,
    into: Path,
    label: str | None,
) -> Iterator[Sample | Left]:
    for number, member in enumerate(members):
        parts = PurePosixPath(member.filename.replace("\\", "/")).parts
        inside = f"{name}: {_shown(member.filename)}"
        if ".." in parts or parts[:1] == ("/",):
            yield Left(inside, "its name leads out of the zip")
            continue
        if not parts or any(part.startswith((".", "__MACOSX")) for part in parts):
            continue  # what Finder and Explorer leave behind
        kind = kind_of(Path(parts[-1]))
        folder = _shown(parts[-2]) if len(parts) > 1 else label
        if kind is None:
            yield Left(inside, "neither sound, picture nor film")
        elif member.flag_bits & 0x1:
            yield Left(inside, "encrypted")
        elif not folder:
            yield Left(inside, "in no folder that says its label")
        else:
            file = into / f"{number:06d}{Path(parts[-1]).suffix.lower()}"
            _copy(archive, member, file, name)
            yield Sample(file, inside, kind, folder)


def _copy(archive: zipfile.ZipFile, member: zipfile.ZipInfo, file: Path, name: str) -> None:
    left = member.file_size
    with archive.open(member) as packed, file.open("xb") as out:
        while piece := packed.read(_READ):
            left -= len(piece)
            if left < 0:
                raise InputError(f"{name}: {_shown(member.filename)} is larger than it says")
            out.write(piece)


def _shown(text: str) -> str:
    text = unicodedata.normalize("NFC", text)
    return "".join(sign for sign in text if unicodedata.category(sign)[0] != "C").strip()[:200]
