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

    async def go() -> dict[int, float]:
        async with running_hub() as hub, join(hub) as talk:
            took: dict[int, list[float]] = {1: [], 2: []}
            for _ in range(40):  # the first few are acknowledged at once anyway
                for together, times in took.items():
                    began = time.perf_counter()
                    for _ in range(together):
                        await talk.socket.send('{"type": "ping", "id": 1}')
                    for _ in range(together):
                        assert (await talk.get())["type"] == "reply"
                    times.append(time.perf_counter() - began)
            return {together: statistics.median(times) for together, times in took.items()}

    median_s = asyncio.run(go())
    # Beside one alone: how fast this machine is must not matter.
    assert median_s[2] < 2 * median_s[1] + 0.015
