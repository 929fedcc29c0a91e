"""Work that takes longer than a reply may: asked about, and stopped, by its number."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

from ..core import messages as m
from ..core.errors import InputError, TmstreamError

log = logging.getLogger(__name__)

KEPT = 20  #: finished jobs that can still be asked about
MOST_LINES = 500  #: of one job's files; more are counted


@dataclass
class Job:
    """How far one piece of work is, as plain data for the page."""

    job: int
    what: str
    looks: bool = False  #: and changes nothing
    stoppable: bool = False  #: now; what was changed before stays
    state: Literal["running", "done", "failed", "stopped"] = "running"
    done: int = 0
    total: int = 0
    note: str = ""  #: what it is doing now
    result: dict[str, Any] = field(default_factory=dict)
    files: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""

    def step(self, done: int, total: int) -> None:
        """Say how many of how many steps are done."""
        self.done, self.total = done, total

    def file(self, name: str, label: str, examples: int, why: str) -> None:
        """Say what became of one file."""
        self.done += 1
        if len(self.files) < MOST_LINES:
            one = {"name": name, "label": label, "examples": examples, "why": why}
            self.files.append(one)


Work = Callable[[Job], Awaitable[dict[str, Any]]]


class Jobs:
    """Runs jobs on the loop: one at a time that changes the project, and beside it one that looks.

    What only looks can be stopped at any moment, and makes way for the next that does. What changes
    the project says itself when it can be stopped.
    """

    handles: ClassVar[tuple[type, ...]] = (m.Job, m.StopJob)

    def __init__(self) -> None:
        self._jobs: dict[int, Job] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._keys: dict[str, int] = {}
        self._last = 0

    async def handle(self, command: m.Job | m.StopJob) -> dict[str, Any]:
        """Return how far a job is, or stop it; `InputError` when there is none (any more)."""
        job = self._jobs.get(command.job)
        if job is None:
            raise InputError(f"there is no job {command.job} (any more)")
        if isinstance(command, m.StopJob):
            self._stop(job)
        return asdict(job)

    @property
    def busy(self) -> Job | None:
        """Return the job under way that changes the project, if any."""
        return next((job for job in self._running() if not job.looks), None)

    def start(self, what: str, work: Work) -> dict[str, Any]:
        """Begin what changes the project; returns the job's number.

        Raises:
            InputError: another such job is under way.
        """
        if self.busy is not None:
            raise InputError(f"wait for the end of this first: {self.busy.what}")
        return {"job": self._begin(Job(self._last + 1, what), work).job}

    def look(self, what: str, work: Work, key: str) -> dict[str, Any]:
        """Begin what only looks, in place of such a job under way; returns the job's number.

        With the same ``key`` (what the result depends on) it is the same job, done or under way.
        """
        same = self._jobs.get(self._keys.get(key, 0))
        if same is not None and same.state in ("running", "done"):
            return {"job": same.job}
        for job in self._running():
            if job.looks:
                self._stop(job)
        begun = self._begin(Job(self._last + 1, what, looks=True, stoppable=True), work)
        self._keys = {key: begun.job}
        return {"job": begun.job}

    async def close(self) -> None:
        """Break off what is under way."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _running(self) -> list[Job]:
        return [job for job in self._jobs.values() if job.state == "running"]

    def _begin(self, job: Job, work: Work) -> Job:
        self._last = job.job
        self._jobs[job.job] = job
        for old in [number for number in self._jobs if number <= self._last - KEPT]:
            if self._jobs[old].state != "running":
                del self._jobs[old]
        self._tasks[job.job] = task = asyncio.create_task(self._run(job, work))
        task.add_done_callback(lambda _: self._tasks.pop(job.job))
        return job

    def _stop(self, job: Job) -> None:
        if job.state != "running":
            return
        if not job.stoppable:
            raise InputError(f"this cannot be stopped now: {job.what}; undo it when it is done")
        if not job.looks:
            job.error = "stopped; what was taught before is kept, and one undo takes it back"
        job.state = "stopped"
        self._tasks[job.job].cancel()

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
            job.stoppable = False
            if job.state == "running":
                job.error, job.state = "broken off", "failed"
