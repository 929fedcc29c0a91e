"""A project: one SQLite file with the examples, their clips, the settings and the journal.

Promises: what a call returned is on the disk; every change but `Project.erase` can be undone, also
after a restart; what was damaged is reported, never loaded.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import msgspec

from ..core.errors import InputError, StoreError
from . import journal, rows, schema
from .journal import Patch
from .records import (
    LANDMARKS,
    Change,
    Clip,
    Example,
    NewExample,
    SnapshotInfo,
    checked,
    checked_text,
)
from .writer import Writer

__all__ = ["LANDMARKS", "Change", "Clip", "Example", "NewExample", "Project", "SnapshotInfo"]

T = TypeVar("T")

log = logging.getLogger(__name__)

#: Recording is refused below this; everything else goes on.
MIN_FREE_BYTES = 200 * 10**6


class Project:
    """An open project; every method may be called from any thread.

    ``created`` says whether `open` made the file; ``read_only`` whether it may be changed;
    ``notices`` is what the user should be told about it.
    """

    def __init__(self, path: Path, *, created: bool, read_only: bool) -> None:
        self.path = path
        self.created = created
        self.read_only = read_only
        self.notices: list[str] = []
        self._subscribers: list[Callable[[Change], None]] = []
        self._reading = threading.Lock()

    @classmethod
    def open(cls, path: Path, *, create: bool = False, read_only: bool = False) -> Project:
        """Open the project at ``path``.

        Raises:
            StoreError: it is missing (and not ``create``), damaged, or not a project.
        """
        path = Path(path).absolute()
        created = not path.exists()
        if created and not create:
            raise StoreError(f"{path}: there is no such project")
        if not path.parent.is_dir():
            raise StoreError(f"{path}: the folder {path.parent} does not exist")
        project = cls(path, created=created, read_only=read_only)
        project._open()
        return project

    def _open(self) -> None:
        with schema.explained(self.path):
            self._writer = Writer(self._connect_writer, lambda db: None, 0.25)
            self._reader = schema.connect(self.path, "ro")

    def _connect_writer(self) -> sqlite3.Connection:
        db = schema.connect(self.path, "rwc" if self.created else "rw")
        version = schema.version_of(db, self.path)
        if version < schema.VERSION:
            schema.migrate(db, version)
        return db

    def __enter__(self) -> Project:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # Reading

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._reading, schema.explained(self.path):
            return work(self._reader)

    def examples(self, space: str | None = None, label: str | None = None) -> list[Example]:
        """Return the living examples, oldest first."""
        return self._read(lambda db: list(rows.read_examples(db, space=space, label=label)))

    def labels(self) -> list[str]:
        """Return the labels that have examples, sorted; a label with only negatives is none."""
        query = "SELECT DISTINCT label FROM example WHERE alive = 1 AND negative = 0 ORDER BY label"
        return self._read(lambda db: [label for (label,) in db.execute(query)])

    def spaces(self) -> dict[str, int]:
        """Return the spaces that have examples, with their dimension."""
        return self._read(rows.dimensions)

    def setting(self, key: str, default: Any = None) -> Any:
        """Return the value of a setting."""
        value = self._read(lambda db: journal.read_setting(db, key))
        return default if value is None else value

    def clip(self, id: str) -> Clip | None:
        """Return what was heard or seen with an example, or None."""
        return self._read(lambda db: rows.read_clip(db, id))

    def snapshots(self) -> list[SnapshotInfo]:
        """Return the named states, oldest first."""
        query = "SELECT name, created_us FROM snapshot ORDER BY created_us, rowid"
        return self._read(lambda db: [SnapshotInfo(*row) for row in db.execute(query)])

    # Changing

    def _change(self, work: Callable[[sqlite3.Connection], tuple[T, Change]]) -> T:
        if self.read_only:
            raise StoreError(f"{self.path}: is open for reading only")

        def job(db: sqlite3.Connection) -> T:
            with schema.explained(self.path), schema.transaction(db):
                result, change = work(db)
            self._tell(change)
            return result

        return self._writer(job)

    def _tell(self, change: Change) -> None:
        if not (
            change.added or change.removed or change.relabelled or change.settings or change.reload
        ):
            return
        for callback in tuple(self._subscribers):
            try:
                callback(change)
            except Exception:
                log.exception("a subscriber of %s failed", self.path)

    def subscribe(self, callback: Callable[[Change], None]) -> None:
        """Have ``callback`` told of every change, on the writer's thread, before the call returns."""
        self._subscribers.append(callback)

    def add(self, examples: Sequence[NewExample], *, batch: str = "") -> list[str]:
        """Store examples as one step; returns their ids once they are durable.

        Steps of one ``batch`` that follow each other are undone together.

        Raises:
            InputError: a vector is not finite or has not its space's dimension.
            StoreError: the disk is nearly full, or cannot be written.
        """
        ready = [checked(example) for example in examples]
        free = shutil.disk_usage(self.path.parent).free
        if free < MIN_FREE_BYTES:
            raise StoreError(
                f"{self.path}: only {free / 1e6:.0f} MB are free on this disk; recording is refused "
                f"below {MIN_FREE_BYTES / 1e6:.0f} MB, predicting goes on"
            )

        def work(db: sqlite3.Connection) -> tuple[list[str], Change]:
            rows.check_dimensions(rows.dimensions(db), ready)
            ids, new, _ = rows.insert_examples(db, ready)
            change = journal.record(db, "add", _counted("added", ready), Patch(show=new), batch)
            return ids, change

        return self._change(work)

    def delete(self, ids: Sequence[str]) -> None:
        """Hide examples; those already hidden stay so. `InputError` for an id never seen."""

        def work(db: sqlite3.Connection) -> tuple[None, Change]:
            seqs = _seqs(db, ids)
            return None, journal.record(
                db, "delete", f"deleted {_many(len(seqs))}", Patch(hide=seqs)
            )

        self._change(work)

    def rename_label(self, label: str, to: str) -> None:
        """Give a label another name; an existing name merges the two."""
        to = checked_text(to, "label")

        def work(db: sqlite3.Connection) -> tuple[None, Change]:
            seqs = _labelled(db, label)
            merge = bool(
                db.execute("SELECT 1 FROM example WHERE alive = 1 AND label = ?", (to,)).fetchone()
            )
            summary = f"merged {label!r} into {to!r}" if merge else f"renamed {label!r} to {to!r}"
            patch = Patch(labels={to: seqs}, settings=_scene(db, label, to))
            return None, journal.record(db, "merge" if merge else "rename", summary, patch)

        self._change(work)

    def delete_label(self, label: str) -> None:
        """Hide a label with all its examples."""

        def work(db: sqlite3.Connection) -> tuple[None, Change]:
            seqs = _labelled(db, label)
            summary = f"deleted {label!r} with {_many(len(seqs))}"
            patch = Patch(hide=seqs, settings=_scene(db, label, None))
            return None, journal.record(db, "delete_label", summary, patch)

        self._change(work)

    def relabel(self, ids: Sequence[str], label: str) -> None:
        """Move examples to a label, new or known."""
        label = checked_text(label, "label")

        def work(db: sqlite3.Connection) -> tuple[None, Change]:
            seqs = _seqs(db, ids)
            summary = f"moved {_many(len(seqs))} to {label!r}"
            return None, journal.record(db, "relabel", summary, Patch(labels={label: seqs}))

        self._change(work)

    def set_settings(self, settings: Mapping[str, Any]) -> None:
        """Keep JSON values; None removes one."""
        try:
            plain = msgspec.json.decode(msgspec.json.encode(dict(settings)))
        except (TypeError, ValueError, msgspec.MsgspecError) as error:
            raise InputError(f"settings are JSON values: {error}") from error

        def work(db: sqlite3.Connection) -> tuple[None, Change]:
            summary = f"set {', '.join(sorted(plain))}"
            return None, journal.record(db, "set", summary, Patch(settings=plain))

        self._change(work)

    def undo(self) -> str:
        """Take back the last step; returns what it had done. `InputError` when there is none."""
        return self._change(journal.undo)

    def redo(self) -> str:
        """Do again what was undone last; returns what it does. `InputError` when there is none."""
        return self._change(journal.redo)

    def snapshot(self, name: str) -> None:
        """Name the present state. `InputError` when the name is taken."""
        name = checked_text(name, "a snapshot's name")

        def work(db: sqlite3.Connection) -> tuple[None, Change]:
            if db.execute("SELECT 1 FROM snapshot WHERE name = ?", (name,)).fetchone():
                raise InputError(f"there is already a snapshot {name!r}; choose another name")
            row = (name, journal.state(db, "head"), time.time_ns() // 1000)
            db.execute("INSERT INTO snapshot VALUES (?,?,?,?)", (*row, schema.row_crc(*row)))
            return None, Change()

        self._change(work)

    def restore(self, name: str) -> None:
        """Return to a named state, as one step that can be undone."""

        def work(db: sqlite3.Connection) -> tuple[None, Change]:
            row = db.execute("SELECT op FROM snapshot WHERE name = ?", (name,)).fetchone()
            if row is None:
                raise InputError(f"there is no snapshot {name!r}")
            return None, journal.restore(db, row[0], f"restored {name!r}")

        self._change(work)

    # Cache of what can be computed again

    def cache(self, key: str) -> bytes | None:
        """Return what `put_cache` kept, or None."""
        row = self._read(
            lambda db: db.execute("SELECT data FROM cache WHERE key = ?", (key,)).fetchone()
        )
        return row[0] if row else None

    def put_cache(self, key: str, data: bytes) -> None:
        """Keep something that can be computed again; not journalled, oldest forgotten first."""

        def work(db: sqlite3.Connection) -> tuple[None, Change]:
            db.execute("INSERT OR REPLACE INTO cache(key, data, crc) VALUES (?,?,0)", (key, data))
            return None, Change()

        self._change(work)

    def info(self) -> dict[str, Any]:
        """Return path, counts and size."""
        return {
            "path": str(self.path),
            "examples": len(self.examples()),
            "labels": self.labels(),
            "spaces": self.spaces(),
        }

    def copy_to(self, path: Path) -> None:
        """Write a copy as one plain file."""
        raise NotImplementedError

    def erase(
        self, *, person: str | None = None, label: str | None = None, before_us: int | None = None
    ) -> dict[str, Any]:
        """Remove for good."""
        raise NotImplementedError

    def close(self) -> None:
        """Finish, and leave one plain file."""
        with self._reading, contextlib.suppress(sqlite3.ProgrammingError):
            self._reader.close()
        self._writer.close()


def _seqs(db: sqlite3.Connection, ids: Sequence[str]) -> list[int]:
    found = []
    for id in ids:
        row = db.execute("SELECT seq FROM example WHERE id = ?", (id,)).fetchone()
        if row is None:
            raise InputError(f"there is no example {id!r}")
        found.append(row[0])
    return found


def _labelled(db: sqlite3.Connection, label: str) -> list[int]:
    query = "SELECT seq FROM example WHERE alive = 1 AND label = ? ORDER BY seq"
    found = [seq for (seq,) in db.execute(query, (label,))]
    if not found:
        raise InputError(f"there is no label {label!r}")
    return found


def _scene(db: sqlite3.Connection, label: str, to: str | None) -> dict[str, Any]:
    """Return the setting "active_labels" with ``label`` replaced, if it names it."""
    active = journal.read_setting(db, "active_labels")
    if not isinstance(active, list) or label not in active:
        return {}
    renamed = [to if one == label else one for one in active]
    return {"active_labels": list(dict.fromkeys(one for one in renamed if one is not None))}


def _many(count: int) -> str:
    return "1 example" if count == 1 else f"{count} examples"


def _counted(verb: str, examples: Sequence[NewExample]) -> str:
    labels = sorted({example.label for example in examples})
    shown = ", ".join(repr(label) for label in labels[:3]) + (" ..." if len(labels) > 3 else "")
    return f"{verb} {_many(len(examples))} of {shown}"
