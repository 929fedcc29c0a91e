"""A child process shares memory with its owner and ends when the owner lets go of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tmstream.backends.child import command, exactly, new_memory

CHILD = """
import os, sys, time
from tmstream.backends.child import die_with_owner, open_memory
die_with_owner(os.fdopen(int(sys.argv[1]), "rb", 0))
shared = open_memory(sys.argv[2], 64)
print(shared[:5].decode(), flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX descriptors")
def test_it_reads_what_the_owner_writes_and_ends_with_the_pipe() -> None:
    memory, descriptor, name = new_memory(64)
    assert descriptor is not None
    memory[:5] = b"hello"
    life, ours = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(life), name],
        stdout=subprocess.PIPE,
        pass_fds=(life, descriptor),
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"hello\n"
        child.send_signal(signal.SIGINT)  # a terminal's Ctrl-C is for the owner
        assert child.poll() is None
        os.close(ours)  # as when the owner is gone, whatever else it left
        assert child.wait(10) == 0
    for one in (life, descriptor):
        os.close(one)
    memory.close()


@pytest.mark.parametrize(
    "module", ["tmstream.head.aside", "tmstream.lab.errand", "tmstream.backends.landmarker_worker",
               "tmstream.capture._camera_child"]
)  # fmt: skip
def test_no_child_imports_what_lies_where_the_engine_was_started(
    module: str, tmp_path: Path
) -> None:
    for name in ("random", "queue", "numpy", "msgspec", "tmstream"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a sketch was run')")
    done = subprocess.run(
        command(module), cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert "a sketch was run" not in done.stderr
    assert done.returncode == 0 or "in main" in done.stderr  # some miss their arguments


def test_a_pipe_is_read_to_the_byte_or_is_broken() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", 0) as pipe:
        os.write(writing, b"abc")
        os.write(writing, b"defg")
        assert exactly(pipe, 5) == b"abcde"
        os.close(writing)
        with pytest.raises(OSError, match="ended"):
            exactly(pipe, 3)
