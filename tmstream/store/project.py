"""A project: one SQLite file with the examples, their clips, the settings and the journal.

Promises: what a call returned is on the disk; every change but `Project.erase` can be undone, also
after a restart; what was damaged is reported, never loaded.
"""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from ..core.errors import StoreError
from . import backups, cache, changes, erase, journal, opening, rows, schema, values
from .database import Database
from .info import counts
from .records import (
    LANDMARKS,
    MIN_FREE_BYTES,
    Change,
    Clip,
    Example,
    NewExample,
    SnapshotInfo,
    checked,
    checked_text,
)

__all__ = ["LANDMARKS", "Change", "Clip", "Example", "NewExample", "Project", "SnapshotInfo"]

log = logging.getLogger(__name__)

#: A larger project keeps no more clips; its examples stay small.
MAX_CLIPS_FILE_BYTES = 4 * 10**9


class Project:
    """An open project; every method may be called from any thread. ``created``: `open` made it."""

    def __init__(self, database: Database, *, created: bool) -> None:
        self.path = database.path
        self.created = created
        self._database = database

    @classmethod
    def open(cls, path: Path, *, create: bool = False, read_only: bool = False) -> Project:
        """Open the project at ``path``; a damaged one is restored from its newest good backup.

        Raises:
            StoreError: it is missing (and not ``create``), damaged without a backup, or no project.
        """
        path = Path(path).absolute()
        created = not path.exists()
        access = opening.prepare(path, create=create, read_only=read_only)
        for notice in access.notices:
            log.info("%s", notice)  # whoever opens it tells the user
        with schema.explained(path):
            return cls(Database(path, access), created=created)

    @property
    def read_only(self) -> bool:
        """Whether changes are refused."""
        return self._database.read_only

    @property
    def notices(self) -> list[str]:
        """What the user should be told: damage, a backup restored, a newer version; may grow."""
        return list(self._database.notices)

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Finish what was begun, and leave one plain file."""
        self._database.close()

    def heed_lock(self) -> None:
        """Refuse every change here, from now on, while teaching is locked (`Locked`)."""
        self._database.heeds_lock = True

    # Reading

    def examples(self, space: str | None = None, label: str | None = None) -> list[Example]:
        """Return the living examples, oldest first."""
        label = None if label is None else checked_text(label, "label")
        return self._database.read(
            lambda db: list(rows.read_examples(db, space=space, label=label)), slow=True
        )

    def count(self) -> int:
        """Return how many examples there are."""
        query = "SELECT count(*) FROM example WHERE alive = 1"
        return self._database.read(lambda db: int(db.execute(query).fetchone()[0]))

    def labels(self) -> list[str]:
        """Return the labels that have examples other than negatives, sorted."""
        return self._database.read(rows.labels)

    def spaces(self) -> dict[str, int]:
        """Return the spaces that have examples, with the dimension of their vectors."""
        return self._database.read(rows.dimensions)

    def setting(self, key: str, default: Any = None) -> Any:
        """Return the value of a setting."""
        value = self._database.read(lambda db: values.setting(db, key))
        return default if value is None else value

    def settings(self) -> dict[str, Any]:
        """Return all settings."""
        return self._database.read(values.settings)

    def clip(self, example: str) -> Clip | None:
        """Return what was heard or seen with the example of this id, or None."""
        return self._database.read(lambda db: rows.read_clip(db, example))

    def step(self) -> int:
        """Return the number of the step that the project stands at."""
        return self._database.read(lambda db: values.state(db, "head"))

    def snapshots(self) -> list[SnapshotInfo]:
        """Return the named states, oldest first."""
        query = "SELECT name, created_us FROM snapshot ORDER BY op, created_us, name"
        return self._database.read(lambda db: [SnapshotInfo(*row) for row in db.execute(query)])

    def info(self) -> dict[str, Any]:
        """Return path, version, counts and sizes as plain data."""
        return {
            "path": str(self.path),
            "created": self.created,
            "read_only": self.read_only,
            **self._database.read(lambda db: counts(db, self.path), slow=True),
            "notices": self.notices,
        }

    def subscribe(self, callback: Callable[[Change], None]) -> Callable[[], None]:
        """Have ``callback`` told of every change, by the writer's thread, before the call returns.

        Returns what ends that, once. A change by another process arrives as ``Change(reload=True)``
        with all settings. A callback may read the project but not change it.
        """
        return self._database.subscribe(callback)

    # Changing

    def add(
        self,
        examples: Sequence[NewExample],
        *,
        batch: str = "",
        settings: Mapping[str, Any] | None = None,
        since: int | None = None,
    ) -> list[str]:
        """Store examples as one step; returns their ids once they are durable.

        Steps of one ``batch`` that follow each other are undone together, with ``settings`` (texts)
        kept beside them. Variants have no id among the answer, and are left out, when their parent
        was deleted, erased or moved to another label meanwhile, or has some of an earlier call.

        Raises:
            InputError: a vector is not finite, or has not its space's dimension; or the step
                ``since``, or what was done of ``batch``, was undone.
            StoreError: the disk is (nearly) full, or the project may only be read.
        """
        ready = self._ready(examples)
        return self._database.change(
            lambda db: changes.add(db, ready, batch=batch, settings=settings, since=since)
        )

    def bring_in(self, examples: Sequence[NewExample], *, batch: str = "") -> list[str]:
        """Store examples from elsewhere as one step; those that were deleted here come back."""
        ready = self._ready(examples)
        return self._database.change(
            lambda db: changes.add(db, ready, batch=batch, verb="import", revive=True)
        )

    def replace(
        self, space: str, examples: Sequence[NewExample], settings: Mapping[str, Any] | None = None
    ) -> list[str]:
        """Put ``examples``, and ``settings``, in the place of those of ``space``, as one step.

        For another embedder: their dimension may differ from the one before.
        """
        ready = self._ready(examples)
        return self._database.change(lambda db: changes.replace(db, space, ready, settings))

    def delete(self, ids: Sequence[str], *, batch: str = "") -> None:
        """Hide examples, and what was augmented from them. `InputError` for an id never seen."""
        self._database.change(lambda db: changes.delete(db, ids, batch=batch))

    def rename_label(self, label: str, to: str) -> None:
        """Give a label another name; an existing name merges the two."""
        self._database.change(lambda db: changes.rename_label(db, label, to))

    def delete_label(self, label: str) -> None:
        """Hide a label with all its examples."""
        self._database.change(lambda db: changes.delete_label(db, label))

    def relabel(self, ids: Sequence[str], label: str) -> None:
        """Move examples, and what was augmented from them, to a label, new or known."""
        self._database.change(lambda db: changes.relabel(db, ids, label))

    def set_settings(self, settings: Mapping[str, Any], *, batch: str = "") -> None:
        """Keep JSON values; None removes one. "locked" says how the show stands: it is no step."""
        self._database.change(lambda db: changes.set_settings(db, settings, batch=batch))

    def undo(self, *, batch: str = "") -> str:
        """Take back the last step (of ``batch``); returns what it did. `InputError`: none is."""
        # What was begun before a lock may go, so that nothing half done stays.
        return self._database.change(lambda db: journal.undo(db, batch), in_show=bool(batch))

    def redo(self) -> str:
        """Do again what was undone last; returns what it does. `InputError` when there is none."""
        return self._database.change(journal.redo)

    def snapshot(self, name: str) -> None:
        """Name the present state. `InputError` when the name is taken."""
        self._database.change(lambda db: changes.snapshot(db, name))

    def restore(self, name: str) -> None:
        """Return to a named state, as one step that can be undone."""
        self._database.change(lambda db: changes.restore(db, name))

    def erase(
        self, *, person: str | None = None, label: str | None = None, before_us: int | None = None
    ) -> dict[str, int]:
        """Remove a person, a label, or all taught before an instant for good; returns the counts.

        Reaches hidden examples, the journal, settings, names of snapshots, and backups. It cannot
        be undone. ``mentions_left`` counts other examples that still say the name somewhere.

        Raises:
            StoreError: another program keeps old pages from being removed; erase again.
        """
        what = erase.target(person=person, label=label, before_us=before_us)

        def job(db: sqlite3.Connection) -> dict[str, int]:
            try:
                return erase.erase(db, self.path, what)
            finally:
                self._database.reload(db)

        # The background's check would keep old pages in the log, and its backup old rows.
        with self._database.caring:
            return self._database.run(job)

    # What can be computed again

    def cache(self, key: str) -> bytes | None:
        """Return what `put_cache` kept, or None."""
        return self._database.read(lambda db: cache.read(db, key))

    def put_cache(self, key: str, data: bytes, *, of: Collection[str] = ()) -> None:
        """Keep something that can be computed again; not journalled, the oldest forgotten first.

        ``of``: ids of the examples it was made of. Once one of them is erased, it is not kept.
        """

        def work(db: sqlite3.Connection) -> tuple[None, Change]:
            cache.put(db, key, data, of)
            return None, Change()

        if not self.read_only:
            self._database.change(work)

    def copy_to(self, path: Path, progress: backups.Progress = backups.unwatched) -> None:
        """Write a complete copy as one plain file, while the project is in use (see `backups`).

        Raises:
            StoreError: the file exists already, or cannot be written.
        """
        path = Path(path).absolute()
        with backups.fresh(path), schema.explained(path), closing(self._database.connect()) as db:
            backups.copy(db, path, progress)

    def _ready(self, examples: Sequence[NewExample]) -> list[NewExample]:
        """Return ``examples`` fit to be stored; `StoreError` when the disk has no room for them."""
        ready = [checked(example) for example in examples]
        try:
            free, size = shutil.disk_usage(self.path.parent).free, self.path.stat().st_size
        except OSError as error:
            raise StoreError(f"{self.path}: is no longer there ({error.strerror})") from error
        if free < MIN_FREE_BYTES:
            raise StoreError(
                f"{self.path}: only {free / 1e6:.0f} MB are free on this disk; recording is "
                f"refused below {MIN_FREE_BYTES / 1e6:.0f} MB, predicting goes on"
            )
        if size > MAX_CLIPS_FILE_BYTES:
            told = f"{self.path}: is full of clips; new examples are kept without theirs"
            self._database.notice(told)
            ready = [msgspec.structs.replace(example, clip=None) for example in ready]
        return ready
