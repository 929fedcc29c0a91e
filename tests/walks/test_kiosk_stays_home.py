"""P8 for an exhibit: it makes no attempt to reach anything beyond loopback, from start to end.

It runs in a network namespace that has nothing but loopback, where the kernel itself counts every
attempt to send elsewhere (``OutNoRoutes``). MediaPipe, which would, has its own test.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.walks.beside import Beside
from tmstream.lab.kiosk import command

INSIDE = """
import json, pathlib, signal, subprocess, sys, time

def attempts():
    heads, counts = [l.split() for l in open("/proc/self/net/snmp") if l.startswith("Ip:")]
    return int(dict(zip(heads, counts))["OutNoRoutes"])

subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
before = attempts()
engine = subprocess.Popen(sys.argv[3:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
ran, began = False, time.monotonic()
while engine.poll() is None and (
    time.monotonic() - began < (float(sys.argv[2]) if ran else 30)  # a busy machine starts slowly
):
    time.sleep(0.2)
    told = subprocess.run([*sys.argv[3:], "--status"], capture_output=True, text=True)
    ran = ran or "all is well" in told.stdout
engine.send_signal(signal.SIGTERM)
status = engine.wait(20)
after = attempts()
import socket
try:
    socket.create_connection(("192.0.2.1", 80), 1)
except OSError:
    pass
pathlib.Path(sys.argv[1]).write_text(json.dumps(
    {"ran": ran, "status": status, "attempts": after - before, "control": attempts() - after}))
"""


#: A node that asks a far machine the time, every now and then.
CALLS_HOME = """
import socket, sys
from tmstream.broadcast.console import Console
write = Console.write
async def curious(self, packet):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        try:
            out.sendto(b"what time is it?", ("192.0.2.1", 123))
        except OSError:
            pass
Console.write = curious
Console.write_from = lambda self, giver, packet: curious(self, packet)
from tmstream.cli import main
sys.argv[0] = "tmstream"
main()
"""


def check_stays_home(folder: Path, line: list[str], seconds: float, env: Mapping[str, str]) -> None:
    """Run an exhibit until it says that it is well, and for ``seconds``; count what it tried."""
    can = subprocess.run(["unshare", "-rn", "ip", "link"], capture_output=True, check=False)
    if can.returncode:
        pytest.skip("this machine lets nobody make a namespace without a network")
    (folder / "p.yaml").write_text(
        "server: {port: 0}\nproject: p.tms\nrealtime: true\nnodes:\n"
        "  mic: {type: synthetic, sounds: [clap], every_s: 1.0}\n"
        "  s: {type: audio_embedding, from: mic}\n  h: {type: knn, from: s}\n"
        "  e: {type: events, from: h}\n  out: {type: websocket, from: [h, e]}\n"
        "  text: {type: console, from: h}\n"
    )
    told = folder / "told.json"
    inside = [sys.executable, "-c", INSIDE, str(told), str(seconds), *line]
    subprocess.run(["unshare", "-rn", *inside], check=True, timeout=60, env=env)
    found = json.loads(told.read_text())
    assert found["ran"]
    assert found["status"] == 0
    assert found["control"] > 0  # the kernel does count: this is what an attempt looks like
    assert found["attempts"] == 0, "it tried to reach somebody"


def begin(queue: Beside) -> dict[str, Future[None]]:
    """Run an exhibit, and one that calls home."""
    quiet, curious = queue.folder("exhibit"), queue.folder("curious-exhibit")
    line = command("kiosk", str(quiet / "p.yaml"))
    home = command("kiosk", str(curious / "p.yaml"))
    home = [sys.executable, "-c", CALLS_HOME, *home[home.index("kiosk") :]]
    return {
        "exhibit": queue.submit(check_stays_home, quiet, line, 8, queue.env),
        "curious exhibit": queue.submit(check_stays_home, curious, home, 5, queue.env),
    }


def test_p8_an_exhibit_attempts_nothing_beyond_loopback(beside: dict[str, Future[None]]) -> None:
    beside["exhibit"].result()


def test_p8_control_an_exhibit_that_calls_home_is_caught(beside: dict[str, Future[None]]) -> None:
    with pytest.raises(AssertionError, match="it tried to reach somebody"):
        beside["curious exhibit"].result()
