"""P12: it predicts within 10 s of its start, without a network, a camera or a microphone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType

import pytest

from tmstream.capture.walker import ASPECT, MOVES, body_points
from tmstream.embed.body import body_vector
from tmstream.lab.kiosk import command
from tmstream.store.project import NewExample, Project

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ends a whole process group")

LIMIT_S = 10.0

#: An exhibit that hears and sees; what is missing is put in the place of a performer.
PIPELINE = """
server: {{port: 0}}
project: p.tms
realtime: true
nodes:
  mic:   {mic}
  cam:   {cam}
  body:  {{type: body_landmarks, from: [{eye}]}}
  sound: {{type: audio_embedding, from: mic}}
  pose:  {{type: body_embedding, from: [{seen}]}}
  head:  {{type: knn, from: [sound, pose]}}
  out:   {{type: websocket, from: head}}
"""
CLAPS = "{type: synthetic, sounds: [clap], every_s: 1.0}"
POSES = "{type: walker, moves: [t_pose]}"
NO_MICROPHONE = "{type: microphone, device: no such microphone}"
NO_CAMERA = "{type: camera, device: no such camera}"

#: What is missing -> its microphone, its camera, what must be said, what must be openly awaited.
STARTS = {
    "no network": (CLAPS, POSES, {"clap", "t_pose"}, set()),
    "no microphone": (NO_MICROPHONE, POSES, {"t_pose"}, {"mic"}),
    "no camera": (CLAPS, NO_CAMERA, {"clap"}, {"cam"}),
    "neither": (NO_MICROPHONE, NO_CAMERA, set(), {"mic", "cam"}),
}
#: Loopback is there on every machine; a fresh namespace has it switched off.
ALONE = ["unshare", "-rn", "sh", "-c", 'ip link set lo up 2>/dev/null; exec "$@"', "sh"]


def exhibit(folder: Path, taught: Project, missing: str) -> list[str]:
    """Return the command that starts an exhibit of which something is missing."""
    folder.mkdir(exist_ok=True)
    taught.copy_to(folder / "p.tms")
    with Project.open(folder / "p.tms") as project:
        for move in ("stand", "t_pose", "arms_up"):
            for take, width in enumerate((0.9, 0.95, 1.0, 1.05, 1.1)):
                points = body_points(MOVES[move](1.0, width), 1.0, 0.5, ASPECT)
                vector = body_vector(points, ASPECT, "upper")
                project.add([NewExample(move, "body.upper", vector, f"{move} {take}")])
    mic, cam, _, _ = STARTS[missing]
    # Landmarks come from MediaPipe before a camera, and from the walker itself.
    eye, seen = ("cam", "body") if cam == NO_CAMERA else ("", "cam")
    text = PIPELINE.format(mic=mic, cam=cam, eye=eye, seen=seen)
    if not eye:
        text = "".join(line for line in text.splitlines(True) if "body_landmarks" not in line)
    (folder / "p.yaml").write_text(text)
    return command("run", str(folder / "p.yaml"), "--print", "--no-browser")


def check_start(
    line: Sequence[str], missing: str, env: Mapping[str, str] = MappingProxyType({})
) -> float:
    """Return after how many seconds all was said that this exhibit can say."""
    _, _, labels, awaited = STARTS[missing]
    said, waiting = set[str](), set[str]()
    began, took_s = time.perf_counter(), None
    with subprocess.Popen(
        line,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        env=os.environ | env,
    ) as engine:
        guard = threading.Timer(LIMIT_S, os.killpg, (engine.pid, signal.SIGKILL))
        guard.start()
        try:
            assert engine.stdout is not None
            for text in engine.stdout:
                message = json.loads(text)
                if message["type"] == "prediction" and message["label"]:
                    said.add(message["label"])
                if message["type"] == "status":
                    states = {name: one["state"] for name, one in message["nodes"].items()}
                    waiting |= {name for name in awaited if states[name] == "waiting"}
                if said >= labels and waiting >= awaited:
                    took_s = time.perf_counter() - began
                    break
        finally:
            guard.cancel()
            if engine.poll() is None:
                os.killpg(engine.pid, signal.SIGKILL)
    found = f"said {sorted(said)}, awaits {sorted(waiting)}"
    assert took_s is not None, f"without {missing}, within {LIMIT_S:.0f} s: {found}"
    assert took_s < LIMIT_S
    return took_s


@pytest.mark.parametrize("missing", list(STARTS))
def test_p12_it_answers_within_ten_seconds_whatever_is_missing(
    missing: str, tmp_path: Path, taught: Project
) -> None:
    line = exhibit(tmp_path, taught, missing)
    if missing == "no network":
        can = subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False)
        if can.returncode:
            pytest.skip("this machine lets nobody make a namespace without a network")
        line = [*ALONE, *line]
    check_start(line, missing)


#: Starts that wait for what may be missing: for somebody in the network, for a camera.
PATIENT = {
    "no network": """
import socket, time
while True:
    try:
        socket.create_connection(("192.0.2.1", 80), 0.5)
        break
    except OSError:
        time.sleep(0.1)
""",
    "no camera": """
import time
from tmstream.capture.camera import Camera
async def patient(self, services):
    time.sleep(60)
Camera.open = patient
""",
}
THEN = "\nimport sys\nfrom tmstream.cli import main\nsys.argv[0] = 'tmstream'\nmain()\n"


@pytest.fixture(scope="module", autouse=True)
def waiting(
    tmp_path_factory: pytest.TempPathFactory, taught: Project
) -> Iterator[dict[str, Future[float]]]:
    """Begin with the controls: they take all their ten seconds, and next to no work."""
    state = tmp_path_factory.mktemp("state")

    def start(missing: str) -> float:
        folder = tmp_path_factory.mktemp("patient")
        line = exhibit(folder, taught, missing)
        arguments = line[line.index("run") :]
        line = [sys.executable, "-c", PATIENT[missing] + THEN, *arguments]
        return check_start(line, missing, {"TMSTREAM_STATE": str(state)})

    with ThreadPoolExecutor() as beside:
        yield {missing: beside.submit(start, missing) for missing in PATIENT}


@pytest.mark.parametrize("missing", list(PATIENT))
def test_p12_control_a_start_that_waits_is_found_out(
    missing: str, waiting: dict[str, Future[float]]
) -> None:
    with pytest.raises(AssertionError, match=r"within 10 s: said \[\]"):
        waiting[missing].result()
