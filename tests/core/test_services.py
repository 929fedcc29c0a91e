"""Commands find who handles them, also while that node is still opening."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tmstream.core import services
from tmstream.core.errors import InputError
from tmstream.core.messages import Lock, Undo
from tmstream.core.services import Commands


async def answer(command: Any) -> str:
    return "done"


def test_a_command_waits_for_the_node_that_is_opening() -> None:
    async def late() -> Any:
        commands = Commands()
        commands.expect([Lock])
        task = asyncio.ensure_future(commands.dispatch(Lock(id=1)))
        await asyncio.sleep(0)
        assert not task.done()
        commands.route([Lock], answer)
        return await task

    assert asyncio.run(late()) == "done"


def test_who_never_comes_is_told_apart_from_who_is_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(services, "PATIENCE_S", 0.1)
    commands = Commands()
    commands.expect([Lock])
    with pytest.raises(InputError, match="'lock' is not ready yet"):
        asyncio.run(commands.dispatch(Lock(id=1)))
    with pytest.raises(InputError, match="no node that handles 'undo'"):
        asyncio.run(commands.dispatch(Undo(id=2)))
