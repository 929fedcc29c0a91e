"""What an exhibit meets: pulled plugs, killed helpers, churning clients, a full disk."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import time
from collections import Counter, namedtuple
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np

from .faults import PLUGS
from .gauge import Verdict, landmarkers

#: Sources pulled, clients that come and go, changes of the project from beside, and landmark
#: processes killed or frozen.
FLAPS, CHURNS, RELOADS, KILLS = 105, 1000, 20, 35


class Watcher:
    """Counts what the engine says, and knows how long it was silent."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.last_s: dict[str, float] = {}
        self.longest_s: dict[str, float] = {}

    def note(self, kind: str) -> None:
        """Count one of a kind, and the pause before it."""
        now_s = time.perf_counter()
        pause_s = now_s - self.last_s.get(kind, now_s)
        self.longest_s[kind] = max(self.longest_s.get(kind, 0.0), pause_s)
        self.last_s[kind] = now_s
        self.counts[kind] += 1


async def every(period_s: float, times: int, act: Callable[[int], Awaitable[None]]) -> None:
    """Do something ``times`` times, at even intervals whatever each takes."""
    began_s = time.perf_counter()
    for i in range(times):
        await asyncio.sleep(max(0.0, began_s + (i + 1) * period_s - time.perf_counter()))
        await act(i)


async def flap(i: int) -> None:
    """Pull a plug, and put it back once its loss was noticed; now and then, talk nonsense."""
    plug = PLUGS[("mic", "walk", "cam")[i % 3]]
    plug.state = ("gone", "silent", "gone", "zeros", "nan")[i % 5]  # type: ignore[assignment]
    await asyncio.sleep(0.6)
    plug.state = "well"


async def strike(i: int) -> None:
    """Kill the landmark process of the hands, or freeze it, which only the clock can find out."""
    for pid in landmarkers("hands"):
        os.kill(pid, signal.SIGSTOP if i % 2 else signal.SIGKILL)


async def reload(path: Path, i: int) -> None:
    """Change the project from beside the engine, as another process would."""

    from tmstream.core.errors import StoreError
    from tmstream.store.project import NewExample, Project

    def work() -> None:
        with Project.open(path) as project:
            like = project.examples("audio")[0]
            vector = like.vector + np.float32(0.01 * (i + 1))
            ids = project.add([NewExample("clap", "audio", vector, f"soak {i}")])
            project.undo() if i % 2 else project.delete(ids)

    try:
        await asyncio.to_thread(work)
    except StoreError:  # the disk is full just now
        await asyncio.sleep(4)
        await asyncio.to_thread(work)


async def full_disk(project: Any, verdicts: list[Verdict], watcher: Watcher) -> None:
    """Let the disk be full for three seconds: recording stops, predicting goes on."""
    from tmstream.core.errors import StoreError
    from tmstream.store.project import NewExample

    usage = namedtuple("usage", "total used free")
    real, before = shutil.disk_usage, watcher.counts["prediction"]
    shutil.disk_usage = lambda path: usage(10**12, 10**12, 10**6)  # type: ignore[assignment]
    try:
        vector = project.examples("audio")[0].vector
        refused = False
        try:
            await asyncio.to_thread(project.add, [NewExample("clap", "audio", vector, "full")])
        except StoreError:
            refused = True
        await asyncio.sleep(3.0)
    finally:
        shutil.disk_usage = real
    went_on = watcher.counts["prediction"] - before
    verdicts.append(
        Verdict(
            "full disk",
            f"refused: {refused}; {went_on} predictions meanwhile",
            "refused, > 0",
            refused and went_on > 0,
        )
    )


async def clock_jump(watcher: Watcher, verdicts: list[Verdict]) -> None:
    """Turn the wall clock a day ahead and two back."""
    real, real_ns, before = time.time, time.time_ns, watcher.counts["prediction"]
    try:
        for days in (1, -1):
            time.time = lambda d=days: real() + 86400 * d  # type: ignore[misc, assignment]
            time.time_ns = lambda d=days: real_ns() + 86400 * 10**9 * d  # type: ignore[misc, assignment]
            await asyncio.sleep(1.5)
    finally:
        time.time, time.time_ns = real, real_ns
    went_on = watcher.counts["prediction"] - before
    verdicts.append(
        Verdict("clock turned by a day", f"{went_on} predictions meanwhile", "> 0", went_on > 0)
    )


async def churn(port: int, count: int) -> None:
    """Come and go ``count`` times: politely, at once, or without ever reading."""
    from websockets.asyncio.client import connect

    async def visit(i: int) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(10):
                socket = await connect(f"ws://127.0.0.1:{port}/ws", close_timeout=1)
                if i % 3 == 0:
                    await socket.recv()
                if i % 3 == 1:
                    socket.transport.abort()
                else:
                    await socket.close()
                print(i, flush=True)

    for i in range(count):
        await visit(i)
        line = await asyncio.to_thread(sys.stdin.readline)
        if not line:
            return


async def clients(port: int, seconds: float) -> int:
    """Have another process be a thousand clients; return how many came."""
    line = [sys.executable, "-m", "benchmarks.soak", "--clients", str(port)]
    child = await asyncio.create_subprocess_exec(
        *line, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    came, began_s, period_s = 0, time.perf_counter(), 0.85 * seconds / CHURNS
    try:
        while came < CHURNS and await child.stdout.readline():
            came += 1
            await asyncio.sleep(max(0.0, began_s + came * period_s - time.perf_counter()))
            child.stdin.write(b"next\n")
        # It stays to the end, else what it holds here would seem to be given back by the engine.
        await asyncio.sleep(max(0.0, began_s + seconds - time.perf_counter()))
    finally:
        child.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
    return came
