"""Landmarks beside bare MediaPipe, alone and next to a busy Python thread; everything at once."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np

from tmstream.backends.landmarker import Landmarker, Task
from tmstream.backends.models import find_model
from tmstream.capture.video_file import VideoFile
from tmstream.capture.walker import MOVES, body_points, drawing
from tmstream.core.packet import Audio, Embedding, Image, Landmarks, Packet
from tmstream.embed.audio import AudioEmbedding
from tmstream.embed.body import BodyEmbedding
from tmstream.embed.image import ImageEmbedding
from tmstream.features.body import BodyLandmarks
from tmstream.features.hands import HandLandmarks
from tmstream.testing import FakeServices

from .measure import Row, alternately, us

BLOCK, BLOCKS = 30, 8

#: The peer: MediaPipe called in its own process, as its documentation shows, guarded like ours.
BARE = """
import os, sys, threading, time
from tmstream.backends.landmarker_worker import shut_proxies, shut_sockets
shut_proxies(os.environ)
shut_sockets()
import numpy as np
import mediapipe
from mediapipe.tasks.python import vision
from mediapipe.tasks.python.core.base_options import BaseOptions
model, stored, kind, detection = sys.argv[1:]
options = {
    "base_options": BaseOptions(model_asset_path=model),
    "running_mode": vision.RunningMode.VIDEO,
    f"min_{kind.lower()}_detection_confidence": float(detection),
}
graph = getattr(vision, f"{kind}Landmarker").create_from_options(
    getattr(vision, f"{kind}LandmarkerOptions")(**options))
frames = np.load(stored)
busy, ms = threading.Event(), 0
def spin():
    while True:
        busy.wait()
        sum(range(1000))
threading.Thread(target=spin, daemon=True).start()
for line in sys.stdin:
    busy.set() if line.strip() == "busy" else busy.clear()
    took = []
    for frame in frames:
        ms += 33
        began = time.perf_counter()
        graph.detect_for_video(
            mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=frame), ms)
        took.append(time.perf_counter() - began)
    busy.clear()
    print(*took, flush=True)
"""


def frames() -> list[np.ndarray]:
    """Return pictures 640 x 480 with somebody in them: a real clip when there is one."""
    data = Path(os.environ.get("TMSTREAM_DATA", Path(__file__).parents[2] / "shared" / "data"))
    clip = data / "webcam_clips" / "asl_book.mkv"
    if not clip.is_file():
        stances = [MOVES["wave"](i / BLOCK * 2, 1.0) for i in range(BLOCK)]
        return [drawing([body_points(one, 1.0, 0.5, 4 / 3)]) for one in stances]

    async def shown() -> list[np.ndarray]:
        return [p.data.pixels async for p in VideoFile(str(clip)).packets()][:BLOCK]

    return asyncio.run(shown())


def ours(landmarker: Landmarker, pictures: list[np.ndarray], busy: bool) -> list[float]:
    """Return the seconds of each call, with or without a busy thread beside it."""
    stop = threading.Event()

    def spin() -> None:
        while not stop.is_set():
            sum(range(1000))

    thread = threading.Thread(target=spin, daemon=True)
    if busy:
        thread.start()
    took = []
    for picture in pictures:
        began = time.perf_counter()
        landmarker.detect(picture)
        took.append(time.perf_counter() - began)
    stop.set()
    if busy:
        thread.join()
    return took


Times: TypeAlias = dict[tuple[str, bool], list[float]]  #: (whose, beside a busy thread): seconds


def beside_bare(
    task: Task, kind: str, detection: float, pictures: list[np.ndarray], loads: tuple[bool, ...]
) -> Times:
    """Alternate blocks of frames between the two, under each of the loads (busy or not)."""
    model = find_model(task).path
    stored = Path(tempfile.gettempdir()) / f"tmstream-bench-{os.getpid()}.npy"
    np.save(stored, np.stack(pictures))
    took: Times = {}
    with (
        subprocess.Popen(
            [sys.executable, "-c", BARE, str(model), str(stored), kind, str(detection)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        ) as peer,
        Landmarker(task, model, detection=detection) as landmarker,
    ):  # fmt: skip
        asked, said = peer.stdin, peer.stdout
        assert asked is not None
        assert said is not None
        for block in range(BLOCKS + 1):
            for busy in loads:
                mine = ours(landmarker, pictures, busy)
                print("busy" if busy else "quiet", file=asked, flush=True)
                theirs = [float(one) for one in said.readline().split()]
                if block:  # the first warms up
                    took.setdefault(("ours", busy), []).extend(mine)
                    took.setdefault(("bare", busy), []).extend(theirs)
        asked.close()
    stored.unlink()
    return took


def landmarks(pictures: list[np.ndarray]) -> Iterator[Row]:
    """Yield what a frame costs beside bare MediaPipe, and the body's beside a busy thread."""

    def row(what: str, mine: float, beside: float, goal: float, than: str) -> Row:
        ratio = mine / beside
        return Row(what, us(mine), us(beside), ratio, f"<= {goal:g}x{than}", ratio <= goal)

    took = beside_bare("body", "Pose", 0.7, pictures, (False, True))
    half = {key: float(np.median(values)) for key, values in took.items()}
    late = float(np.percentile(took["ours", True], 99))
    calm, busy = half["ours", False], half["ours", True]
    bare = " bare"
    yield row(
        "body landmarks, a frame (bare detect_for_video)", calm, half["bare", False], 1.05, bare
    )
    yield row("the same beside a busy Python thread", busy, half["bare", True], 1, bare)
    yield row("p99 / p50 beside a busy Python thread", late, busy, 1.5, "")
    for task, kind, what in (("hands", "Hand", "hand"), ("face", "Face", "face")):
        took = beside_bare(task, kind, 0.5, pictures, (False,))
        mine, theirs = (float(np.median(took[whose, False])) for whose in ("ours", "bare"))
        yield row(f"{what} landmarks, a frame", mine, theirs, 1.05, bare)


def at_once(pictures: list[np.ndarray]) -> Iterator[Row]:
    """Body, hands and sound together for a while, each on its own thread, as in lanes."""
    services = FakeServices()
    body, hands, sound, pose = BodyLandmarks(), HandLandmarks(), AudioEmbedding(), BodyEmbedding()
    for node in (body, hands, sound, pose):
        if hasattr(node, "open"):
            node.open(services)
    counts = {"body": 0, "hands": 0}
    stop = threading.Event()
    began = time.perf_counter()

    def see(name: str, node: BodyLandmarks | HandLandmarks) -> None:
        while not stop.is_set():
            picture = pictures[counts[name] % len(pictures)]
            list(node.process(Packet(counts[name] * 33_333, Image(picture))))
            counts[name] += 1

    def listen() -> None:
        noise = np.random.default_rng(0).normal(0, 0.1, (320, 1)).astype(np.float32)
        at = 0
        while not stop.is_set():
            due = began + at * 0.02
            time.sleep(max(0.0, due - time.perf_counter()))
            list(sound.process(Packet(at * 20_000, Audio(noise, 16000))))
            at += 1

    for node in (body, hands):
        list(node.process(Packet(-1, Image(pictures[0]))))
    lanes = [
        threading.Thread(target=see, args=("body", body)),
        threading.Thread(target=see, args=("hands", hands)),
        threading.Thread(target=listen),
    ]
    began = time.perf_counter()
    for lane in lanes:
        lane.start()
    time.sleep(6)
    stop.set()
    for lane in lanes:
        lane.join()
    spent = time.perf_counter() - began
    memory = resident_mb(os.getpid()) + sum(
        resident_mb(node._eye._landmarker.pid or 0)  # type: ignore[union-attr]
        for node in (body, hands)
    )
    body.close()
    hands.close()
    slowest = min(counts.values()) / spent
    yield Row(
        "frames a second, body + hands + sound at once",
        f"{counts['body'] / spent:.1f} + {counts['hands'] / spent:.1f}",
        "camera 30",
        slowest / 30,
        ">= 15 each on two cores",
        slowest >= 15,
    )
    yield Row(
        "memory, engine and both landmark processes",
        f"{memory:.0f} MB",
        "600 MB",
        memory / 600,
        "<= 600 MB in all",
        memory <= 600,
    )


def resident_mb(pid: int) -> float:
    """Return the memory of a process that is its own (Linux), in MB."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return (
        sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1e3
    )


def vectors(pictures: list[np.ndarray]) -> Iterator[Row]:
    """What the embedders cost, beside the frame they belong to."""
    pose, look = BodyEmbedding(parts="full"), ImageEmbedding(hz=1e6)
    look.open(FakeServices())
    points = body_points(MOVES["t_pose"](1.0, 1.0), 1.0, 0.5, 4 / 3)
    at = iter(range(10**9))

    def embed_pose() -> None:
        (made,) = pose.process(Packet(next(at), Landmarks(points, "body", "p1", 4 / 3)))
        assert isinstance(made.data, Embedding)

    def embed_picture() -> None:
        list(look.process(Packet(next(at) * 10, Image(pictures[0]))))

    frame_s = 1 / 30
    for what, work, share in (
        ("body embedding, full", embed_pose, 0.05),
        ("image embedding, both views", embed_picture, 1.0),
    ):
        (took,) = alternately(work, rounds=25)
        ratio = took / frame_s
        goal = f"<= {share:g} of a frame"
        yield Row(what, us(took), us(frame_s), ratio, goal, ratio <= share)


def rows() -> Iterator[Row]:
    """Yield what, ours, peer, ratio, goal, met."""
    pictures = frames()
    yield from landmarks(pictures)
    yield from vectors(pictures)
    yield from at_once(pictures)
