from __future__ import annotations

import asyncio

import pytest

from tests.server.conftest import Join, RunningHub
from tmstream.core import messages as m
from tmstream.core.errors import DeviceError, InputError
from tmstream.server.ask import ask
from tmstream.server.state import Running, find_running, note_running


def test_a_program_of_this_user_may_ask_for_anything(running_hub: RunningHub, join: Join) -> None:
    async def go() -> None:
        async with running_hub() as hub:
            code = (await ask(m.NewCode(id=1)))["code"]
            async with join(hub) as talk:
                assert (await talk.ask("auth", code=code))["result"]["role"] == "control"
            with pytest.raises(InputError, match="no node that handles 'undo'"):
                await ask(m.Undo(id=1))

    asyncio.run(go())


def test_without_an_engine_it_says_how_to_start_one() -> None:
    with pytest.raises(DeviceError, match="tmstream run PIPELINE"):
        asyncio.run(ask(m.Undo(id=1)))
    with pytest.raises(DeviceError, match="no engine answers at port 1;"):
        asyncio.run(ask(m.Undo(id=1), running=Running(port=1)))


def test_the_engine_that_began_last_is_asked_and_the_other_once_that_has_ended(
    running_hub: RunningHub,
) -> None:
    async def go() -> None:
        async with running_hub() as first:
            async with running_hub() as second:
                assert find_running(second.folder) == Running(second.port)
            assert second.folder == first.folder
            assert find_running(first.folder) == Running(first.port)
            note_running(first.folder, Running(port=1))  # of one that crashed
            (first.folder / "running" / "2.json").write_text("{")
            assert find_running(first.folder) == Running(first.port)
        assert find_running(first.folder) is None

    asyncio.run(go())
