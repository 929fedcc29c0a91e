"""Where items wait between a writer and a reader; bounded, with a stated policy."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, Literal, TypeVar

T = TypeVar("T")

WhenFull = Literal["block", "drop_oldest"]


class Closed(Exception):
    """Every writer has closed, and nothing waits: the reader is done."""


class Inbox(Generic[T]):
    """Carry items from ``writers`` to one reader, in order of arrival.

    When ``size`` items wait, ``block`` holds the writer back and ``drop_oldest`` makes room.
    Writers use `put` from a thread or `aput` from the loop; the reader `get` or `aget` likewise.
    The reader meets `Closed` once every writer has called `close` and it has taken what waited.
    """

    def __init__(self, size: int, when_full: WhenFull = "block", writers: int = 1) -> None:
        if size < 1:
            raise ValueError(f"size must be 1 or more, got {size}")
        self._size, self._when_full, self._open = size, when_full, writers
        self._held: deque[T] = deque()
        self._changed = threading.Condition()
        self._on_loop: list[Callable[[], object]] = []
        self.dropped = 0  #: items thrown away because the reader was late

    def put(self, item: T) -> None:
        """Leave an item; under ``block``, wait for room (not on the loop)."""
        with self._changed:
            self._changed.wait_for(self._has_room)
            self._add(item)

    def put_now(self, item: T) -> None:
        """Leave an item without waiting, even one more than ``size``: an ending must get in."""
        with self._changed:
            self._held.append(item)
            self._tell()

    async def aput(self, item: T) -> None:
        """Leave an item from the loop."""
        while True:
            with self._changed:
                if self._has_room():
                    self._add(item)
                    return
                room = self._promise()
            await room

    def get(self) -> T:
        """Take the oldest item, waiting in a thread; raises `Closed`."""
        with self._changed:
            self._changed.wait_for(lambda: self._held or not self._open)
            return self._take()

    async def aget(self) -> T:
        """Take the oldest item on the loop; raises `Closed`."""
        while True:
            with self._changed:
                if self._held or not self._open:
                    return self._take()
                item = self._promise()
            await item

    async def drain(self) -> None:
        """Throw away what comes, on the loop, until every writer has closed."""
        with suppress(Closed):
            while True:
                await self.aget()

    def close(self) -> None:
        """Let one writer leave; what waits can still be taken."""
        with self._changed:
            self._open = max(0, self._open - 1)
            self._tell()

    def abandon(self) -> None:
        """Throw everything away and end both sides: the house stops."""
        with self._changed:
            self._held.clear()
            self._open = 0
            self._when_full = "drop_oldest"
            self._tell()

    def _has_room(self) -> bool:
        return self._when_full == "drop_oldest" or len(self._held) < self._size

    def _add(self, item: T) -> None:
        if len(self._held) >= self._size:
            self._held.popleft()
            self.dropped += 1
        self._held.append(item)
        self._tell()

    def _take(self) -> T:
        if not self._held:
            raise Closed
        item = self._held.popleft()
        self._tell()
        return item

    def _tell(self) -> None:
        """Wake whoever waits; the loop is woken only when it waits (a coalesced wake-up)."""
        self._changed.notify_all()
        while self._on_loop:
            self._on_loop.pop()()

    def _promise(self) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        changed: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not changed.done():
                changed.set_result(None)

        self._on_loop.append(lambda: loop.call_soon_threadsafe(wake))
        return changed
