"""How many there are of something, and what somebody may have meant, as people say it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def counted(count: int, thing: str, things: str = "") -> str:
    """Return "1 take" or "3 takes"; ``things`` where an s does not make them many."""
    return f"{count} {thing if count == 1 else things or f'{thing}s'}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` of the known name most like ``name``, or nothing."""
    near = get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
