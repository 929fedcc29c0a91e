"""Copies of the last three days in the state folder, and the way back to the newest good one."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import sqlite3
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

import msgspec

from ..core.errors import StoreError, TmstreamError
from ..core.resources import state_folder
from . import changes, rows, schema
from .integrity import check_all, one_moment
from .records import Example, NewExample, checked

log = logging.getLogger(__name__)

Progress: TypeAlias = Callable[[int, int], object]

KEPT = 3
PAGES = 2048  #: copied at a time: 8 MB
ABANDONED_S = 86_400.0  #: an unfinished backup of a program that was killed


def folder_of(path: Path) -> Path:
    """Return where the backups of the project at ``path`` are."""
    path = path.resolve()
    name = re.sub(r"[^0-9A-Za-z_-]", "_", path.stem)[:40]
    digest = hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return state_folder() / "backups" / f"{name}-{digest}"


def kept(path: Path) -> list[Path]:
    """Return the backups of a project, newest first. Numbers count, because clocks jump."""
    return sorted(folder_of(path).glob("[0-9]*.tms"), reverse=True)


def set_aside(path: Path) -> list[Path]:
    """Return the damaged files that were set aside, newest first."""
    return sorted(folder_of(path).glob("damaged-*.tms"), reverse=True)


def sweep(path: Path, *, older_than_s: float = 0.0) -> None:
    """Remove unfinished backups; whoever is still writing one begins again later."""
    for partial in folder_of(path).glob("*.partial*"):
        with suppress(OSError):
            if time.time() - partial.stat().st_mtime >= older_than_s:
                partial.unlink()


def unwatched(done: int, total: int) -> None:
    """Show nobody how far it is."""


def copy(db: sqlite3.Connection, to: Path, progress: Progress = unwatched) -> None:
    """Write what ``db`` sees as one plain, durable file; an existing one is replaced at the end.

    ``progress`` is told how many pages are written, of how many.
    """
    partial = to.with_name(f"{to.name}.{uuid.uuid4().hex}.partial")
    try:
        with closing(sqlite3.connect(partial, isolation_level=None)) as target, one_moment(db):
            # It begins with the first reading; else a write in between would begin the copy again.
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            db.backup(
                target, pages=PAGES, progress=lambda _, left, total: progress(total - left, total)
            )
            # The copy is for carrying about: without WAL it is complete at every moment.
            target.execute("PRAGMA journal_mode = DELETE")
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(to)
        _sync_folder(to.parent)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def fresh(path: Path) -> Iterator[None]:
    """Say in a `StoreError` that ``path`` exists already, or why it cannot be written inside."""
    if path.exists():
        raise StoreError(f"{path}: exists already; choose another name")
    try:
        yield
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error})") from error


def make(db: sqlite3.Connection, path: Path, *, why: str = "") -> Path | None:
    """Make or renew today's backup unless nothing changed since; with ``why``, a further one.

    ``db`` must have passed `check_all`, so that a good copy never gives way to a damaged one.
    """
    existing = kept(path)
    today = time.strftime("%Y-%m-%d")
    if not why and _state(db) == (_state_of(existing[0]) if existing else (0, 0)):
        return None
    if existing and not why and existing[0].stem[7:] == today:
        to = existing[0]
    else:
        number = int(existing[0].stem[:6]) + 1 if existing else 1
        to = folder_of(path) / f"{number:06d}-{why + '-' if why else ''}{today}.tms"
        to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    copy(db, to)
    for old in kept(path)[KEPT:]:
        old.unlink(missing_ok=True)
    sweep(path, older_than_s=ABANDONED_S)
    return to


def restore(path: Path, reason: str) -> str:
    """Put the newest good backup in the place of the damaged project; returns what to tell.

    The damaged file is set aside in the backups' folder, and the examples in it that are still
    whole and newer than the backup are taken along.

    Raises:
        StoreError: there is no good backup; nothing was touched.
    """
    for backup in kept(path):
        try:
            with closing(schema.connect(backup, "immutable")) as db:
                check_all(db, backup)
        except (StoreError, sqlite3.Error) as error:
            log.warning("%s cannot be used: %s", backup, error)
            continue
        aside = _set_aside(path)
        _put_back(backup, path)
        rescued = _rescue(aside, path)
        more = f" and {rescued} newer examples that were still whole" if rescued else ""
        return (
            f"{reason}. The backup of {_age(backup)} was restored{more}; "
            f"the damaged file is kept as {aside}"
        )
    raise schema.Damaged(
        f"{reason}, and there is no good backup; what is still whole in it can be read by "
        f"`tmstream import {path.name} NEW.tms`"
    )


def whole_examples(path: Path) -> Generator[NewExample, None, None]:
    """Yield those examples of a project, damaged or not, whose checksums are right.

    Raises:
        StoreError: it is no project at all.
    """
    with schema.explained(path), closing(connect_any(path)) as db:
        schema.version_of(db, path)
        try:
            for example in rows.read_examples(db, skip_damaged=True):
                yield renewed(db, example)
        except sqlite3.DatabaseError as error:
            log.warning("%s: cannot be read further (%s)", path, error)


def renewed(db: sqlite3.Connection, example: Example) -> NewExample:
    """Return a stored example as one to be stored elsewhere, with its clip if that is whole."""
    clip = None
    with suppress(sqlite3.DatabaseError, StoreError):
        clip = rows.read_clip(db, example.id)
    fields = msgspec.structs.asdict(example)
    del fields["has_clip"]
    return NewExample(**fields, clip=clip)


def connect_any(path: Path) -> sqlite3.Connection:
    """Return a reading connection to a file of any origin, taking part in its WAL if it has one."""
    wal = path.with_name(path.name + "-wal")
    return schema.connect(path, "ro" if wal.exists() and wal.stat().st_size else "immutable")


def _put_back(backup: Path, path: Path) -> None:
    """Make ``path`` hold what ``backup`` holds: in its place if SQLite can, else by a new file.

    In its place, because another program that has it open would go on writing to the old file.
    """
    try:
        with closing(schema.connect(path)) as target:
            with closing(schema.connect(backup, "immutable")) as source:
                source.backup(target)
            check_all(target, path)
            return
    except (sqlite3.Error, StoreError) as error:
        log.warning("%s: is replaced by a new file (%s)", path, error)
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
    shutil.copyfile(backup, partial)
    with partial.open("rb+") as file:
        os.fsync(file.fileno())
    # The damaged file's log would be replayed into the backup.
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    partial.replace(path)
    _sync_folder(path.parent)


def _set_aside(path: Path) -> Path:
    folder = folder_of(path)
    for old in set_aside(path)[KEPT - 1 :]:
        for suffix in ("", "-wal", "-shm"):
            old.with_name(old.name + suffix).unlink(missing_ok=True)
    number = max([int(one.stem.split("-")[1]) for one in set_aside(path)], default=0) + 1
    aside = folder / f"damaged-{number:06d}.tms"
    for suffix in ("-wal", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            shutil.copyfile(part, aside.with_name(aside.name + suffix))
    return aside


def _rescue(damaged: Path, path: Path) -> int:
    """Add what is whole in ``damaged`` and unknown to ``path``, as one step."""
    try:
        with closing(schema.connect(path)) as db:
            known = {one for (one,) in db.execute("SELECT id FROM example")}
            found = [checked(one) for one in whole_examples(damaged) if one.id not in known]
            if found:
                with schema.transaction(db):
                    changes.add(db, found, verb="rescue")
            return len(found)
    except (sqlite3.Error, TmstreamError, OSError) as error:
        log.warning("%s: nothing newer could be rescued (%s)", damaged, error)
        return 0


def _state_of(backup: Path) -> tuple[int, ...] | None:
    try:
        with closing(schema.connect(backup, "immutable")) as db:
            return _state(db)
    except sqlite3.Error:
        return None


def _state(db: sqlite3.Connection) -> tuple[int, ...]:
    (snapshots,) = db.execute("SELECT count(*) FROM snapshot").fetchone()
    (revision,) = db.execute("SELECT value FROM state WHERE key = 'revision'").fetchone()
    return revision, snapshots


def _age(backup: Path) -> str:
    return "-".join(backup.stem.split("-")[-3:])


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
