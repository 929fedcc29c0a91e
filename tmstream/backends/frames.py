"""A child process that works aside: frames (length, msgpack) on its standard input and output.

Whatever it does, the interpreter and the memory of the show are not its own; it ends with whoever
waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import queue
import struct
import subprocess
import threading
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from .child import command, die_with_owner, exactly

log = logging.getLogger(__name__)

LENGTH = struct.Struct("<I")
MOST_BYTES = 1 << 30
#: How much the child steps back behind the engine; on Windows only the engine can say so.
NICER = 10
STEP_BACK: int = getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)
#: Where memory runs out, Linux ends this child and not the engine (0; it goes to 1000).
FIRST_TO_GO = 500
LAST_PIECES = 10  #: of what a child printed that ended by itself, for the log
PIECE_BYTES = 400
FRAMES = 2  #: read ahead in the child
#: From the end of its answers to the end of a child that ended by itself.
ENDING_S = 2.0


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
    """Run ``module`` until the block ends, however it does.

    What a child printed that ended by itself, which the block lets pass as an `EOFError` or
    `ConnectionError`, is logged.
    """
    child = await asyncio.create_subprocess_exec(
        *command(module),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, creationflags=STEP_BACK,
    )  # fmt: skip
    assert child.stderr is not None
    printed: deque[bytes] = deque(maxlen=LAST_PIECES)
    listening = asyncio.create_task(_listen(child.stderr, printed))
    try:
        yield Aside(child)
    except (EOFError, ConnectionError):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ENDING_S):
                await listening
                await child.wait()
        text = b"".join(printed).decode(errors="replace").strip() or "nothing"
        log.warning(
            "%s ended by itself (status %s); the last it said: %s", module, child.returncode, text
        )
        raise
    finally:
        listening.cancel()
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
        await child.wait()


async def _listen(pipe: asyncio.StreamReader, printed: deque[bytes]) -> None:
    """Keep the last of it; native decoders print what they like."""
    while piece := await pipe.read(PIECE_BYTES):
        printed.append(piece)


class Owner:
    """The child's end, of which there is one: when the engine has gone, the child ends at once.

    It steps back behind the engine. Whatever else is printed goes to standard error.
    """

    def __init__(self) -> None:
        self._in, self._out = os.fdopen(os.dup(0), "rb", 0), os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        with contextlib.suppress(OSError, AttributeError):
            os.nice(NICER)
        with contextlib.suppress(OSError):  # there is none but on Linux
            score = Path("/proc/self/oom_score_adj")
            score.write_text(str(max(FIRST_TO_GO, int(score.read_text("ascii")))), "ascii")
        self._come: queue.Queue[bytes] = queue.Queue(FRAMES)
        die_with_owner(None)  # on Linux also while native code holds the interpreter
        threading.Thread(target=self._listen, name="owner", daemon=True).start()

    def read(self) -> bytes:
        """Return the next frame."""
        return self._come.get()

    def write(self, data: bytes) -> None:
        """Write one frame."""
        self._out.write(LENGTH.pack(len(data)) + data)
        self._out.flush()

    def _listen(self) -> None:
        try:
            while True:
                (size,) = LENGTH.unpack(exactly(self._in, LENGTH.size))
                self._come.put(exactly(self._in, size))
        except OSError:
            os._exit(0)
