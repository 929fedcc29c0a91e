"""One message to a thousand sketches, beside websockets.broadcast and node's ws, in one run.

Every server runs in a process of its own and is fed by its own timer; the listeners of all of them
are one process that only counts bytes, so the machine's two cores are one for each side. What is
compared is the server's own CPU time for each delivered message: with the wall clock alone the
listeners would be measured too. The messages are events, which all must arrive; of predictions a
listener that falls behind would be sent fewer.
"""

from __future__ import annotations

import json
import multiprocessing as mp
import os
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CLIENTS = 1000
RATE_HZ = 60
SECONDS = 3.0
ROUNDS = 3
OFFSET_NS = 10**19  #: makes every time 20 digits long
#: A prediction of ordinary size; ``n`` is filled in for each one.
TEMPLATE = json.dumps(
    {
        "type": "prediction", "node": "head", "t_us": 123456789, "end_us": 123999999, "seq": "@",
        "subject": None, "label": "clap", "confidence": 0.91, "rejected": None,
        "results": [{"label": f"label{i}", "confidence": 0.2, "closeness": 0.5} for i in range(4)],
        "latency": {"onset_us": 1, "capture_us": 2, "embed_us": 3, "head_us": 4, "total_us": 5},
    },
    separators=(",", ":"),
)  # fmt: skip

Row = tuple[str, str, str, float, str, bool]


def message(sent_ns: int) -> bytes:
    """Return one message that says when it was sent; always of the same length."""
    return TEMPLATE.replace('"@"', str(OFFSET_NS + sent_ns)).encode()


# --- servers: print a port, wait for a line, send for SECONDS, print the CPU time --------------


def serve_ours() -> None:
    """Publish through the hub."""
    import asyncio

    os.environ["TMSTREAM_STATE"] = tempfile.mkdtemp()
    from tmstream.core.messages import Hello
    from tmstream.core.services import Commands
    from tmstream.server.hub import Hub
    from tmstream.server.settings import Limits, ServerSettings

    async def go() -> None:
        limits = Limits(clients=CLIENTS + 10)
        nobody = Hello("", "", None, [], [], [], [], "", 0)
        hub = Hub(ServerSettings(port=0, limits=limits), Commands(), lambda: nobody)
        await hub.start()
        await feed(hub.port, lambda data: hub.publish("event", None, data))
        os._exit(0)

    asyncio.run(go())


def serve_broadcast() -> None:
    """Publish through websockets.broadcast, as its documentation shows."""
    import asyncio

    from websockets.asyncio.server import broadcast, serve

    async def go() -> None:
        async def handler(connection: Any) -> None:
            await connection.wait_closed()

        server = await serve(handler, "127.0.0.1", 0, compression=None)
        port = next(iter(server.sockets)).getsockname()[1]
        await feed(port, lambda data: broadcast(server.connections, data, text=True))
        os._exit(0)

    asyncio.run(go())


async def feed(port: int, publish: Any) -> None:
    """Publish at the rate, when told to, and tell the CPU time it took."""
    import asyncio

    loop = asyncio.get_running_loop()
    print(port, flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    began_cpu, began = time.process_time(), time.perf_counter()
    for i in range(round(SECONDS * RATE_HZ)):
        await asyncio.sleep(max(0.0, began + i / RATE_HZ - time.perf_counter()))
        publish(message(time.perf_counter_ns()))
    await asyncio.sleep(0.3)
    print(time.process_time() - began_cpu, flush=True)


NODE = """
const { WebSocketServer, WebSocket } = require("ws");
const [rate, seconds, template] = [+process.argv[2], +process.argv[3], process.argv[4]];
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false }, () =>
  console.log(server.address().port));
process.stdin.once("data", () => {
  const began = process.cpuUsage(), start = performance.now(), total = Math.round(seconds * rate);
  let i = 0;
  const step = () => {
    if (i >= total) return setTimeout(() => {
      const spent = process.cpuUsage(began);
      console.log((spent.user + spent.system) / 1e6);
      process.exit(0);
    }, 300);
    const now = String(10n ** 19n + process.hrtime.bigint());
    const data = Buffer.from(template.replace('"@"', now));
    for (const client of server.clients)
      if (client.readyState === WebSocket.OPEN) client.send(data, { binary: false });
    i += 1;
    setTimeout(step, Math.max(0, start + i * 1000 / rate - performance.now()));
  };
  step();
});
"""


def node_ws() -> list[str] | None:
    """Return the command that starts node's ws, installed here; None without npm or network."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    folder = Path(tempfile.gettempdir()) / "tmstream-bench-ws"
    folder.mkdir(exist_ok=True)
    if not (folder / "node_modules" / "ws").is_dir():
        command = [
            npm,
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--prefix",
            str(folder),
            "ws@8",
        ]
        if subprocess.run(command, capture_output=True, timeout=120).returncode:
            return None
    (folder / "server.js").write_text(NODE)
    return [node, str(folder / "server.js"), str(RATE_HZ), str(SECONDS), TEMPLATE]


# --- listeners ---------------------------------------------------------------------------------


def listen(port: int, clients: int, ready: Any, results: Any) -> None:
    """Connect, then count whole messages and note how long each one took (sampled)."""
    size = len(message(1))
    frame = size + (2 if size < 126 else 4)
    selector = selectors.DefaultSelector()
    request = (
        f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ).encode()
    for _ in range(clients):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.sendall(request)
        head = b""
        while b"\r\n\r\n" not in head:
            head += sock.recv(4096)
        sock.setblocking(False)
        selector.register(sock, selectors.EVENT_READ)
    time.sleep(0.5)
    for key, _ in selector.select(0):  # what was said in greeting
        key.fileobj.recv(65536)  # type: ignore[union-attr]
    ready.set()
    received, delays = 0, []
    mark, quiet = b'"seq":', time.perf_counter() + SECONDS + 5
    while time.perf_counter() < quiet:
        events = selector.select(0.5)
        now = time.perf_counter_ns()
        if not events and received:
            break
        for i, (key, _) in enumerate(events):
            data = key.fileobj.recv(65536)  # type: ignore[union-attr]
            received += len(data)
            if not data:  # cut off
                selector.unregister(key.fileobj)
            at = data.find(mark) if i % 8 == 0 or i == len(events) - 1 else -1
            if at >= 0 and len(data) == frame:
                sent = int(data[at + 6 : at + 26]) - OFFSET_NS
                delays.append((now - sent) / 1e6)
    results.put((received / frame, delays))


def measure(command: list[str], clients: int) -> tuple[float, float, float]:
    """Return CPU microseconds a delivery, the share that arrived, and the p99 delay in ms."""
    context = mp.get_context("spawn")
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        port = int(server.stdout.readline())
        ready, results = context.Event(), context.Queue()
        crowd = context.Process(target=listen, args=(port, clients, ready, results))
        crowd.start()
        if not ready.wait(60):
            raise RuntimeError("the listeners did not connect")
        server.stdin.write("\n")
        server.stdin.flush()
        spent_s = float(server.stdout.readline())
        received, delays = results.get(timeout=60)
        crowd.join()
        server.wait()
    expected = round(SECONDS * RATE_HZ) * clients
    delays.sort()
    p99 = delays[int(len(delays) * 0.99)] if delays else float("nan")
    return 1e6 * spent_s / max(1, received), received / expected, p99


def rows() -> Iterator[Row]:
    """Give the medians of some interleaved rounds."""
    me = [sys.executable, "-m", "benchmarks.fanout"]
    sides = {"ours": [*me, "ours"], "websockets.broadcast": [*me, "broadcast"]}
    node = node_ws()
    if node is not None:
        sides["node ws"] = node
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, command in sides.items():
            found[name].append(measure(command, CLIENTS))
    middle = {
        name: tuple(statistics.median(column) for column in zip(*runs, strict=True))
        for name, runs in found.items()
    }
    cpu_us, arrived, p99_ms = middle.pop("ours")
    what = f"{CLIENTS} clients x {RATE_HZ} Hz, CPU a delivery"
    late = "p99 from publish to listener"
    for name, (their_us, _, their_ms) in middle.items():
        ratio = cpu_us / their_us
        goal, met = ("<= 1.1 x", ratio <= 1.1) if "." in name else ("(for comparison)", True)
        yield what, f"{cpu_us:.1f} us", f"{name} {their_us:.1f} us", ratio, goal, met
        theirs = f"{name} {their_ms:.0f} ms"
        yield late, f"{p99_ms:.0f} ms", theirs, p99_ms / their_ms, "(for comparison)", True
    budget_us = 1e6 / RATE_HZ / CLIENTS
    share, fits = cpu_us / budget_us, cpu_us <= budget_us
    yield "of one core", f"{cpu_us:.1f} us", f"{budget_us:.1f} us", share, "one core does it", fits
    yield "arrived", f"{100 * arrived:.1f} %", "100 %", arrived, ">= 99.9 %", arrived >= 0.999
    yield late, f"{p99_ms:.0f} ms", "30 ms", p99_ms / 30, "<= 30 ms", p99_ms <= 30


if __name__ == "__main__":
    {"ours": serve_ours, "broadcast": serve_broadcast}[sys.argv[1]]()
