"""Threads share one heap, as far as the C library is glibc."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

#: Prints glibc's own account of its heaps (`malloc_info`) while eight threads hold memory.
ACCOUNT = """
import ctypes, sys, threading
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
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
assert libc.malloc_info(0, out) == 0
libc.fflush(out)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
@pytest.mark.parametrize("heaps", ["shared", "own"])
def test_threads_share_one_heap_only_when_told(heaps: str) -> None:
    line = [sys.executable, "-c", ACCOUNT, heaps]
    account = subprocess.run(line, capture_output=True, check=True, text=True).stdout
    found = account.count("<heap nr=")
    assert found >= 1
    assert (found == 1) == (heaps == "shared")
