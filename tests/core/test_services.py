"""Commands find who handles them, also while that node is still opening."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from tmstream.core import services
from tmstream.core.errors import InputError
from tmstream.core.messages import Lock, Undo
from tmstream.core.services import Commands


async def answer(command: Any) -> str:
    return "done"


def test_commands_wait_for_the_node_that_opens_in_its_own_thread() -> None:
    async def late() -> Any:
        commands = Commands()
        commands.expect([Lock, Undo])
        commands.expect([Lock])
        tasks = [asyncio.ensure_future(commands.dispatch(one(id=1))) for one in (Lock, Lock, Undo)]
        await asyncio.sleep(0)
        assert not any(task.done() for task in tasks)
        tasks[0].cancel()  # one who gives up takes nobody along
        opening = threading.Thread(target=commands.route, args=([Lock, Undo], answer))
        opening.start()
        found = await asyncio.wait_for(asyncio.gather(*tasks[1:]), services.PATIENCE_S / 2)
        opening.join()
        assert tasks[0].cancelled()
        return found

    assert asyncio.run(late()) == ["done", "done"]


def test_a_second_route_replaces_the_first() -> None:
    async def again(command: Any) -> str:
        return "again"

    commands = Commands()
    for handler in (answer, again):
        commands.route([Lock], handler)
    assert asyncio.run(commands.dispatch(Lock(id=1))) == "again"


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
