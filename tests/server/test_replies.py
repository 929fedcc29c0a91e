"""Commands on a socket: one reply each, in order, and no more than a connection may ask."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.server.conftest import Join, RunningHub
from tmstream.core import messages as m
from tmstream.core.errors import DeviceError
from tmstream.core.services import Commands


def test_one_reply_each_in_order_while_pings_overtake(running_hub: RunningHub, join: Join) -> None:
    release = asyncio.Event()
    order: list[str] = []

    async def slowly(command: m.Snapshot) -> str:
        await release.wait()
        order.append(command.name)
        return command.name

    commands = Commands()
    commands.route([m.Snapshot], slowly)

    async def go() -> None:
        async with running_hub(commands) as hub, join(hub, control=True) as talk:
            for name in "abc":
                await talk.socket.send(json.dumps({"type": "snapshot", "id": name, "name": name}))
            assert (await talk.ask("ping"))["ok"]
            assert order == []
            release.set()
            assert [(await talk.get("reply"))["id"] for _ in "abc"] == ["a", "b", "c"]
            assert order == ["a", "b", "c"]

    asyncio.run(go())


def test_a_recording_stops_at_once_while_a_judgement_takes_its_time(
    running_hub: RunningHub, join: Join
) -> None:
    release = asyncio.Event()

    async def slowly(command: m.Evaluate) -> str:
        await release.wait()
        return "judged"

    async def handler(command: m.Command) -> str:
        return type(command).__name__

    commands = Commands()
    commands.route([m.Evaluate], slowly)
    commands.route([m.RecordStart, m.RecordStop], handler)

    async def go() -> None:
        async with running_hub(commands) as hub, join(hub, control=True) as talk:
            await talk.ask("record_start", label="clap")
            await talk.socket.send(json.dumps({"type": "evaluate", "id": "slow"}))
            assert (await talk.ask("record_stop"))["result"] == "RecordStop"
            release.set()
            assert (await talk.get("reply"))["id"] == "slow"

    asyncio.run(go())


def test_what_was_asked_before_a_judgement_is_judged_with_it(
    running_hub: RunningHub, join: Join
) -> None:
    release, order = asyncio.Event(), list[str]()

    async def slowly(command: m.DeleteLabel) -> None:
        await release.wait()
        order.append("deleted")

    async def judge(command: m.Evaluate) -> None:
        order.append("judged")

    commands = Commands()
    commands.route([m.DeleteLabel], slowly)
    commands.route([m.Evaluate], judge)

    async def go() -> None:
        async with running_hub(commands) as hub, join(hub, control=True) as talk:
            delete = {"type": "delete_label", "id": "first", "label": "clap"}
            await talk.socket.send(json.dumps(delete))
            await talk.socket.send(json.dumps({"type": "evaluate", "id": "second"}))
            assert (await talk.ask("ping"))["ok"]
            release.set()
            assert [(await talk.get("reply"))["id"] for _ in range(2)] == ["first", "second"]

    asyncio.run(go())
    assert order == ["deleted", "judged"]


def test_a_command_that_fails_is_told_and_the_next_one_works(
    running_hub: RunningHub, join: Join, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(command: m.Undo) -> None:
        raise ZeroDivisionError

    async def missing(command: m.Redo) -> None:
        raise DeviceError("no such thing")

    async def unsendable(command: m.Lock) -> object:
        return object()

    commands = Commands()
    commands.route([m.Undo], broken)
    commands.route([m.Redo], missing)
    commands.route([m.Lock], unsendable)

    async def go() -> None:
        async with running_hub(commands) as hub, join(hub, control=True) as talk:
            for kind in ("undo", "redo", "lock"):
                assert (await talk.ask(kind))["error"]["code"] == "failed"
            assert (await talk.ask("ping"))["ok"]

    asyncio.run(go())
    assert "ZeroDivisionError" in caplog.text


def test_whoever_leaves_while_recording_stops_the_recording(
    running_hub: RunningHub, join: Join
) -> None:
    obeyed: list[str] = []
    stopped = asyncio.Event()

    async def handler(command: m.Command) -> None:
        obeyed.append(type(command).__name__)
        if isinstance(command, m.RecordStop):
            stopped.set()

    commands = Commands()
    commands.route([m.RecordStart, m.RecordStop], handler)

    async def go() -> None:
        async with running_hub(commands) as hub:
            async with join(hub, control=True) as talk:
                await talk.ask("record_start", label="clap", seconds=2.0)
            async with join(hub, control=True) as talk:
                await talk.ask("record_start", label="clap")
            await asyncio.wait_for(stopped.wait(), 5)

    asyncio.run(go())
    assert obeyed == ["RecordStart", "RecordStart", "RecordStop"]


def test_a_frame_too_large_for_a_viewer_ends_its_connection(
    running_hub: RunningHub, join: Join
) -> None:
    async def go() -> None:
        async with running_hub() as hub, join(hub) as talk:
            await talk.socket.send("x" * 1025)
            with pytest.raises(ConnectionClosed) as closed:
                await talk.get()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1009

    asyncio.run(go())


def test_a_flood_in_fragments_ends_its_connection_alone(
    running_hub: RunningHub, join: Join
) -> None:
    async def fragments() -> Any:
        for _ in range(10_000):
            yield "x" * 100

    async def go() -> None:
        async with running_hub() as hub, join(hub) as other, join(hub) as talk:
            with contextlib.suppress(ConnectionClosed):
                await talk.socket.send(fragments())
            with pytest.raises(ConnectionClosed) as closed:
                await talk.get()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1009
            assert (await other.ask("ping"))["ok"]

    asyncio.run(go())


def test_empty_fragments_without_end_are_cut_off(running_hub: RunningHub, join: Join) -> None:
    async def nothing() -> Any:
        yield "x"
        for _ in range(100_000):
            yield ""

    async def go() -> None:
        async with running_hub() as hub, join(hub) as talk:
            with contextlib.suppress(ConnectionClosed):
                await talk.socket.send(nothing())
            with pytest.raises(ConnectionClosed) as closed:
                await talk.get()
            assert closed.value.rcvd is None, "cut off by us, not by the library's own limit"

    asyncio.run(go())


def test_more_clients_than_the_limit_are_turned_away(running_hub: RunningHub, join: Join) -> None:
    async def go() -> None:
        async with running_hub(limits={"clients": 2}) as hub, join(hub), join(hub):
            with pytest.raises(InvalidStatus, match="503"):
                async with join(hub):
                    pass

    asyncio.run(go())


def test_whoever_has_control_may_send_more_than_a_viewer(
    running_hub: RunningHub, join: Join
) -> None:
    async def go() -> None:
        async with running_hub() as hub, join(hub, control=True) as talk:
            assert (await talk.ask("examples", label="x" * 2000))["error"]["code"] == "refused"
            assert (await talk.ask("ping"))["ok"]

    asyncio.run(go())
