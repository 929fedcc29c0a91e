"""Whose recording it is, and that it can be stopped, whoever comes and goes."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.server.conftest import Join, RunningHub
from tmstream.core import messages as m
from tmstream.core.errors import InputError
from tmstream.core.services import Commands


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
