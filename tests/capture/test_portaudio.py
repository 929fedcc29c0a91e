"""The real PortAudio, in a process of its own: ALSA reads its settings once."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

LISTENER = """
import asyncio, json, sys
from tmstream.capture.microphone import Microphone
from tmstream.core.clock import MonotonicClock
from tmstream.core.errors import DeviceError
from tmstream.testing import FakeServices

async def run():
    services = FakeServices()
    services.clock = MonotonicClock()
    while True:
        node = Microphone()
        try:
            await node.open(services)
            async for packet in node.packets():
                samples = packet.data.samples[:, 0] if hasattr(packet.data, "samples") else []
                print(json.dumps({"t_us": packet.t_us, "now_us": services.clock.now_us(),
                                  "samples": [round(float(x), 5) for x in samples]}), flush=True)
        except DeviceError as error:
            print(json.dumps({"error": str(error)}), flush=True)
            await asyncio.sleep(0.3)
        finally:
            await node.close()

asyncio.run(run())
"""


@pytest.fixture
def listener(tmp_path: Path, needs_portaudio: None) -> Iterator[Callable[[str], Any]]:
    started: list[subprocess.Popen[str]] = []

    def start(asoundrc: str, **env: str) -> Iterator[dict[str, Any]]:
        (tmp_path / ".asoundrc").write_text(asoundrc)
        process = subprocess.Popen(
            [sys.executable, "-c", LISTENER],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "HOME": str(tmp_path), **env},
        )
        started.append(process)
        assert process.stdout is not None
        return map(json.loads, process.stdout)

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_portaudio_delivers_a_file_sample_for_sample(
    tmp_path: Path, listener: Callable[..., Iterator[dict[str, Any]]]
) -> None:
    take = np.random.default_rng(6).integers(-9000, 9000, 40 * 16000).astype("<i2")
    (tmp_path / "take.raw").write_bytes(take.tobytes())
    lines = listener(
        f"""
        pcm.filemic {{ type file slave.pcm null file /dev/null infile {tmp_path}/take.raw
                       format raw }}
        pcm.!default {{ type plug slave {{ pcm filemic format S16_LE rate 16000 channels 1 }} }}
        """
    )
    # The plug-in knows no pace: it floods, and what PortAudio cannot hold is lost between blocks.
    at, right, heard = 0, 0, 0
    for line in lines:
        assert "error" not in line, line
        block = np.round(np.array(line["samples"][-64:]) * 32768).astype("<i2")
        if len(block) == 64:
            found = take.tobytes().find(block.tobytes(), at)
            at, right, heard = max(found, at), right + (found >= 0), heard + 1
        if heard == 50:
            break
    assert right > 45


@pytest.fixture
def pulse(
    tmp_path: Path, needs: Callable[[str, str], None], needs_portaudio: None
) -> Iterator[Callable[..., str]]:
    if not (shutil.which("pulseaudio") and shutil.which("pactl")):
        needs("portaudio", "no PulseAudio; apt-get install pulseaudio")
    runtime = tmp_path / "pulse"
    runtime.mkdir(mode=0o700)
    env = {
        **os.environ, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(runtime),
        "PULSE_RUNTIME_PATH": str(runtime), "PULSE_STATE_PATH": str(runtime),
    }  # fmt: skip
    daemon = subprocess.Popen(
        ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--disable-shm=yes",
         "-L", "module-native-protocol-unix"],
        env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip

    def control(*words: str) -> str:
        done = subprocess.run(["pactl", *words], env=env, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        until = time.monotonic() + 10
        while not control("info"):
            if daemon.poll() is not None or time.monotonic() > until:
                needs("portaudio", "PulseAudio does not start here")
            time.sleep(0.05)
        yield control
    finally:
        daemon.terminate()
        daemon.wait(10)


@pytest.mark.timeout(60)
def test_a_microphone_that_is_pulled_out_is_noticed_and_comes_back(
    tmp_path: Path,
    pulse: Callable[..., str],
    listener: Callable[..., Iterator[dict[str, Any]]],
) -> None:
    runtime, pipe = str(tmp_path / "pulse"), tmp_path / "mic.fifo"
    source = ["module-pipe-source", f"file={pipe}", "rate=16000", "channels=1", "format=s16le"]

    def speak() -> None:
        """Give 10 ms every 10 ms until the source is pulled out."""
        with contextlib.suppress(BrokenPipeError), pipe.open("wb", buffering=0) as out:
            while True:
                out.write(b"\x10\x01" * 160)
                time.sleep(0.0099)

    module = pulse("load-module", *source)
    assert module
    threading.Thread(target=speak, daemon=True).start()
    lines = listener(
        "pcm.!default { type pulse }\nctl.!default { type pulse }\n",
        XDG_RUNTIME_DIR=runtime,
        PULSE_RUNTIME_PATH=runtime,
    )
    stamps: list[tuple[int, int]] = []
    for line in lines:
        assert "error" not in line, line
        stamps.append((line["t_us"], line["now_us"]))
        if len(stamps) >= 100:
            break
    times = np.array(stamps)
    assert (np.diff(times[:, 0]) > 0).all()
    assert np.ptp(times[50:, 1] - times[50:, 0]) < 150_000, "stamps keep pace with the clock"

    pulse("unload-module", module)
    pulled = time.monotonic()
    why = next(line["error"] for line in lines if "error" in line)
    assert time.monotonic() - pulled < 3
    assert why
    assert pulse("load-module", *source)
    threading.Thread(target=speak, daemon=True).start()
    back = time.monotonic()
    assert next(line for line in lines if "samples" in line)
    assert time.monotonic() - back < 5
