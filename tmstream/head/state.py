"""What the head answers from: immutable, swapped whole, and kept with a hash of its examples."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np

from ..core.packet import Float32
from ..store.project import Example
from .bank import Bank
from .learn import Fit, learn
from .lesson import lesson_of

#: Counted up when what `learn` makes of the same examples changes.
LEARNED_BY = "8"
#: Rows projected at once while a bank is filled: a long call would hold the interpreter's lock.
BLOCK = 256


class HeadState(msgspec.Struct, frozen=True, eq=False):
    """One generation: per space its `Bank`, with the metric and limits it was filled by."""

    generation: int
    banks: Mapping[str, Bank]


def by_space(examples: Iterable[Example]) -> dict[str, list[Example]]:
    """Return the examples of each space, in the order of their ids."""
    spaces: dict[str, list[Example]] = {}
    for one in sorted(examples, key=lambda example: example.id):
        spaces.setdefault(one.space, []).append(one)
    return spaces


def fill(bank: Bank, examples: list[Example]) -> None:
    """Add examples of one space to its bank."""
    for start in range(0, len(examples), BLOCK):
        block = examples[start : start + BLOCK]
        bank.add(
            [one.id for one in block],
            [one.label for one in block],
            [one.take for one in block],
            np.stack([one.vector for one in block]),
            [one.negative for one in block],
        )


def learned(examples: list[Example], k: int, *, calibrate: bool) -> Fit | None:
    """Return the fit of one space's examples; None when they are hard negatives only."""
    lesson = lesson_of(examples)
    return learn(lesson, k, calibrate=calibrate) if len(lesson.codes) else None


def fingerprint(examples: list[Example], k: int) -> str:
    """Return a hash of everything a fit depends on."""
    digest = hashlib.sha256(f"{LEARNED_BY} {k} {np.__version__}".encode())
    for one in examples:
        words = (one.id, one.label, one.take, one.person, one.augmented_from, one.negative)
        digest.update(repr((*words, sorted(one.groups.items()))).encode())
        digest.update(one.vector.tobytes())
    return f"head:{digest.hexdigest()}"


def encode(fit: Fit) -> bytes:
    """Return a fit as bytes for the project's cache."""
    return msgspec.msgpack.encode(fit, enc_hook=_array_out)


def decode(data: bytes) -> Fit | None:
    """Return the fit, or None when these bytes are not one (of this version)."""
    try:
        return msgspec.msgpack.decode(data, type=Fit, dec_hook=_array_in)
    except (msgspec.MsgspecError, ValueError, TypeError):
        return None


def _array_out(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [list(value.shape), value.astype("<f4").tobytes()]
    raise NotImplementedError(type(value).__name__)


def _array_in(kind: type, value: Any) -> Float32:
    shape, data = value
    return np.frombuffer(data, "<f4").reshape(shape).astype(np.float32)
