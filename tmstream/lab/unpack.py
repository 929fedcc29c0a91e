"""Label folders out of a zip, read as hostile: no name in it is ever used as a path."""

from __future__ import annotations

import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..core.errors import InputError
from ..store.listing import Bounds, opened_zip
from .sample import Sample, kind_of

#: Digital silence reaches that ratio, no take does.
TAKES = Bounds(members=20_000, bytes=2 << 30, ratio=200)
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
    with opened_zip(path, name, TAKES) as archive:
        return list(_unpacked(archive, name, into, label))


def _unpacked(
    archive: zipfile.ZipFile, name: str, into: Path, label: str | None
) -> Iterator[Sample | Left]:
    members = [one for one in archive.infolist() if not one.is_dir()]
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
