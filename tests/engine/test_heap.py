"""Threads share one heap, as far as the C library is glibc."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

#: glibc lays the heap of an arena at a multiple of 64 MB.
COUNT = """
import sys, threading
from tmstream.engine.heap import share_one_heap
if sys.argv[1] == "shared":
    assert share_one_heap()
ready, kept = threading.Barrier(9), []
def work():
    kept.append([bytes(2000) for _ in range(200)])
    ready.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
for one in threads:
    one.start()
ready.wait()
starts = [int(line.split("-")[0], 16) for line in open("/proc/self/maps")]
print(sum(start % 2**26 == 0 for start in starts))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
@pytest.mark.parametrize("heaps", ["shared", "own"])
def test_threads_share_one_heap_only_when_told(heaps: str) -> None:
    line = [sys.executable, "-c", COUNT, heaps]
    arenas = int(subprocess.run(line, capture_output=True, check=True, text=True).stdout)
    assert (arenas == 0) == (heaps == "shared")
