"""An inbox keeps its policy between threads and the loop, in every combination."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tmstream.engine.inbox import Closed, Inbox


def drain(inbox: Inbox[int]) -> list[int]:
    taken = []
    while True:
        try:
            taken.append(inbox.get())
        except Closed:
            return taken


def test_drop_oldest_makes_room_and_counts() -> None:
    inbox: Inbox[int] = Inbox(2, "drop_oldest")
    for i in range(4):
        inbox.put(i)
    inbox.close()
    assert drain(inbox) == [2, 3]
    assert inbox.dropped == 2


def test_block_holds_a_thread_back_and_loses_nothing() -> None:
    inbox: Inbox[int] = Inbox(2)
    writer = threading.Thread(target=lambda: [*map(inbox.put, range(100)), inbox.close()])
    writer.start()
    assert drain(inbox) == list(range(100))
    writer.join()
    assert inbox.dropped == 0


def test_it_ends_when_the_last_writer_has_left() -> None:
    inbox: Inbox[int] = Inbox(2, writers=2)
    reader = threading.Thread(target=drain, args=(inbox,), daemon=True)
    reader.start()
    inbox.close()
    reader.join(0.05)
    assert reader.is_alive()
    inbox.close()
    reader.join(5)
    assert not reader.is_alive()
    with pytest.raises(Closed):
        inbox.get()


def test_from_the_loop_to_a_thread_and_back() -> None:
    async def walk() -> list[int]:
        there: Inbox[int] = Inbox(2)
        back: Inbox[int] = Inbox(2)

        def work() -> None:
            for item in drain(there):
                back.put(item * 2)
            back.close()

        async def send() -> None:
            for i in range(200):
                await there.aput(i)
            there.close()

        threading.Thread(target=work).start()
        # ``work`` drains ``there`` first, so only its bound can hold the sender.
        await send()
        taken = []
        while True:
            try:
                taken.append(await back.aget())
            except Closed:
                return taken

    assert asyncio.run(asyncio.wait_for(walk(), 10)) == [2 * i for i in range(200)]


def test_abandon_frees_both_sides() -> None:
    inbox: Inbox[int] = Inbox(1)
    inbox.put(1)
    writer = threading.Thread(target=inbox.put, args=(2,))
    writer.start()
    inbox.abandon()
    writer.join(5)
    assert not writer.is_alive()
    late = threading.Thread(target=lambda: [*map(inbox.put, range(3))], daemon=True)
    late.start()
    late.join(5)
    assert not late.is_alive()
