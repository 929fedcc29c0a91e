"""Threads share one heap, as far as the C library is glibc."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

#: Prints glibc's own account of its heaps (`malloc_info`), those of threads that ended too.
TOLD = """
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
assert libc.malloc_info(0, out) == 0
libc.fflush(out)
"""

ACCOUNT = f"""
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
{TOLD}
"""

#: The first start of the demo: threads of a project and of the teaching come before the engine's.
DEMO = f"""
import contextlib, ctypes
from tmstream.cli import main
with contextlib.suppress(SystemExit):
    main(["demo", "--for", "1", "--no-browser", "--port", "0"])
{TOLD}
"""


def heaps_of(code: str, *arguments: str) -> int:
    line = [sys.executable, "-c", code, *arguments]
    account = subprocess.run(line, capture_output=True, check=True, text=True).stdout
    return account.count("<heap nr=")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
@pytest.mark.parametrize("heaps", ["shared", "own"])
def test_threads_share_one_heap_only_when_told(heaps: str) -> None:
    found = heaps_of(ACCOUNT, heaps)
    assert found >= 1
    assert (found == 1) == (heaps == "shared")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_an_engine_has_one_heap_whatever_threads_came_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMSTREAM_STATE", str(tmp_path))
    assert heaps_of(DEMO) == 1
