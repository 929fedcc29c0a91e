"""From a path to a checked project file: what it is, whether it may be written, if it is whole."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from ..core.errors import StoreError
from . import backups, schema
from .integrity import check_living

#: Folders of programs that copy files while they are written to.
_SYNCED = (
    "dropbox",
    "onedrive",
    "icloud",
    "google drive",
    "googledrive",
    "nextcloud",
    "mobile documents",
)
_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs"}


class Access:
    """How a file may be used: ``mode`` is rw, ro, immutable, or memory (a migrated copy)."""

    def __init__(self, path: Path, mode: str, notices: list[str]) -> None:
        self.path = path
        self.mode = mode
        self.notices = notices

    @property
    def read_only(self) -> bool:
        """Whether changes are refused."""
        return self.mode != "rw"

    def connect(self, *, writing: bool = False) -> sqlite3.Connection:
        """Return a new connection; one that reads cannot write by mistake."""
        if self.mode == "memory":
            return _migrated_copy(self.path)
        return schema.connect(self.path, self.mode if writing or self.read_only else "ro")


def prepare(path: Path, *, create: bool, read_only: bool) -> Access:
    """Make or check the file at ``path``, restore it when damaged, bring it to our version.

    Raises:
        StoreError: with one line saying what is wrong and what to do.
    """
    notices = list(folder_warnings(path))
    if not path.exists():
        if not create or read_only:
            raise StoreError(f"{path}: there is no such project")
        if not path.parent.is_dir():
            raise StoreError(f"{path}: there is no folder {path.parent}")
        if not os.access(path.parent, os.W_OK):
            raise StoreError(f"{path}: cannot be made: the folder {path.parent} cannot be written")
    elif not path.is_file():
        raise StoreError(f"{path}: is not a file")
    writable = not read_only and _writable(path)
    if not writable and not read_only:
        notices.append(f"{path}: cannot be written; opened for reading only")
    try:
        return _checked(path, notices, writable=writable, create=create)
    except schema.Damaged as error:
        if not writable or (isinstance(error, schema.Foreign) and not backups.kept(path)):
            raise
        notices.append(backups.restore(path, str(error)))
        return _checked(path, notices, writable=True, create=False)


def _checked(path: Path, notices: list[str], *, writable: bool, create: bool) -> Access:
    unwritable = "ro" if os.access(path.parent, os.W_OK) else "immutable"
    mode = "rw" if writable else unwritable
    version = _version(path)
    if not version and (not create or not writable or (path.exists() and backups.kept(path))):
        raise schema.Damaged(f"{path}: the project file is empty")
    if version < schema.VERSION and not writable:
        return Access(path, "memory", notices)
    if version > schema.VERSION:
        mode = unwritable
    with schema.explained(path), closing(schema.connect(path, mode if version else "rwc")) as db:
        if version > schema.VERSION:
            return _newer(path, db, version, notices, mode)
        if version < schema.VERSION:
            if version:
                backups.make(db, path, why="before-update")
            schema.migrate(db, version)
        with suppress(sqlite3.OperationalError):  # on a full disk it is slower, and opens
            for index in schema.INDEXES if writable else ():
                db.execute(index)
        check_living(db, path)
    return Access(path, mode, notices)


def _newer(
    path: Path, db: sqlite3.Connection, version: int, notices: list[str], mode: str
) -> Access:
    told = f"{path}: was made by a newer tmstream (file version {version}, known {schema.VERSION})"
    try:
        check_living(db, path)
    except StoreError as error:
        raise StoreError(f"{told} and cannot be read by this one; update tmstream") from error
    notices.append(f"{told}: opened for reading only; update tmstream to change it")
    return Access(path, mode, notices)


def _version(path: Path) -> int:
    """Return the version of what is at ``path``, without writing to it; 0 for nothing."""
    if not path.exists() or path.stat().st_size == 0:
        return 0
    with schema.explained(path), closing(backups.connect_any(path)) as db:
        return schema.version_of(db, path)


def _migrated_copy(path: Path) -> sqlite3.Connection:
    """Return an older project, brought to our version in memory only."""
    memory = schema.prepared(
        sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    )
    with closing(schema.connect(path, "immutable")) as db:
        version = schema.version_of(db, path)
        db.backup(memory)
    schema.migrate(memory, version)
    return memory


def _writable(path: Path) -> bool:
    """Return whether ``path`` can be written, with the side files that WAL needs beside it."""
    if not os.access(path.parent, os.W_OK):
        return False
    if not path.exists():
        return True
    try:
        # Asking by access() is not enough: a read-only medium refuses even the superuser.
        with path.open("rb+"):
            return True
    except OSError:
        return False


def folder_warnings(path: Path) -> Iterator[str]:
    """Yield what to say about a project in a synced or network folder."""
    lowered = str(path.resolve().parent).lower()
    if any(name in lowered for name in _SYNCED):
        yield (
            f"{path}: lies in a synced folder; keep the project in a plain one, and copies "
            "(Save a copy, tmstream export) in the synced one"
        )
    if _file_system(path.resolve().parent) in _NETWORK:
        yield (
            f"{path}: lies on a network drive, where SQLite cannot keep its promises; "
            "move it to this machine's disk"
        )


def _file_system(folder: Path) -> str:
    """Return the type of the file system that holds ``folder``; "" where that cannot be known."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    best = ("", "")
    for line in mounts:
        _, point, kind, *_ = line.split(" ")
        point = point.replace("\\040", " ")
        if folder.is_relative_to(point) and len(point) >= len(best[0]):
            best = (point, kind)
    return best[1]
