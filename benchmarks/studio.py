"""The studio in a headless Chromium: what it loads, and whether it keeps up with two people."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from .measure import Row

SECONDS = 6.0
MOST_BYTES = 300_000
PIPELINE = """
server: {port: 0}
realtime: true
project: two.tms
nodes:
  cam:    {type: walker, picture: true, people: 2}
  who:    {type: walker, people: 2}
  pose:   {type: body_embedding, from: who}
  mic:    {type: synthetic, sounds: [clap, whistle], every_s: 1.0}
  sound:  {type: audio_embedding, from: mic}
  head:   {type: knn, from: [pose, sound]}
  bars:   {type: spectrum, from: mic, hz: 20}
  out:    {type: websocket, from: [head, cam, who, bars]}
"""
#: Counts the frames that the page really draws, and the longest wait between two.
FRAMES = """(seconds) => new Promise((resolve) => {
  const at = [];
  const step = (now) => {
    at.push(now);
    if (now - at[0] < seconds * 1000) requestAnimationFrame(step);
    else {
      const waits = at.slice(1).map((one, i) => one - at[i]);
      resolve([waits.length / (now - at[0]) * 1000, Math.max(...waits)]);
    }
  };
  requestAnimationFrame(step);
})"""


def rows() -> Iterator[Row]:
    """Yield the bytes and the time of a first visit, and the frames a second while it shows all."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("   no Chromium on the PATH: not measured")
        return
    with tempfile.TemporaryDirectory() as folder:
        yield from _visit(Path(folder), chromium)


def _visit(folder: Path, chromium: str) -> Iterator[Row]:
    from playwright.sync_api import sync_playwright

    (folder / "two.yaml").write_text(PIPELINE, "utf-8")
    command = "import sys; from tmstream.cli import main; sys.exit(main())"
    engine = subprocess.Popen(
        [sys.executable, "-c", command, "run", str(folder / "two.yaml"), "--no-browser"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMSTREAM_STATE": str(folder / "state")},
    )
    try:
        assert engine.stdout is not None
        address = next(
            found[0] for line in engine.stdout if (found := re.search(r"http://127\S+#\S+", line))
        )
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            loaded: list[int] = []
            page.on(
                "response",
                lambda answer: loaded.append(int(answer.headers.get("content-length", 0))),
            )
            began = time.perf_counter()
            page.goto(address)
            page.wait_for_selector(".stage:not([hidden])")
            seconds = time.perf_counter() - began
            page.wait_for_timeout(1500)
            rate_hz, longest_ms = page.evaluate(FRAMES, SECONDS)
            browser.close()
    finally:
        engine.terminate()
        engine.wait(15)
    size = sum(loaded)
    yield Row(
        f"studio: bytes of a first visit, in {len(loaded)} files",
        f"{size / 1000:.0f} kB", "300 kB", size / MOST_BYTES, "below 1", size < MOST_BYTES,
    )  # fmt: skip
    yield Row(
        "studio: from the address to the first picture",
        f"{seconds * 1000:.0f} ms", "3 s", seconds / 3, "below 1", seconds < 3,
    )  # fmt: skip
    yield Row(
        f"studio: two people, camera and sound (longest wait {longest_ms:.0f} ms)",
        f"{rate_hz:.1f} fps", "60 fps", rate_hz / 60, "0.95 or more", rate_hz >= 57,
    )  # fmt: skip
