"""Which answers belong together, and which of them an absence concerns."""

from __future__ import annotations

from typing import NamedTuple

from ..core.packet import Absent, Scores, same_source


class Stream(NamedTuple):
    """One line of answers: a head's, about one subject of one source; sounds apart from frames."""

    node: str
    subject: str | None
    space: str | None  #: that heard the sound or saw the movement; None for frames
    source: str  #: two microphones count their sounds each for itself


def stream_of(scores: Scores) -> Stream:
    """Return the line that an answer continues."""
    # The first space is the one that spoke. Those that joined it may come and go within a sound.
    space = None if scores.phase == "frame" else next(iter(scores.spaces), "")
    return Stream(scores.node, scores.subject, space, scores.source)


def concerns(absent: Absent, stream: Stream, spaces: tuple[str, ...]) -> bool:
    """Return whether ``absent`` is about what answered in ``stream`` from ``spaces``.

    ``body`` covers ``body.upper``. An absence without a subject concerns everybody in its space,
    as far as its own source sees or hears them.
    """
    if absent.subject is not None and absent.subject != stream.subject:
        return False
    if not same_source(absent.source, stream.source):
        return False
    root = absent.space.partition(".")[0]
    if absent.subject is not None and not spaces:
        return True
    return any(space.partition(".")[0] == root for space in spaces)
