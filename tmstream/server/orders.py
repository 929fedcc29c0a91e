"""In which order the commands of one client are obeyed: as they came, with two exceptions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ..core import messages as m

MOST_QUEUED = 32  #: commands of one kind waiting for their turn
#: Take seconds and change nothing: they wait for one another, and nothing else waits for them.
#: (Behind them a `record_stop` came late, and what was said meanwhile was taught as well.)
JUDGEMENTS = (m.Evaluate, m.Lint)


class Orders:
    """Commands waiting for ``obey``, which must not raise.

    A judgement waits for what came before it, and holds up nothing. A `record_stop` does not wait
    for the end of the recording it is to stop.
    """

    def __init__(self, obey: Callable[[m.Command], Awaitable[None]]) -> None:
        self._obey = obey
        self._queue: asyncio.Queue[m.Command] = asyncio.Queue(MOST_QUEUED)
        self._judging: asyncio.Queue[m.Command] = asyncio.Queue(MOST_QUEUED)
        self._stopping: asyncio.Queue[m.Command] = asyncio.Queue(MOST_QUEUED)
        self._queues = (self._queue, self._judging, self._stopping)
        self._timed = 0  # recordings of so many seconds that have not come to their end
        self._workers = [asyncio.create_task(self._work(queue)) for queue in self._queues]

    def put(self, command: m.Command) -> None:
        """Have a command obeyed in its turn; `asyncio.QueueFull` when too many wait."""
        queue = self._queue
        if isinstance(command, JUDGEMENTS):
            queue = self._judging
        elif isinstance(command, m.RecordStop) and self._timed:
            queue = self._stopping
        queue.put_nowait(command)
        self._timed += _is_timed(command)

    async def settle(self) -> None:
        """Let the commands at work end, but no judgement, and forget the others."""
        for queue in self._queues:
            while not queue.empty():
                queue.get_nowait()
                queue.task_done()
        await self._queue.join()
        await self._stopping.join()

    async def close(self) -> None:
        """Let the judgement at work end as well, then raise what went wrong in here."""
        await self._judging.join()
        for worker in self._workers:
            worker.cancel()
        await asyncio.wait(self._workers)
        for worker in self._workers:
            if not worker.cancelled() and worker.exception() is not None:
                raise worker.exception()  # type: ignore[misc]

    async def _work(self, queue: asyncio.Queue[m.Command]) -> None:
        while True:
            command = await queue.get()
            if queue is self._judging:
                await self._queue.join()  # what came before it is judged as well
            try:
                await self._obey(command)
            finally:
                self._timed -= _is_timed(command)
                queue.task_done()


def _is_timed(command: m.Command) -> bool:
    return isinstance(command, m.RecordStart) and command.seconds is not None
