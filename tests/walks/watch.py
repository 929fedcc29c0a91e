"""A network of its own for a program, in which whatever it sends anywhere is caught.

Every address in the world is local there, and recorders listen where a report would have to go: the
resolver's port 53, and 443.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

#: MediaPipe reports first after 60 seconds of running, and once more when it is closed. The full
#: watch is kept where the rest of CI is; elsewhere a short one, which still covers the closing.
FULL_S, SHORT_S = 75, 8
WATCH_S = FULL_S if os.environ.get("TMSTREAM_REQUIRE") else SHORT_S

INSIDE = '''
import json, os, selectors, socket, subprocess, sys, threading, time

def recorder(caught, stop):
    """Write down who tries to send anything anywhere."""
    ports = selectors.DefaultSelector()
    for family, anywhere in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        for kind, port in ((socket.SOCK_DGRAM, 53), (socket.SOCK_STREAM, 53),
                           (socket.SOCK_STREAM, 443), (socket.SOCK_STREAM, 80)):
            one = socket.socket(family, kind)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind((anywhere, port))
            if kind == socket.SOCK_STREAM:
                one.listen()
            ports.register(one, selectors.EVENT_READ, (kind, port))
    ready.set()
    while not stop.is_set():
        for key, _ in ports.select(0.2):
            kind, port = key.data
            if kind == socket.SOCK_DGRAM:
                data, _ = key.fileobj.recvfrom(2048)
                caught.append(f"udp {port}: {len(data)} bytes")
            else:
                peer, _ = key.fileobj.accept()
                caught.append(f"tcp {port}")
                peer.close()

for command in ("ip link set lo up", "ip route add local 0.0.0.0/0 dev lo",
                "ip -6 route add local ::/0 dev lo"):
    done = subprocess.run(command.split(), capture_output=True, text=True)
    if done.returncode and "-6" not in command:
        sys.exit(f"{command}: {done.stderr}")
caught, ready, stop = [], threading.Event(), threading.Event()
watcher = threading.Thread(target=recorder, args=(caught, stop))
watcher.start()
if not ready.wait(30):
    sys.exit("the recorder did not start")
work = subprocess.run([sys.executable, "-c", os.environ["WORK"]], capture_output=True, text=True)
time.sleep(0.5)
stop.set()
watcher.join()
print(json.dumps({"caught": caught, "ended": work.returncode, "said": work.stdout[-2000:],
                  "answers": work.stdout.count('"type":"prediction"'), "complained": work.stderr[-2000:]}))
'''

#: The whole engine, from the command line: a drawn performer before body and hand landmarks, paced
#: as live, with server, head and the orderly end. So few pictures that other walks go on beside it.
PIPELINE = """
server: {port: 8799}
project: nothing.tms
realtime: true
nodes:
  cam:   {type: walker, picture: true, fps: 5}
  body:  {type: body_landmarks, from: cam}
  hands: {type: hand_landmarks, from: cam}
  pose:  {type: body_embedding, from: body}
  shape: {type: hand_embedding, from: hands}
  head:  {type: knn, from: [pose, shape]}
  out:   {type: websocket, from: [head, body, hands]}
"""

GUARDED = """
    import sys
    from tmstream.cli import main
    sys.argv = ["tmstream", "run", {path!r}, "--for", "{seconds}", "--print", "--no-browser"]
    main()
"""


@cache
def missing() -> str:
    """Return why a process may not make a network of its own here, "" when it may."""
    if sys.platform != "linux" or not shutil.which("unshare") or not shutil.which("ip"):
        return "needs Linux with unshare and ip (packages util-linux, iproute2)"
    tried = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", "--mount", "true"],
        capture_output=True,
        check=False,
    )
    return f"no user namespaces here: {tried.stderr.decode().strip()}" if tried.returncode else ""


class Watch:
    """Runs ``work`` (Python) where every address is local; `told` says what was caught."""

    def __init__(self, work: str, folder: Path) -> None:
        resolver = folder / "resolv.conf"
        resolver.write_text("nameserver 192.0.2.53\n")
        env = dict(os.environ) | {
            "INSIDE": INSIDE, "WORK": textwrap.dedent(work), "PYTHONPATH": str(ROOT),
            "TMSTREAM_STATE": str(folder / "state"),
        }  # fmt: skip
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
            env.pop(name, None)
            env.pop(name.upper(), None)
        script = f'mount --bind {resolver} /etc/resolv.conf && exec {sys.executable} -c "$INSIDE"'
        self._process = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--net", "--mount", "sh", "-c", script],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def told(self, within_s: float) -> dict[str, Any]:
        """Wait for the end of the work, and return what was caught and how it ended."""
        out, complaint = self._process.communicate(timeout=within_s)
        assert self._process.returncode == 0, complaint
        found: dict[str, Any] = json.loads(out)
        return found

    def close(self) -> None:
        """End it with all that it started, if it has not ended by itself."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()


def engine(folder: Path) -> Watch:
    """Watch the whole engine for `WATCH_S`."""
    path = folder / "watched.yaml"
    path.write_text(PIPELINE)
    return Watch(textwrap.dedent(GUARDED).format(path=str(path), seconds=WATCH_S), folder)
