"""A slow reader runs a few items ahead, and no further."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from tmstream.capture._ahead import read_ahead


def test_it_reads_no_further_ahead_than_asked() -> None:
    made: list[int] = []
    stopped = threading.Event()

    def numbers() -> Iterator[int]:
        try:
            for number in range(1000):
                made.append(number)
                yield number
        finally:
            stopped.set()

    async def take() -> None:
        stream = read_ahead(numbers, depth=3)
        assert [await anext(stream) for _ in range(2)] == [0, 1]
        for _ in range(20):
            await asyncio.sleep(0.01)
        assert len(made) <= 2 + 3 + 1
        await stream.aclose()  # type: ignore[attr-defined]  # an asynchronous generator has it

    asyncio.run(take())
    assert stopped.wait(5)


def test_what_it_fails_with_comes_after_what_it_gave() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        raise ValueError("damaged")

    async def take() -> None:
        stream = read_ahead(numbers)
        assert await anext(stream) == 1
        with pytest.raises(ValueError, match="damaged"):
            await anext(stream)

    asyncio.run(take())
