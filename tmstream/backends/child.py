"""What our child processes need: shared memory without a name, and an end with their owner's."""

from __future__ import annotations

import ctypes
import mmap
import os
import secrets
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO

#: What a child runs: its arguments are our own root, the module, and that one's arguments.
_START = (
    "import runpy, sys; sys.path.append(sys.argv.pop(1)); "
    "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)


def command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs ``module`` as a child.

    Not with ``python -m``: it would import a ``queue.py`` or ``random.py`` of the folder in which
    the engine was started, which is often one with somebody's own sketches.
    """
    root = str(Path(__file__).resolve().parents[2])
    return [sys.executable, "-P", "-c", _START, root, module, *arguments]


def new_memory(size: int) -> tuple[mmap.mmap, int | None, str]:
    """Return memory to share, its descriptor (POSIX), and what a child calls it.

    It has no name in the file system (memfd, or a file already unlinked), so nothing is left behind
    however the processes end. Pages that are never touched cost nothing.
    """
    if sys.platform == "win32":
        name = f"tmstream-{secrets.token_hex(8)}"
        return mmap.mmap(-1, size, tagname=name), None, name
    if sys.platform == "linux":
        descriptor = os.memfd_create("tmstream")
    else:
        descriptor, path = tempfile.mkstemp(prefix="tmstream-")
        Path(path).unlink()
    os.ftruncate(descriptor, size)
    return mmap.mmap(descriptor, size), descriptor, str(descriptor)


def open_memory(name: str, size: int) -> mmap.mmap:
    """Return the memory that the owner made, in the child."""
    if sys.platform == "win32":
        return mmap.mmap(-1, size, tagname=name)
    return mmap.mmap(int(name), size)


def die_with_owner(life: IO[bytes] | None) -> None:
    """End when the owner does, however it ends: by signal on Linux, by end of file everywhere.

    ``life`` is the reading end of a pipe whose other end the owner keeps open. A terminal's Ctrl-C
    reaches the child as well, and is left to the owner. Call it in the main thread.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL, 0, 0, 0)
    if life is None:
        return

    def watch() -> None:
        while life.read(1):
            pass
        os._exit(0)

    threading.Thread(target=watch, name="owner", daemon=True).start()


def exactly(pipe: IO[bytes], size: int) -> bytes:
    """Read ``size`` bytes; raises OSError when the other end is gone."""
    content = pipe.read(size) or b""
    while len(content) < size:
        more = pipe.read(size - len(content))
        if not more:
            raise OSError("it ended")
        content += more
    return content
