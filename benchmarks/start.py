"""Start-up time, memory, and a clap's way to the socket, of the program as a whole."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from websockets.sync.client import connect

from .measure import Row, alternately, us

TMSTREAM = [sys.executable, "-m", "tmstream"]
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def _help() -> None:
    subprocess.run([*TMSTREAM, "--help"], check=True, **QUIET)


def _python() -> None:
    subprocess.run([sys.executable, "-c", "pass"], check=True, **QUIET)


def _first_prediction_s(*arguments: str) -> tuple[float, float]:
    """Return seconds from the command to its first prediction, and its memory then, in MB."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "TMSTREAM_STATE": folder}
        command = [*TMSTREAM, *arguments, "--print", "--no-browser", "--for", "30"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if '"type":"prediction"' in line:
                    break
            took_s = time.perf_counter() - began
            time.sleep(5)  # warm: models loaded, rings full
            memory_mb = _tree_mb(process.pid)
            process.terminate()
            process.stdout.read()
    return took_s, memory_mb


def _tree_mb(pid: int) -> float:
    """Return the resident memory of a process and its children, shared pages counted once each."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/smaps_rollup"):
        chain, one = False, int(status.parent.name)
        while one > 1 and not chain:
            chain = one == pid
            try:
                found = re.search(
                    r"PPid:\s+(\d+)", (Path("/proc") / str(one) / "status").read_text()
                )
            except OSError:
                break
            one = int(found[1]) if found else 0
        if chain:
            found = re.search(r"Pss:\s+(\d+)", status.read_text())
            total += int(found[1]) if found else 0
    return total / 1024


def _clap_to_socket_ms(seconds: float = 40.0) -> list[float]:
    """Return, for each clap of the demo, milliseconds from its onset to its trigger's arrival here.

    Linux's `perf_counter` is one clock for all processes, so the engine's times are ours as well.
    """
    port = "8971"
    took_ms: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "TMSTREAM_STATE": folder, "PYTHONUNBUFFERED": "1"}
        command = [*TMSTREAM, "demo", "--no-browser", "--port", port]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("sketch "):
                    break
            end_s = time.monotonic() + seconds
            with connect(f"ws://localhost:{port}/ws") as socket:
                while time.monotonic() < end_s:
                    message = json.loads(socket.recv())
                    if message.get("event") == "trigger" and message["label"] == "clap":
                        took_ms.append(time.perf_counter_ns() / 1e6 - message["onset_us"] / 1e3)
            process.terminate()
    return took_ms


def rows() -> Iterator[Row]:
    """Yield start-up and memory of the shipped pipelines that need no device."""
    ours, bare = alternately(_help, _python, rounds=5)
    yield Row(
        "tmstream --help",
        us(ours),
        f"python -c pass {us(bare)}",
        ours / bare,
        "<= 0.3 s",
        ours <= 0.3,
    )
    took_s, memory_mb = _first_prediction_s("run", "demo")
    yield Row(
        "sound: command to first prediction",
        f"{took_s:.2f} s",
        "limit 2 s",
        took_s / 2,
        "<= 2 s",
        took_s <= 2,
    )
    yield Row(
        "sound: memory",
        f"{memory_mb:.0f} MB",
        "limit 250 MB",
        memory_mb / 250,
        "<= 250 MB",
        memory_mb <= 250,
    )
    took_ms = _clap_to_socket_ms()
    p50_ms = statistics.median(took_ms)
    yield Row(
        f"a clap's onset to its trigger on the socket (p50 of {len(took_ms)})",
        f"{p50_ms:.0f} ms",
        "limit 300 ms",
        p50_ms / 300,
        "<= 300 ms",
        p50_ms <= 300,
    )
