"""What is sent together arrives together."""

from __future__ import annotations

import asyncio
import statistics
import time

from .conftest import Join, RunningHub


def test_the_second_of_two_messages_does_not_wait_for_the_first(
    running_hub: RunningHub, join: Join
) -> None:
    """An event follows its prediction: Nagle's algorithm held it back for 40 ms."""

    async def go() -> float:
        async with running_hub() as hub, join(hub) as talk:
            took = []
            for _ in range(40):  # the first few are acknowledged at once anyway
                began = time.perf_counter()
                for _ in range(2):
                    await talk.socket.send('{"type": "ping", "id": 1}')
                for _ in range(2):
                    assert (await talk.get())["type"] == "reply"
                took.append(time.perf_counter() - began)
            return statistics.median(took)

    assert asyncio.run(go()) < 0.02
