"""An open project file: who reads, who writes, and what is done for it in the background."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from ..core.errors import Locked, StoreError
from . import backups, integrity, opening, schema, values
from .records import Change
from .writer import Writer

T = TypeVar("T")

log = logging.getLogger(__name__)

CHECKPOINT_AFTER_S = 1.0
#: How often the writer looks whether another process changed the file.
POLL_S = 0.25
BACKUP_EVERY_S = 3600.0


class Reader:
    """A connection that one thread at a time reads by."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self.lock = threading.Lock()
        self.db = connect()


class Database:
    """Two connections that read, one thread that writes, one that checks and backs up.

    ``caring`` is held while the background reads the file at length.
    """

    def __init__(self, path: Path, access: opening.Access) -> None:
        self.path = path
        self.read_only = access.read_only
        self.notices = list(access.notices)
        self._subscribers: list[Callable[[Change], None]] = []
        self.caring = threading.Lock()
        self._access = access
        self._closing = threading.Event()
        self._dirty_since: float | None = None
        self._data_version = -1
        self.heeds_lock = False  #: whether changes are refused while teaching is locked for a show
        #: All examples of a large project take a while: who wants a setting does not wait so long.
        self._reader, self._slow_reader = Reader(access.connect), Reader(access.connect)
        self._revision = self.read(lambda db: values.state(db, "revision"))
        self._writer = None if self.read_only else Writer(self._connect, self._idle, POLL_S)
        self._care = threading.Thread(target=self._keep, name="tmstream-store-care", daemon=True)
        self._care.start()

    def connect(self) -> sqlite3.Connection:
        """Return a new connection for reading."""
        return self._access.connect()

    def read(self, work: Callable[[sqlite3.Connection], T], *, slow: bool = False) -> T:
        """Return ``work(db)``; one thread at a time, and one more for what is ``slow``."""
        reader = self._slow_reader if slow else self._reader
        with reader.lock, schema.explained(self.path):
            return work(reader.db)

    def run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Return ``job(db)``, run by the writer outside of any transaction."""
        if self.read_only or self._writer is None:
            raise StoreError(f"{self.path}: is open for reading only; nothing was changed")
        return self._writer(job)

    def change(
        self, work: Callable[[sqlite3.Connection], tuple[T, Change]], *, in_show: bool = False
    ) -> T:
        """Run ``work`` in a transaction, tell the subscribers, and return its answer.

        Raises:
            Locked: teaching is, and this project `heeds_lock`; not what may be done ``in_show``.
        """

        def job(db: sqlite3.Connection) -> T:
            with schema.explained(self.path), schema.transaction(db):
                if self.heeds_lock and not in_show and values.setting(db, "locked"):
                    raise Locked(f"{self.path}: teaching was locked for the show meanwhile")
                foreign = values.state(db, "revision") != self._revision
                answer, change = work(db)
                revision = values.state(db, "revision")
            self._revision = revision
            self._dirty_since = time.monotonic()
            if foreign:
                self.reload(db)
            else:
                self._tell(change)
            return answer

        return self.run(job)

    def reload(self, db: sqlite3.Connection) -> None:
        """Tell the subscribers to read everything again; for the writer's jobs."""
        self._revision = values.state(db, "revision")
        self._tell(Change(settings=values.settings(db), reload=True))

    def subscribe(self, callback: Callable[[Change], None]) -> Callable[[], None]:
        """Have ``callback`` told of every change; returns what ends that, once. Any thread."""
        self._subscribers.append(callback)
        return partial(self._subscribers.remove, callback)

    def notice(self, text: str) -> None:
        """Keep something that the user should be told."""
        if text not in self.notices:
            self.notices.append(text)
            log.warning("%s", text)

    def close(self) -> None:
        """Finish what was begun; the last to close, the writer, empties and removes the log."""
        self._closing.set()
        self._care.join()
        for reader in (self._reader, self._slow_reader):
            with reader.lock:
                reader.db.close()
        if self._writer:
            self._writer.close()

    def _connect(self) -> sqlite3.Connection:
        return self._access.connect(writing=True)

    def _tell(self, change: Change) -> None:
        if change == Change():
            return
        for callback in tuple(self._subscribers):
            try:
                callback(change)
            except Exception:
                log.exception("a subscriber of %s failed", self.path)

    def _idle(self, db: sqlite3.Connection) -> None:
        """Between jobs: look for changes by other processes, and empty the log."""
        (version,) = db.execute("PRAGMA data_version").fetchone()
        if version != self._data_version:
            self._data_version = version
            # Another process may have written no more than its cache.
            if values.state(db, "revision") != self._revision:
                self.reload(db)
        quiet_since = self._dirty_since
        if quiet_since is not None and time.monotonic() - quiet_since >= CHECKPOINT_AFTER_S:
            # Without patience: a reader in another process must not hold up the next example.
            db.execute("PRAGMA busy_timeout = 0")
            try:
                (busy, _, _) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                db.execute("PRAGMA busy_timeout = 5000")
            self._dirty_since = time.monotonic() if busy else None

    def _keep(self) -> None:
        """In the background: check the whole file once, then keep backups."""
        whole = False
        while not self._closing.is_set():
            try:
                with contextlib.closing(self.connect()) as db, self.caring:
                    # A close must not wait for the end of a long check.
                    db.set_progress_handler(self._closing.is_set, 10_000)
                    if not whole:
                        integrity.check_all(db, self.path)
                        whole = True
                    if not self.read_only:
                        with schema.explained(self.path):
                            backups.make(db, self.path)
            except schema.Damaged as error:
                if not self._closing.is_set():
                    self._recover(str(error))
                    whole = False
            except (StoreError, sqlite3.Error, OSError) as error:
                if not self._closing.is_set():
                    self.notice(f"{self.path}: no backup could be made ({error})")
            if self.read_only:
                return
            self._closing.wait(BACKUP_EVERY_S)

    def _recover(self, reason: str) -> None:
        """Put the newest good backup in place of the file, under the feet of its readers."""
        if self._writer is None:
            self.notice(reason)
            return
        writer = self._writer

        def job(db: sqlite3.Connection) -> None:
            # Twice, because restoring a backup gives up what came after it.
            with contextlib.suppress(schema.Damaged):
                integrity.check_all(db, self.path)
                log.warning("%s: was whole when looked at again (%s)", self.path, reason)
                return
            readers = (self._reader, self._slow_reader)
            with self._reader.lock, self._slow_reader.lock:
                for one in (*(reader.db for reader in readers), db):
                    one.close()
                try:
                    self.notice(backups.restore(self.path, reason))
                except (StoreError, OSError) as error:
                    # What was loaded had passed its checks: predicting goes on, teaching stops.
                    self.read_only = True
                    self.notice(f"{error}. Changes are refused")
                writer.db = self._connect()
                for reader in readers:
                    reader.db = self.connect()
            self.reload(writer.db)

        with contextlib.suppress(StoreError):  # closed in the meantime
            writer(job)
