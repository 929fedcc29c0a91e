"""``make soak``: an exhibit's day, compressed. Nothing may grow, and every fault must be survived.

A microphone, a person's landmarks and two painted cameras before MediaPipe's own processes are
pulled and put back at least 100 times, a landmark process is killed or frozen 35 times, clients
come and go 1,000 times, the project changes 20 times, the disk is full for a while and the wall
clock jumps. Memory, threads, open files and child processes are measured every second; the second
half must be flat. ``--minutes 28`` (the default) runs 16 times as fast as life: seven and a half
hours. ``--leak`` leaks on purpose, to show that it would be seen.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tmstream.engine.heap import share_one_heap

from . import gauge
from .faults import PLUGS, FastClock, FaultyCamera, FaultyMicrophone, FaultyPerson
from .gauge import Sample, Verdict, judge_samples, landmarkers, look
from .trouble import (
    CHURNS,
    FLAPS,
    KILLS,
    RELOADS,
    Watcher,
    churn,
    clients,
    clock_jump,
    every,
    flap,
    full_disk,
    reload,
    strike,
)

#: One picture a second or so of the day is ten a real second; somebody unseen for 1.5 s has left.
YAML = """
server: {port: 0}
project: soak.tms
nodes:
  mic:    {type: faulty_microphone}
  walk:   {type: faulty_person, plug: walk}
  cam:    {type: faulty_camera, plug: cam, fps: 2, nth: 3}
  desk:   {type: faulty_camera, plug: desk, fps: 1, nth: 5}
  body:   {type: body_landmarks, from: cam}
  hands:  {type: hand_landmarks, from: desk}
  sound:  {type: audio_embedding, from: mic}
  pose:   {type: body_embedding, from: walk}
  stance: {type: body_embedding, from: body, parts: full}
  shape:  {type: hand_embedding, from: hands}
  head:   {type: knn, from: [sound, pose, stance, shape], k: 5}
  calm:   {type: smooth, from: head, tau_s: 0.2}
  events: {type: events, from: calm}
  tape:   {type: recorder, from: [mic, walk, body, events], path: takes, max_gb: 0.02}
  care:   {type: caretaker, from: [mic, head],
           chains: {mic: [sound], walk: [pose], cam: [body], desk: [hands]}}
  out:    {type: websocket, from: [calm, events, walk, body]}
"""

POSES = ("stand", "t_pose", "arms_up")


def teach(project: Any, pipeline: Any, registry: Any) -> None:
    """Teach three sounds and three poses of the whole body."""
    from tmstream.capture.walker import ASPECT, MOVES, body_points
    from tmstream.embed.body import body_vector
    from tmstream.lab.performer import teach_performer
    from tmstream.store.project import NewExample

    teach_performer(project, pipeline, registry, ["clap", "whistle", "hum"])
    for parts in ("upper", "full"):
        made = []
        for move in POSES:
            for take, width in enumerate((0.92, 0.97, 1.0, 1.04, 1.08)):
                points = body_points(MOVES[move](1.0, width), 0.9 * width, 0.5, ASPECT)  # type: ignore[index]
                vector = body_vector(points, ASPECT, parts)
                made.append(NewExample(move, f"body.{parts}", vector, f"{move} {take}"))
        project.add(made)


def under(what: str, found: float, limit: float, unit: str) -> Verdict:
    """Return a row that is met below a limit."""
    return Verdict(
        what, f"{found:.3g} {unit}".strip(), f"< {limit:g} {unit}".strip(), found < limit
    )


def over(what: str, found: int, limit: int) -> Verdict:
    """Return a row that is met above a limit."""
    return Verdict(what, str(found), f"> {limit}", found > limit)


def counted(hub: Any, watcher: Watcher) -> None:
    """Let the watcher see every message on its way out."""
    publish = hub.publish

    def told(kind: str, key: Any, *rest: Any, **named: Any) -> None:
        watcher.note(kind)
        if kind == "landmarks":
            watcher.note(f"landmarks of {key[0]}")
        publish(kind, key, *rest, **named)

    hub.publish = told


async def live(
    folder: Path, minutes: float, speed: float, *, leak: bool, samples: list[Sample]
) -> list[Verdict]:
    """Run the day, and return the table; every measure is added to ``samples``."""
    from tmstream.core.messages import Hello
    from tmstream.core.services import Commands
    from tmstream.engine import graph as graphs
    from tmstream.engine import run as running
    from tmstream.engine.registry import Registry
    from tmstream.engine.spec import parse
    from tmstream.server.hub import Hub
    from tmstream.server.settings import ServerSettings
    from tmstream.store.history import History
    from tmstream.store.project import Project
    from tmstream.store.recording import RunInfo

    faulty = {
        "faulty_microphone": FaultyMicrophone,
        "faulty_person": FaultyPerson,
        "faulty_camera": FaultyCamera,
    }
    registry = Registry({**Registry.installed().known, **faulty})
    pipeline = parse(YAML, folder / "soak.yaml")
    path = pipeline.project
    assert path is not None
    project = Project.open(path, create=True)
    await asyncio.to_thread(teach, project, pipeline, registry)
    commands, watcher, verdicts = Commands(), Watcher(), list[Verdict]()
    heard = list[object]()
    project.subscribe(heard.append)
    hub = Hub(ServerSettings(port=0), commands, lambda: Hello("", "", None, [], [], [], [], "", 0))
    counted(hub, watcher)
    await hub.start()
    running.MonotonicClock = FastClock  # type: ignore[misc, assignment]
    stop, leaked = asyncio.Event(), list[bytearray]()
    graph = graphs.build(pipeline, registry)
    services = (commands, hub, project, History(), RunInfo(path=str(folder / "soak.yaml")))
    began_s, cpu_s, seconds = time.perf_counter(), time.process_time(), minutes * 60
    engine = asyncio.create_task(running.run(graph, services, stop=stop))
    eyes, struck = dict[int, None](), dict[int, None]()

    async def measure(i: int) -> None:
        if engine.done():
            engine.result()
        eyes.update(dict.fromkeys(landmarkers("body")))
        struck.update(dict.fromkeys(landmarkers("hands")))
        samples.append(look(began_s, next(reversed(eyes), None)))
        if leak:
            leaked.append(bytearray(os.urandom(10**6)))

    async def trouble() -> None:
        await asyncio.sleep(0.2 * seconds)
        await full_disk(project, verdicts, watcher)
        await asyncio.sleep(0.2 * seconds)
        await clock_jump(watcher, verdicts)

    try:
        await asyncio.sleep(4)
        *_, came = await asyncio.gather(
            every(1.0, round(seconds) - 4, measure),
            every(0.9 * seconds / FLAPS, FLAPS, flap),
            every(0.9 * seconds / KILLS, KILLS, strike),
            every(0.9 * seconds / RELOADS, RELOADS, lambda i: reload(path, i)),
            trouble(),
            clients(hub.port, seconds - 4),
        )
    finally:
        ending_s = time.perf_counter()
        stop.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(engine, 15)
        await hub.stop()
        ending_s = time.perf_counter() - ending_s
        project.close()
    ran_s = time.perf_counter() - began_s
    tape = sum(one.stat().st_size for one in (folder / "takes").rglob("*.rec")) / 1e6
    opened = sum(plug.opened for plug in PLUGS.values())
    counts, longest_s, last = watcher.counts, watcher.longest_s, samples[-1]
    busy = (time.process_time() - cpu_s) / ran_s
    return [
        Verdict("simulated", f"{ran_s * speed / 3600:.1f} h, {busy:.2f} cores", "", True),
        under("memory at the end", last.held_mb, 1000, "MB"),
        under("memory of the child processes", last.children_mb, 1500, "MB"),
        *judge_samples(samples, speed),
        over(f"{FLAPS} times unplugged, opened", opened, FLAPS // 2),
        over(f"{KILLS} landmark processes struck, new", len(struck) - 1, KILLS * 9 // 10),
        under("the one left alone, new", len(eyes) - 1, 1, ""),
        over("clients that came and went", came, CHURNS - 1),
        over("project changed beside", len(heard), RELOADS - 1),
        *verdicts,
        over("predictions", counts["prediction"], 0),
        over("events", counts["event"], 0),
        over("people that MediaPipe found", counts["landmarks of body"], round(2 * seconds)),
        under("longest without a prediction", longest_s.get("prediction", 99.0), 10, "s"),
        under("longest that it found nobody", longest_s.get("landmarks of body", 99.0), 10, "s"),
        over("recording on disk, MB", round(tape), 0),
        under("recording on disk", tape, 30, "MB"),
        under("end", ending_s, 10, "s"),
        under("processes left behind", len(gauge.children()), 1, ""),
    ]


def main() -> int:
    """Run, print the table, and return 1 when anything was not as promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=28.0)
    parser.add_argument("--speed", type=float, default=16.0)
    parser.add_argument("--leak", action="store_true")
    parser.add_argument("--samples", type=Path, help="write every measure into this CSV file")
    parser.add_argument("--clients", type=int, help=argparse.SUPPRESS)
    wishes = parser.parse_args()
    if wishes.clients is not None:
        asyncio.run(churn(wishes.clients, CHURNS + 1))
        return 0
    if not Path("/proc/self/status").exists():
        print("the soak measures itself through /proc: Linux only")
        return 0
    share_one_heap()  # the teaching's threads come before the engine's
    FastClock.speed = wishes.speed
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TMSTREAM_STATE"] = f"{folder}/state"
        samples: list[Sample] = []
        day = live(Path(folder), wishes.minutes, wishes.speed, leak=wishes.leak, samples=samples)
        table = asyncio.run(day)
    if wishes.samples is not None:
        rows = (",".join(map(str, row)) for row in (Sample._fields, *samples))
        wishes.samples.write_text("\n".join(rows) + "\n")
    print(f"{'what':48} {'found':>38}  goal")
    for what, found, goal, met in table:
        print(f"{'  ' if met else '! '}{what:46} {found:>38}  {goal}")
    return 0 if all(row.met for row in table) else 1


if __name__ == "__main__":
    sys.exit(main())
