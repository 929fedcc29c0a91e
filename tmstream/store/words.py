"""How steps of the journal are told to people."""

from __future__ import annotations

from collections.abc import Iterable

from ..core.words import counted

PAST = {
    "add": "added",
    "import": "imported",
    "rescue": "rescued",
    "rename": "renamed",
    "merge": "merged",
}


def quoted(text: str) -> str:
    """Return ``text`` in quotes and otherwise as it is, so that `erase` finds it again."""
    return f'"{text}"'


def listed(labels: Iterable[str]) -> str:
    """Return the first three of ``labels``, sorted and quoted."""
    found = sorted(set(labels))
    return ", ".join(map(quoted, found[:3])) + (" ..." if len(found) > 3 else "")


def taught(verb: str, count: int, labels: Iterable[str]) -> str:
    """Return what a step, or several, brought in."""
    return f"{PAST[verb]} {counted(count, 'example')} of {listed(labels)}"
