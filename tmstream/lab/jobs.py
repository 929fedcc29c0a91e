"""Work that takes longer than a reply may: one job at a time, asked about by its number."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ..core.errors import InputError, TmstreamError

log = logging.getLogger(__name__)

KEPT = 20  #: finished jobs that can still be asked about
MOST_LINES = 500  #: of one job's files; more are counted


@dataclass
class Job:
    """How far one piece of work is, as plain data for the page."""

    job: int
    what: str
    state: Literal["running", "done", "failed"] = "running"
    done: int = 0
    total: int = 0
    note: str = ""  #: what it is doing now
    result: dict[str, Any] = field(default_factory=dict)
    files: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""

    def file(self, name: str, label: str, examples: int, why: str) -> None:
        """Say what became of one file."""
        self.done += 1
        if len(self.files) < MOST_LINES:
            one = {"name": name, "label": label, "examples": examples, "why": why}
            self.files.append(one)


Work = Callable[[Job], Awaitable[dict[str, Any]]]


class Jobs:
    """Runs one job at a time on the loop."""

    def __init__(self) -> None:
        self._jobs: dict[int, Job] = {}
        self._last = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def busy(self) -> Job | None:
        """Return the job under way, if any."""
        last = self._jobs.get(self._last)
        return last if last is not None and last.state == "running" else None

    def start(self, what: str, work: Work) -> dict[str, Any]:
        """Begin; returns the job's number.

        Raises:
            InputError: another job is under way.
        """
        if self.busy is not None:
            raise InputError(f"wait for the end of this first: {self.busy.what}")
        self._last += 1
        job = self._jobs[self._last] = Job(self._last, what)
        for old in [number for number in self._jobs if number <= self._last - KEPT]:
            del self._jobs[old]
        self._task = asyncio.create_task(self._run(job, work))
        return {"job": job.job}

    def look(self, number: int) -> dict[str, Any]:
        """Return how far a job is.

        Raises:
            InputError: there is no such job (any more).
        """
        job = self._jobs.get(number)
        if job is None:
            raise InputError(f"there is no job {number} (any more)")
        return asdict(job)

    async def close(self) -> None:
        """Break off what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self, job: Job, work: Work) -> None:
        try:
            job.result = await work(job)
            job.state = "done"
        except TmstreamError as error:
            job.error, job.state = str(error), "failed"
        except Exception:  # a fault in one job must not end the show
            log.exception("%s failed", job.what)
            job.error, job.state = "the engine made a mistake; its log says more", "failed"
        finally:
            if job.state == "running":
                job.error, job.state = "broken off", "failed"
