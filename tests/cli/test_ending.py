"""A signal ends a run whatever hangs."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HANGS = """
import asyncio, sys, threading
from dataclasses import dataclass
from typing import ClassVar

from tmstream.cli import _ending, main
from tmstream.core.packet import Audio
from tmstream.engine.registry import Registry

@dataclass
class NeverCloses:
    '''A device whose driver has died: its close never comes back.'''
    gives: ClassVar[tuple[type, ...]] = (Audio,)
    live: ClassVar[bool] = True
    how: str = "loop"

    async def open(self, services): print("opened", flush=True)
    async def packets(self):
        await asyncio.sleep(3600)
        yield
    async def close(self):
        if self.how == "loop":
            threading.Event().wait()
        else:
            await asyncio.to_thread(threading.Event().wait)

known = Registry.installed().known
Registry.installed = classmethod(lambda cls: cls({**known, "never_closes": NeverCloses}))
_ending.PATIENCE_S = 1.0
_ending.Ending.__init__.__defaults__ = (1.0,)
sys.exit(main(sys.argv[1:]))
"""

PIPELINE = """
project: p.tms
nodes:
  mic:   {type: never_closes, how: HOW}
  sound: {type: audio_embedding, from: mic}
  head:  {type: knn, from: sound}
  out:   {type: console, from: head}
"""


@pytest.mark.parametrize("how", ["loop", "thread"])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_node_that_never_closes_does_not_keep_the_process(
    tmp_path: Path, how: str, number: signal.Signals, status: int
) -> None:
    pipeline = tmp_path / "pipe.yaml"
    pipeline.write_text(PIPELINE.replace("HOW", how))
    command = [sys.executable, "-c", HANGS, "run", str(pipeline), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if line == "opened\n":
                    break
            began = time.monotonic()
            process.send_signal(number)
            assert process.wait(10) == status
            assert 0.8 < time.monotonic() - began < 5
        finally:
            process.kill()
