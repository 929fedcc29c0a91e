"""P8 for an exhibit: it makes no attempt to reach anything beyond loopback, from start to end.

It runs in a network namespace that has nothing but loopback, where the kernel itself counts every
attempt to send elsewhere (``OutNoRoutes``). MediaPipe, which would, has its own test.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tmstream.lab.kiosk import command

INSIDE = """
import json, pathlib, signal, subprocess, sys, time

def attempts():
    heads, counts = [l.split() for l in open("/proc/self/net/snmp") if l.startswith("Ip:")]
    return int(dict(zip(heads, counts))["OutNoRoutes"])

subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
before = attempts()
engine = subprocess.Popen(sys.argv[3:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
ran = False
until = time.monotonic() + float(sys.argv[2])
while time.monotonic() < until and engine.poll() is None:
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


def test_p8_an_exhibit_attempts_nothing_beyond_loopback(tmp_path: Path) -> None:
    can = subprocess.run(["unshare", "-rn", "ip", "link"], capture_output=True, check=False)
    if can.returncode:
        pytest.skip("this machine lets nobody make a namespace without a network")
    (tmp_path / "p.yaml").write_text(
        "server: {port: 0}\nproject: p.tms\nrealtime: true\nnodes:\n"
        "  mic: {type: synthetic, sounds: [clap], every_s: 1.0}\n"
        "  s: {type: audio_embedding, from: mic}\n  h: {type: knn, from: s}\n"
        "  e: {type: events, from: h}\n  out: {type: websocket, from: [h, e]}\n"
    )
    told = tmp_path / "told.json"
    line = ["unshare", "-rn", sys.executable, "-c", INSIDE, str(told), "8"]
    line += command("kiosk", str(tmp_path / "p.yaml"))
    subprocess.run(line, check=True, timeout=60)
    found = json.loads(told.read_text())
    assert found["ran"]
    assert found["status"] == 0
    assert found["control"] > 0  # the kernel does count: this is what an attempt looks like
    assert found["attempts"] == 0
