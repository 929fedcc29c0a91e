"""``make soak``: an exhibit's day, compressed. Nothing may grow, and every fault must be survived.

Sources are pulled and put back at least 100 times, clients come and go 1,000 times, the project
changes 20 times, the disk is full for a while and the wall clock jumps. Memory, threads and open
files are measured every second; the second half must be flat. ``--minutes 28`` (the default) runs
16 times as fast as life: seven and a half hours. ``--leak`` leaks on purpose, to show that it would
be seen.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter, namedtuple
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from benchmarks.faults import PLUGS, FastClock, FaultyMicrophone, FaultyPerson

FLAPS, CHURNS, RELOADS = 100, 1000, 20
#: What may remain of noise: the allocator keeps pages, and a measure is taken while work goes on.
NOISE_MB = 6.0
MB_AN_HOUR = 1.0
HANDLES = 2.0

YAML = """
server: {port: 0}
project: soak.tms
nodes:
  mic:    {type: faulty_microphone}
  cam:    {type: faulty_person}
  sound:  {type: audio_embedding, from: mic}
  pose:   {type: body_embedding, from: cam}
  head:   {type: knn, from: [sound, pose], k: 5}
  calm:   {type: smooth, from: head, tau_s: 0.2}
  events: {type: events, from: calm}
  tape:   {type: recorder, from: [mic, cam, events], path: takes, max_gb: 0.02}
  care:   {type: caretaker, from: [mic, head], chains: {mic: [sound], cam: [pose]}}
  out:    {type: websocket, from: [calm, events, cam]}
"""


class Sample(NamedTuple):
    """What the process holds at one instant."""

    at_s: float
    rss_mb: float
    threads: int
    files: int


class Verdict(NamedTuple):
    """One row of the table."""

    what: str
    found: str
    goal: str
    met: bool


def look(began_s: float) -> Sample:
    """Measure this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    rss_mb = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a Path for each would be counted too
    return Sample(time.perf_counter() - began_s, rss_mb, threading.active_count(), files)


def judge_samples(samples: Sequence[Sample], speed: float) -> list[Verdict]:
    """Return whether memory, threads and open files were flat over the second half."""
    half = [one for one in samples if one.at_s >= samples[-1].at_s / 2]
    at = np.array([one.at_s for one in half])
    hours = (at[-1] - at[0]) * speed / 3600
    slope = np.polyfit(at, [one.rss_mb for one in half], 1)[0]
    grown = float(slope * (at[-1] - at[0]))
    most = max(NOISE_MB, MB_AN_HOUR * hours)
    found = f"{grown:+.1f} MB in {hours:.1f} h"
    table = [Verdict("memory grown in the second half", found, f"< {most:.1f} MB", grown < most)]
    middle = len(half) // 2
    for name in ("threads", "files"):
        early = float(np.median([getattr(one, name) for one in half[:middle]]))
        late = float(np.median([getattr(one, name) for one in half[middle:]]))
        table.append(
            Verdict(name, f"{early:g} -> {late:g}", f"+{HANDLES:g}", late <= early + HANDLES)
        )
    return table


class Watcher:
    """A sink that counts what the engine says, and when it was silent."""

    takes: ClassVar[tuple[type, ...]] = ()

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
    """Do something ``times`` times, evenly spread."""
    for i in range(times):
        await asyncio.sleep(period_s)
        await act(i)


async def flap(i: int) -> None:
    """Pull a plug, and put it back once its loss was noticed; now and then, talk nonsense."""
    plug = PLUGS["cam" if i % 3 == 2 else "mic"]
    plug.state = ("gone", "silent", "gone", "zeros", "nan")[i % 5]  # type: ignore[assignment]
    await asyncio.sleep(0.6)
    plug.state = "well"


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


async def clients(port: int, minutes: float) -> int:
    """Have another process be a thousand clients; return how many came."""
    line = [sys.executable, "-m", "benchmarks.soak", "--clients", str(port)]
    child = await asyncio.create_subprocess_exec(
        *line, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    came = 0
    try:
        began_s, period_s = time.perf_counter(), 0.85 * minutes * 60 / CHURNS
        while came < CHURNS and await child.stdout.readline():
            came += 1
            await asyncio.sleep(max(0.0, began_s + came * period_s - time.perf_counter()))
            child.stdin.write(b"next\n")
    finally:
        child.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
    return came


async def live(folder: Path, minutes: float, speed: float, *, leak: bool) -> list[Verdict]:
    """Run the day, and return the table."""
    from tmstream.core.messages import Hello
    from tmstream.core.services import Commands
    from tmstream.engine import graph as graphs
    from tmstream.engine import run as running
    from tmstream.engine.registry import Registry
    from tmstream.engine.spec import parse
    from tmstream.lab.performer import teach_performer
    from tmstream.server.hub import Hub
    from tmstream.server.settings import ServerSettings
    from tmstream.store.history import History
    from tmstream.store.project import Project
    from tmstream.store.recording import RunInfo

    known = Registry.installed()
    registry = Registry(
        {**known.known, "faulty_microphone": FaultyMicrophone, "faulty_person": FaultyPerson}
    )
    pipeline = parse(YAML, folder / "soak.yaml")
    assert pipeline.project is not None
    project = Project.open(pipeline.project, create=True)
    await asyncio.to_thread(
        teach_performer, project, pipeline, registry, ["clap", "whistle", "hum"]
    )
    commands, watcher, verdicts = Commands(), Watcher(), list[Verdict]()
    heard = list[object]()
    project.subscribe(heard.append)
    hub = Hub(
        ServerSettings(port=0),
        commands,
        lambda: Hello("", "", None, [], [], [], [], "", 0),
    )
    publish = hub.publish

    def counted(kind: str, *rest: Any, **named: Any) -> None:
        watcher.note(kind)
        publish(kind, *rest, **named)

    hub.publish = counted  # type: ignore[method-assign]
    await hub.start()
    running.MonotonicClock = FastClock  # type: ignore[misc, assignment]
    stop, leaked, samples = asyncio.Event(), list[bytearray](), list[Sample]()
    graph = graphs.build(pipeline, registry)
    services = (commands, hub, project, History(), RunInfo(path=str(folder / "soak.yaml")))
    began_s, cpu_s, seconds = time.perf_counter(), time.process_time(), minutes * 60
    engine = asyncio.create_task(running.run(graph, services, stop=stop))

    async def measure(i: int) -> None:
        if engine.done():
            engine.result()
        samples.append(look(began_s))
        if leak:
            leaked.append(bytearray(os.urandom(10**6)))

    async def faults() -> None:
        await every(max(0.1, 0.9 * seconds / (FLAPS + 5) - 0.6), FLAPS + 5, flap)

    async def trouble() -> None:
        await asyncio.sleep(0.2 * seconds)
        await full_disk(project, verdicts, watcher)
        await asyncio.sleep(0.2 * seconds)
        await clock_jump(watcher, verdicts)

    try:
        await asyncio.sleep(2)
        path = pipeline.project
        _, _, _, _, came = await asyncio.gather(
            every(1.0, round(seconds) - 2, measure),
            faults(),
            every(0.9 * seconds / RELOADS, RELOADS, lambda i: reload(path, i)),
            trouble(),
            clients(hub.port, minutes),
        )
    finally:
        ending_s = time.perf_counter()
        stop.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(engine, 15)
        await hub.stop()
        ending_s = time.perf_counter() - ending_s
        project.close()
    opened = sum(plug.opened for plug in PLUGS.values())
    counts = watcher.counts
    tape = sum(one.stat().st_size for one in (folder / "takes").rglob("*.rec")) / 1e6
    busy = (time.process_time() - cpu_s) / (time.perf_counter() - began_s)
    simulated = (time.perf_counter() - began_s) * speed / 3600
    memory_mb, pause_s = samples[-1].rss_mb, watcher.longest_s.get("prediction", 99.0)
    said, told = counts["prediction"], counts["event"]
    return [
        Verdict("simulated", f"{simulated:.1f} h, {busy:.2f} cores", "", True),
        Verdict("memory at the end", f"{memory_mb:.0f} MB", "< 1000 MB", memory_mb < 1000),
        *judge_samples(samples, speed),
        Verdict("devices pulled, opened", f"{FLAPS + 5}, {opened}", "> 50", opened > 50),
        Verdict("clients that came and went", str(came), f">= {CHURNS}", came >= CHURNS),
        Verdict("project changed beside", str(len(heard)), f">= {RELOADS}", len(heard) >= RELOADS),
        *verdicts,
        Verdict("predictions, events", f"{said}, {told}", "> 0", said > 0 and told > 0),
        Verdict("longest pause of predictions", f"{pause_s:.1f} s", "< 10 s", pause_s < 10),
        Verdict("recording on disk", f"{tape:.0f} MB", "< 30 MB", 0 < tape < 30),
        Verdict("end", f"{ending_s:.1f} s", "< 10 s", ending_s < 10),
    ]  # fmt: skip


def main() -> int:
    """Run, print the table, and return 1 when anything was not as promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=28.0)
    parser.add_argument("--speed", type=float, default=16.0)
    parser.add_argument("--leak", action="store_true")
    parser.add_argument("--clients", type=int, help=argparse.SUPPRESS)
    wishes = parser.parse_args()
    if wishes.clients is not None:
        asyncio.run(churn(wishes.clients, CHURNS + 1))
        return 0
    if not Path("/proc/self/statm").exists():
        print("the soak measures itself through /proc: Linux only")
        return 0
    FastClock.speed = wishes.speed
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TMSTREAM_STATE"] = f"{folder}/state"
        table = asyncio.run(live(Path(folder), wishes.minutes, wishes.speed, leak=wishes.leak))
    print(f"{'what':34} {'found':>38}  goal")
    for what, found, goal, met in table:
        print(f"{'  ' if met else '! '}{what:32} {found:>38}  {goal}")
    return 0 if all(row.met for row in table) else 1


if __name__ == "__main__":
    sys.exit(main())
