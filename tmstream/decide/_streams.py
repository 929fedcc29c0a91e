"""Which answers belong together, and which of them an absence concerns."""

from __future__ import annotations

from typing import NamedTuple

from ..core.packet import Absent, Scores


class Stream(NamedTuple):
    """One line of answers: a head's, about one subject; sounds and movements apart from frames."""

    node: str
    subject: str | None
    space: str | None  #: that heard the sound or saw the movement; None for frames


def stream_of(scores: Scores) -> Stream:
    """Return the line that an answer continues."""
    # The first space is the one that spoke. Those that joined it may come and go within a sound.
    space = None if scores.phase == "frame" else next(iter(scores.spaces), "")
    return Stream(scores.node, scores.subject, space)


def concerns(absent: Absent, subject: str | None, spaces: tuple[str, ...]) -> bool:
    """Return whether ``absent`` is about what answered from ``spaces`` for ``subject``.

    ``body`` covers ``body.upper``. An absence without a subject concerns everybody in its space.
    """
    if absent.subject is not None and absent.subject != subject:
        return False
    root = absent.space.partition(".")[0]
    if absent.subject is not None and not spaces:
        return True
    return any(space.partition(".")[0] == root for space in spaces)
