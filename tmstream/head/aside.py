"""Judge much in a child process: the interpreter belongs to the show.

The child is given the order and the examples as frames (length, msgpack) on standard input, and
tells how far it is, and at last the judgement, in such frames on standard output.

    python -m tmstream.head.aside
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import sys
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import msgspec
import numpy as np

from ..backends.child import die_with_owner
from ..core.errors import InputError
from ..store.project import Example
from .judge import Progress, judge

LENGTH = struct.Struct("<I")
CHUNK = 100  #: examples in a frame: packing them takes the loop well under a millisecond
NICER = 10  #: how much the child steps back behind the engine


class Order(msgspec.Struct, frozen=True):
    """What to judge by, and how many examples follow."""

    count: int
    k: int
    group: str | None
    strictness: float


class Step(msgspec.Struct, frozen=True, tag="step"):
    """How many of how many fits are done."""

    done: int
    total: int


class Judged(msgspec.Struct, frozen=True, tag="judged"):
    """The last frame."""

    report: dict[str, Any]


async def judge_aside(
    examples: Sequence[Example], k: int, group: str | None, strictness: float, progress: Progress
) -> dict[str, Any]:
    """Return what `judge` does; cancelling this ends the child.

    Raises:
        InputError: the child was ended from outside.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        for frame in _order(examples, Order(len(examples), k, group, strictness)):
            child.stdin.write(frame)
            await child.stdin.drain()
        while True:
            (size,) = LENGTH.unpack(await child.stdout.readexactly(LENGTH.size))
            found = _told.decode(await child.stdout.readexactly(size))
            if isinstance(found, Judged):
                return found.report
            progress(found.done, found.total)
    except (EOFError, ConnectionError):
        raise InputError(
            "the program that judges was ended; it is started anew next time"
        ) from None
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
        await child.wait()


def _order(examples: Sequence[Example], order: Order) -> Iterator[bytes]:
    yield _framed(order)
    for start in range(0, len(examples), CHUNK):
        yield _framed(examples[start : start + CHUNK])


def _framed(message: object) -> bytes:
    data = _encoder.encode(message)
    return LENGTH.pack(len(data)) + data


def _vector_out(value: Any) -> bytes:
    return bytes(np.ascontiguousarray(value, "<f4").tobytes())


def _vector_in(kind: type, value: Any) -> Any:
    return np.frombuffer(value, "<f4")


_encoder = msgspec.msgpack.Encoder(enc_hook=_vector_out)
_told = msgspec.msgpack.Decoder(Step | Judged)


def main() -> None:
    """Serve one order."""
    source, out = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    with contextlib.suppress(OSError, AttributeError):
        os.nice(NICER)
    order = msgspec.msgpack.decode(_read(source), type=Order)
    decoder = msgspec.msgpack.Decoder(list[Example], dec_hook=_vector_in)
    examples: list[Example] = []
    while len(examples) < order.count:
        examples += decoder.decode(_read(source))
    die_with_owner(source)

    def tell(message: Step | Judged) -> None:
        out.write(_framed(message))
        out.flush()

    tell(
        Judged(
            judge(
                examples, order.k, order.group, order.strictness,
                progress=lambda done, total: tell(Step(done, total)),
            )
        )
    )  # fmt: skip
    os._exit(0)  # not in order: the thread that watches standard input would have to end before it


def _read(source: BinaryIO) -> bytes:
    head = source.read(LENGTH.size)
    if len(head) < LENGTH.size:
        sys.exit()  # the engine has gone
    return source.read(LENGTH.unpack(head)[0])


if __name__ == "__main__":
    main()
