"""A child process that works aside: frames (length, msgpack) on its standard input and output.

Whatever it does, the interpreter and the memory of the show are not its own; it ends with whoever
waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import BinaryIO

LENGTH = struct.Struct("<I")
MOST_BYTES = 1 << 30
NICER = 10  #: how much the child steps back behind the engine


class Aside:
    """The engine's end of a child."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        assert child.stdin is not None
        assert child.stdout is not None
        self._in, self._out = child.stdin, child.stdout

    async def send(self, data: bytes) -> None:
        """Send one frame; `ConnectionError` when the child has ended."""
        self._in.write(LENGTH.pack(len(data)) + data)
        await self._in.drain()

    async def read(self) -> bytes:
        """Return the child's next frame; `EOFError` when it has ended instead."""
        (size,) = LENGTH.unpack(await self._out.readexactly(LENGTH.size))
        if size > MOST_BYTES:
            raise EOFError
        return await self._out.readexactly(size)


@asynccontextmanager
async def aside(module: str) -> AsyncIterator[Aside]:
    """Run ``python -m module`` until the block ends, however it does."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield Aside(child)
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
        await child.wait()


def own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Return, in the child, where frames come from and where they go; step back behind the engine.

    Whatever else is printed (native decoders print what they like) goes to standard error.
    """
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with contextlib.suppress(OSError, AttributeError):
        os.nice(NICER)
    return sys.stdin.buffer, out


def read(source: BinaryIO) -> bytes:
    """Return, in the child, the next frame; `EOFError` when the engine has gone."""
    head = source.read(LENGTH.size)
    if len(head) < LENGTH.size:
        raise EOFError("the engine has gone")
    return source.read(LENGTH.unpack(head)[0])


def write(out: BinaryIO, data: bytes) -> None:
    """Write one frame, in the child."""
    out.write(LENGTH.pack(len(data)) + data)
    out.flush()
