"""Offer the nearest name when somebody mistypes one."""

from __future__ import annotations

from collections.abc import Iterable

from ..core.words import nearest


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?``, or the known names when few, or nothing."""
    known = sorted(known)
    few = f"; known: {', '.join(known)}" if 0 < len(known) <= 12 else ""
    return nearest(name, known) or few
