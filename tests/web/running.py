"""A real engine in a process of its own, for the browser tests."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def running(folder: Path, pipeline: str, *arguments: str) -> Iterator[str]:
    """Run a pipeline in ``folder``; gives the studio's address with its one-time code."""
    (folder / "visit.yaml").write_text(pipeline, "utf-8")
    command = "import sys; from tmstream.cli import main; sys.exit(main())"
    line = [sys.executable, "-c", command, "run", str(folder / "visit.yaml"), "--no-browser"]
    log = folder / "log.txt"
    with log.open("w") as file:
        process = subprocess.Popen([*line, *arguments], stdout=file, stderr=subprocess.STDOUT)
        try:
            for _ in range(600):
                found = re.search(r"http://127\.0\.0\.1:\d+/#\S+", log.read_text("utf-8"))
                if found or process.poll() is not None:
                    break
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.1)
            assert found, log.read_text("utf-8")
            yield found[0]
        finally:
            process.terminate()
            assert process.wait(15) in (0, 130, 143, -15)
