"""Long work: one that changes the project at a time, and beside it one that looks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tmstream.core import messages as m
from tmstream.core.errors import InputError
from tmstream.server.jobs import Job, Jobs


class Work:
    """A piece of work that ends when it is let go."""

    def __init__(self) -> None:
        self.go, self.begun, self.cancelled = asyncio.Event(), asyncio.Event(), False

    async def __call__(self, job: Job) -> dict[str, Any]:
        job.total = 2
        self.begun.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return {"found": 3}


async def state(jobs: Jobs, started: dict[str, Any]) -> dict[str, Any]:
    return await jobs.handle(m.Job(id=1, job=started["job"]))


async def settled(jobs: Jobs) -> None:
    await asyncio.wait(list(jobs._tasks.values()))


def run(work: Callable[[Jobs], Coroutine[Any, Any, None]]) -> None:
    async def go() -> None:
        jobs = Jobs()
        try:
            await work(jobs)
        finally:
            await jobs.close()

    asyncio.run(go())


def test_one_change_at_a_time_and_a_look_beside_it() -> None:
    async def go(jobs: Jobs) -> None:
        change, look = Work(), Work()
        changing = jobs.start("teaching files", change)
        looking = jobs.look("judging", look, "a")
        with pytest.raises(InputError, match="wait for the end of this first: teaching files"):
            jobs.start("export", Work())
        with pytest.raises(InputError, match="cannot be stopped now: teaching files"):
            await jobs.handle(m.StopJob(id=1, job=changing["job"]))
        change.go.set()
        look.go.set()
        await settled(jobs)
        for started in (changing, looking):
            found = await state(jobs, started)
            assert (found["state"], found["result"]) == ("done", {"found": 3})
        assert jobs.busy is None

    run(go)


def test_a_look_can_be_stopped() -> None:
    async def go(jobs: Jobs) -> None:
        work = Work()
        started = jobs.look("judging", work, "a")
        await work.begun.wait()
        stopped = await jobs.handle(m.StopJob(id=1, job=started["job"]))
        assert (stopped["state"], stopped["total"]) == ("stopped", 2)
        await settled(jobs)
        assert work.cancelled
        assert (await state(jobs, started))["state"] == "stopped"
        again = await jobs.handle(m.StopJob(id=2, job=started["job"]))
        assert again["state"] == "stopped", "stopping twice is no mistake"
        assert jobs.look("judging", Work(), "a") != started, "what was stopped is begun anew"

    run(go)


def test_a_change_can_be_stopped_while_it_says_so_and_then_another_may_begin() -> None:
    async def go(jobs: Jobs) -> None:
        work = Work()

        async def long(job: Job) -> dict[str, Any]:
            job.stoppable = True
            return await work(job)

        started = jobs.start("teaching files", long)
        await work.begun.wait()
        jobs.look("judging", Work(), "a")
        assert (await state(jobs, started))["state"] == "running", "it makes way for no look"
        stopped = await jobs.handle(m.StopJob(id=1, job=started["job"]))
        assert (stopped["state"], "is kept" in stopped["error"]) == ("stopped", True)
        other = jobs.start("export", Work())
        await asyncio.sleep(0)
        assert work.cancelled
        assert (await state(jobs, other))["state"] == "running"
        again = await jobs.handle(m.StopJob(id=2, job=started["job"]))
        assert (again["state"], again["stoppable"]) == ("stopped", False)

    run(go)


def test_one_look_serves_all_who_want_the_same_and_makes_way_for_another() -> None:
    async def go(jobs: Jobs) -> None:
        first, second = Work(), Work()
        started = jobs.look("judging", first, "a")
        assert jobs.look("judging", second, "a") == started
        await first.begun.wait()
        assert not second.begun.is_set()
        other = jobs.look("judging", second, "b")
        assert other != started
        assert (await state(jobs, started))["state"] == "stopped"
        second.go.set()
        await settled(jobs)
        assert first.cancelled
        assert jobs.look("judging", Work(), "b") == other, "it is known already"

    run(go)


def test_who_fails_says_so_and_who_is_broken_off_too() -> None:
    async def refused(job: Job) -> dict[str, Any]:
        raise InputError("nothing was heard at all")

    async def go(jobs: Jobs) -> None:
        failed, broken = jobs.start("listening", refused), jobs.look("judging", Work(), "a")
        await asyncio.sleep(0)
        assert (await state(jobs, failed))["error"] == "nothing was heard at all"
        await jobs.close()
        assert (await state(jobs, broken))["error"] == "broken off"
        with pytest.raises(InputError, match="there is no job 99"):
            await jobs.handle(m.StopJob(id=1, job=99))

    run(go)
