"""Whose recording it is, that it can be stopped, and what is obeyed of who went away."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.server.conftest import Join, RunningHub
from tmstream.core import messages as m
from tmstream.core.errors import InputError
from tmstream.core.services import Commands
from tmstream.server.orders import Orders


class Booth:
    """Records one label at a time; a recording of some seconds goes on until it is stopped."""

    def __init__(self) -> None:
        self.commands = Commands()
        self.commands.route([m.RecordStart], self._start)
        self.commands.route([m.RecordStop], self._stop)
        self.log: list[str] = []
        self._label: str | None = None
        self._ended = asyncio.Event()

    async def _start(self, command: m.RecordStart) -> str:
        if self._label is not None:
            raise InputError(f"{self._label!r} is being recorded; stop that first")
        self._label = command.label
        self.log.append(f"start {command.label}")
        if command.seconds is not None:
            await self._ended.wait()
        return command.label

    async def _stop(self, command: m.RecordStop) -> None:
        self.log.append(f"stop {self._label}")
        self._label = None
        self._ended.set()


@pytest.fixture
def booth() -> Booth:
    return Booth()


def test_a_refused_one_does_not_stop_the_recording_of_another_when_it_leaves(
    running_hub: RunningHub, join: Join, booth: Booth
) -> None:
    async def go() -> None:
        async with running_hub(booth.commands) as hub, join(hub, control=True) as mine:
            assert (await mine.ask("record_start", label="clap"))["ok"]
            async with join(hub, control=True) as other:
                assert not (await other.ask("record_start", label="snap"))["ok"]
            while hub.clients > 1:
                await asyncio.sleep(0)
            assert booth.log == ["start clap"]
        assert booth.log == ["start clap", "stop clap"]

    asyncio.run(go())


def test_whoever_was_stopped_by_another_does_not_stop_the_next_recording(
    running_hub: RunningHub, join: Join, booth: Booth
) -> None:
    async def go() -> None:
        async with running_hub(booth.commands) as hub, join(hub, control=True) as other:
            async with join(hub, control=True) as mine:
                assert (await mine.ask("record_start", label="clap"))["ok"]
                assert (await other.ask("record_stop"))["ok"]
                assert (await other.ask("record_start", label="snap"))["ok"]
            while hub.clients > 1:
                await asyncio.sleep(0)
            assert booth.log == ["start clap", "stop clap", "start snap"]

    asyncio.run(go())


def test_a_recording_of_many_seconds_is_stopped_by_whoever_started_it(
    running_hub: RunningHub, join: Join, booth: Booth
) -> None:
    async def go() -> None:
        async with running_hub(booth.commands) as hub, join(hub, control=True) as mine:
            start = {"type": "record_start", "id": "start", "label": "clap", "seconds": 60}
            for command in (start, {"type": "record_stop", "id": "stop"}):
                await mine.socket.send(json.dumps(command))
            assert {(await mine.get("reply"))["id"] for _ in range(2)} == {"start", "stop"}
            assert booth.log == ["start clap", "stop clap"]
            assert (await mine.ask("record_start", label="snap"))["ok"]
            assert (await mine.ask("record_stop"))["ok"]

    asyncio.run(go())


def test_of_whoever_left_what_is_at_work_ends_and_what_waits_is_forgotten() -> None:
    async def go() -> list[str]:
        may_end, done = asyncio.Event(), list[str]()

        async def obey(command: m.Command) -> None:
            if not isinstance(command, m.RecordStart):
                await may_end.wait()
            done.append(str(command.id))

        orders = Orders(obey)
        for command in (m.Undo(id="at work"), m.Undo(id="waits"), m.Lint(id="judges")):
            orders.put(command)
        await asyncio.sleep(0)
        settled = asyncio.ensure_future(orders.settle())
        await asyncio.sleep(0)
        assert not settled.done()
        may_end.set()
        await settled
        await orders.close()
        return done

    assert asyncio.run(go()) == ["at work", "judges"]


def test_a_stop_that_is_at_work_is_waited_for() -> None:
    async def go() -> None:
        ended, may_end = asyncio.Event(), asyncio.Event()

        async def obey(command: m.Command) -> None:
            await (may_end if isinstance(command, m.RecordStop) else ended).wait()

        orders = Orders(obey)
        orders.put(m.RecordStart(id=1, label="clap", seconds=60))
        orders.put(m.RecordStop(id=2))
        await asyncio.sleep(0)
        ended.set()
        settled = asyncio.ensure_future(orders.settle())
        for _ in range(10):
            await asyncio.sleep(0)
        assert not settled.done()
        may_end.set()
        await settled
        await orders.close()

    asyncio.run(go())
