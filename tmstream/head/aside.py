"""Judge much in a child process: the interpreter belongs to the show.

The child is given the order and the examples, and tells how far it is, and at last the judgement.

    python -m tmstream.head.aside
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from ..backends import frames
from ..core.errors import InputError
from ..store.project import Example
from .judge import Progress, judge

CHUNK = 100  #: examples in a frame: packing them takes the loop well under a millisecond


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
    try:
        async with frames.aside(__name__) as child:
            await child.send(_packed(Order(len(examples), k, group, strictness)))
            for start in range(0, len(examples), CHUNK):
                await child.send(_packed(examples[start : start + CHUNK]))
            while True:
                found = _told.decode(await child.read())
                if isinstance(found, Judged):
                    return found.report
                progress(found.done, found.total)
    except (EOFError, ConnectionError):
        raise InputError(
            "the program that judges was ended; it is started anew next time"
        ) from None


def _vector_out(value: Any) -> bytes:
    return bytes(np.ascontiguousarray(value, "<f4").tobytes())


def _vector_in(kind: type, value: Any) -> Any:
    return np.frombuffer(value, "<f4")


_packed = msgspec.msgpack.Encoder(enc_hook=_vector_out).encode
_told = msgspec.msgpack.Decoder(Step | Judged)


def main() -> None:
    """Serve one order."""
    owner = frames.Owner()
    order = msgspec.msgpack.decode(owner.read(), type=Order)
    decoder = msgspec.msgpack.Decoder(list[Example], dec_hook=_vector_in)
    examples: list[Example] = []
    while len(examples) < order.count:
        examples += decoder.decode(owner.read())

    def tell(message: Step | Judged) -> None:
        owner.write(_packed(message))

    report = judge(
        examples, order.k, order.group, order.strictness,
        progress=lambda done, total: tell(Step(done, total)),
    )  # fmt: skip
    tell(Judged(report))


if __name__ == "__main__":
    main()
