"""Read a slow iterator on a thread of its own, a few items ahead of the loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TypeVar

T = TypeVar("T")


async def read_ahead(make: Callable[[], Iterator[T]], depth: int = 4) -> AsyncIterator[T]:
    """Yield what ``make()`` yields; it runs on a daemon thread, at most ``depth`` items ahead.

    An exception of the iterator is raised here, after the items before it.
    """
    loop = asyncio.get_running_loop()
    ready: asyncio.Queue[tuple[T] | BaseException | None] = asyncio.Queue()
    room = threading.Semaphore(depth)
    stop = threading.Event()

    def give(item: tuple[T] | BaseException | None) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(ready.put_nowait, item)

    def read() -> None:
        items = make()
        try:
            for item in items:
                room.acquire()
                if stop.is_set():
                    break
                give((item,))
            end: BaseException | None = None
        except Exception as error:  # noqa: BLE001 - raised again on the loop
            end = error
        finally:
            if close := getattr(items, "close", None):
                close()
        give(end)

    threading.Thread(target=read, name="read ahead", daemon=True).start()
    try:
        while True:
            item = await ready.get()
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            room.release()
            yield item[0]
    finally:
        stop.set()
        room.release()
