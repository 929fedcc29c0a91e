"""How a run ends: at a signal at once, at the second without goodbye, and never too late."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ..core.errors import Locked

#: After a signal the house has this long. A node that hangs, or a library's thread, must not keep
#: the process: a supervisor would kill it, and a person would pull the plug. The project is safe.
PATIENCE_S = 8.0
INTERRUPTED = 130

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def if_interrupted(told: str | Callable[[], str]) -> Iterator[None]:
    """Have Ctrl-C, or the lock of a show, say in the last line what there is of what was begun."""

    def said() -> str:
        return told if isinstance(told, str) else told()

    try:
        yield
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(said()) from error
    except Locked as error:
        raise Locked(f"{error}; {said()}") from error


class Ending:
    """Sets an event at SIGINT or SIGTERM while it is entered; in other threads it does nothing."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._first: signal.Signals | None = None
        self._house: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._timer: threading.Timer | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Ending:
        if threading.current_thread() is threading.main_thread():
            self._before = {one: signal.signal(one, self._note) for one in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._timer is not None:
            self._timer.cancel()

    def tell(self, loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
        """Set ``stop`` on ``loop`` when a signal comes, or has come."""
        self._house = (loop, stop)
        if self._first is not None:
            stop.set()

    @property
    def status(self) -> int:
        """Return the exit status: 130 after Ctrl-C, else 0."""
        return INTERRUPTED if self._first is signal.SIGINT else 0

    def _note(self, number: int, frame: FrameType | None = None) -> None:
        if self._first is not None:
            os._exit(128 + number)
        self._first = signal.Signals(number)
        self._timer = threading.Timer(self._patience_s, os._exit, [self.status])
        self._timer.daemon = True
        self._timer.start()
        if self._house is not None:
            loop, stop = self._house
            loop.call_soon_threadsafe(stop.set)
