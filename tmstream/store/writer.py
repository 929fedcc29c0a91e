"""One thread owns the writing connection: jobs run there one by one, in the order they came."""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from ..core.errors import StoreError

T = TypeVar("T")

log = logging.getLogger(__name__)

Job = Callable[[sqlite3.Connection], Any]


class Writer:
    """Runs jobs on its own thread; ``idle(db)`` is called there about every ``tick_s`` seconds.

    ``db`` is the connection; only a job may put another one in its place.
    """

    db: sqlite3.Connection

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        idle: Callable[[sqlite3.Connection], None],
        tick_s: float,
    ) -> None:
        self._connect = connect
        self._idle = idle
        self._tick_s = tick_s
        self._jobs: queue.SimpleQueue[tuple[Job, Future[Any]] | None] = queue.SimpleQueue()
        self._closed = False
        self._told = ""
        self._lock = threading.Lock()
        self._opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="tmstream-store", daemon=True)
        self._thread.start()
        self._opened.result()

    def __call__(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Return what ``job(db)`` returns, once it ran on the thread; raises what it raises."""
        if threading.current_thread() is self._thread:
            raise StoreError("a subscriber of the project must not change it; do that elsewhere")
        answer: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise StoreError("the project is closed")
            self._jobs.put((job, answer))
        return answer.result()

    def close(self) -> None:
        """Finish the jobs already given, close the connection, and end the thread."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._jobs.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        try:
            self.db = self._connect()
        except BaseException as error:  # noqa: BLE001  (handed to the thread that waits for it)
            self._opened.set_exception(error)
            return
        self._opened.set_result(None)
        due = time.monotonic() + self._tick_s
        while True:
            try:
                work = self._jobs.get(timeout=max(0.0, due - time.monotonic()))
            except queue.Empty:
                self._rest()
                due = time.monotonic() + self._tick_s
                continue
            if work is None:
                break
            job, answer = work
            try:
                answer.set_result(job(self.db))
            except BaseException as error:  # noqa: BLE001  (handed to the thread that waits for it)
                answer.set_exception(error)
        self.db.close()

    def _rest(self) -> None:
        try:
            self._idle(self.db)
        except (sqlite3.Error, StoreError) as error:
            # A full disk refuses a checkpoint, for instance; it is tried again at the next rest.
            if str(error) != self._told:
                self._told = str(error)
                log.warning("the project could not be tidied: %s", error)
