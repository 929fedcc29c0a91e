"""From a model's name to a file that is what models.toml says it is."""

from __future__ import annotations

import hashlib
import tomllib
from functools import cache
from pathlib import Path

import msgspec

from ..core.errors import ModelError
from ..core.resources import resource


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model of models.toml."""

    file: str  #: name inside the folder ``models``
    sha256: str
    source: str  #: the pinned package it comes from, and what was changed
    licence: str  #: SPDX name
    licence_file: str  #: its text, inside the folder ``models``
    input: str  #: shape, dtype and unit
    output: str
    task: str  #: what it is for, in a few words


class Model(msgspec.Struct, frozen=True):
    """A model file that was read and hashed; the hash is part of the space its vectors live in."""

    path: Path
    sha256: str
    entry: Entry | None  #: None for a file the user brought


def catalogue(folder: Path | None = None) -> dict[str, Entry]:
    """Return every model of ``folder``/models.toml (the shipped one), by name.

    Raises:
        ModelError: the file is missing or malformed.
    """
    table = (folder or resource("models")) / "models.toml"
    try:
        return msgspec.convert(tomllib.loads(table.read_text("utf-8")), dict[str, Entry])
    except OSError as error:
        raise ModelError(
            f"{table}: cannot be read ({error.strerror}); reinstall tmstream"
        ) from error
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ModelError(f"{table}: {error}") from error


def find_model(name: str, path: str | None = None, folder: Path | None = None) -> Model:
    """Return the shipped model ``name``, or the user's own file when ``path`` is given.

    A shipped file must have the sha256 of models.toml; a user's file is hashed, and trusted.

    Raises:
        ModelError: the name is unknown, or the file is missing, unreadable or another one.
    """
    if path is not None:
        own = Path(path).expanduser()
        return Model(own, _sha256(own, f"path: {path}"), None)
    folder = folder or resource("models")
    entries = catalogue(folder)
    if name not in entries:
        raise ModelError(
            f"model {name!r} is not in models.toml; it has {', '.join(sorted(entries))}"
        )
    entry = entries[name]
    found = _sha256(folder / entry.file, f"model {name}")
    if found != entry.sha256:
        raise ModelError(
            f"model {name}: {folder / entry.file} is damaged or another file: its sha256 is "
            f"{found[:12]}..., models.toml says {entry.sha256[:12]}...; reinstall tmstream, "
            f"or run models/build.py {name}"
        )
    return Model(folder / entry.file, found, entry)


def _sha256(path: Path, what: str) -> str:
    """Return the hash of a file, read once per size and time of change."""
    try:
        state = path.stat()
        return _hash(path, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise ModelError(f"{what}: cannot read {path} ({error.strerror})") from error


@cache
def _hash(path: Path, size: int, mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
