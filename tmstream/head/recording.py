"""Which embeddings a recording takes, and as which takes they are taught. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from ..core.packet import Embedding, Packet
from ..store.history import History
from ..store.project import Clip, NewExample

#: A sound may have begun this long before the button was pressed.
HEAD_START_US = 200_000
#: Frames of one subject and space are taken this far apart: nearer ones teach nothing new.
FRAME_EVERY_US = 100_000
#: What is kept around a sound or movement: to hear what it was, and because an embedder has to hear
#: it begin and end to make its vector again (without: cosine .46 to .76 to the first one).
AROUND_US = 500_000
#: A recording that nobody stops ends here.
MOST = 5_000
#: A longer one keeps no more clips; its examples stay.
MOST_CLIP_BYTES = 128 * 10**6


class Recording:
    """What is being taught: from ``from_us`` on, until it is told when it ended."""

    def __init__(self, label: str, name: str, from_us: int, *, spaces: Iterable[str] | None = None,
                 person: str | None = None, subject: str | None = None) -> None:  # fmt: skip
        self.label, self.name, self.person, self.subject = label, name, person, subject
        self.from_us = from_us
        self.until_us: int | None = None
        self.taken: list[Packet[Embedding]] = []
        self._spaces = frozenset(spaces) if spaces else None
        self._last_frame: dict[tuple[str, str | None], int] = {}
        self._open: set[tuple[str, str | None, int | None]] = set()
        self._unended: list[Packet[Embedding]] = []
        self._clips: dict[Span, Clip] = {}
        self._clip_bytes = 0

    @property
    def under_way(self) -> bool:
        """Return whether a sound or movement that was taken has not ended yet."""
        return bool(self._open)

    def see(self, packet: Packet[Embedding]) -> None:
        """Take the embedding, if it belongs to this recording."""
        seen = packet.data
        if self._spaces is not None and seen.space not in self._spaces:
            return
        if self.subject is not None and seen.subject not in (None, self.subject):
            return
        if len(self.taken) >= MOST or not self._within(packet):
            return
        if seen.phase == "frame":
            who = (seen.space, seen.subject)
            if seen.end_us - self._last_frame.get(who, -FRAME_EVERY_US) < FRAME_EVERY_US:
                return
            self._last_frame[who] = seen.end_us
        else:
            one = (seen.space, seen.subject, seen.take)
            (self._open.discard if seen.phase == "final" else self._open.add)(one)
        self.taken.append(packet)
        self._unended.append(packet)

    def _within(self, packet: Packet[Embedding]) -> bool:
        if packet.data.phase == "frame":
            began, lead = packet.data.end_us, 0
        else:
            began, lead = packet.t_us, HEAD_START_US
        return began >= self.from_us - lead and (self.until_us is None or began <= self.until_us)

    def ended(self, t_us: int) -> list[Packet[Embedding]]:
        """Return what has ended by then, with its sound or movement; each is returned once."""
        ended: list[Packet[Embedding]] = []
        waiting: list[Packet[Embedding]] = []
        for one in self._unended:
            over = (one.data.space, one.data.subject, one.data.take) not in self._open
            (ended if over and one.data.end_us < t_us else waiting).append(one)
        self._unended = waiting
        return ended

    def keep_clips(self, history: History, ended: Sequence[Packet[Embedding]]) -> None:
        """Take the clips of what has ``ended`` before the history forgets them."""
        company = list(self.taken)
        for packet in ended:
            self._keep_clip(span_of(packet, company), history)

    def _keep_clip(self, span: Span, history: History | None) -> Clip | None:
        clip = self._clips.get(span)
        if clip is None and self._clip_bytes < MOST_CLIP_BYTES:
            clip = clip_of(span, history)
            if clip is not None:
                self._clips[span] = clip
                self._clip_bytes += len(clip.data)
        return clip

    def examples(self, history: History | None) -> list[NewExample]:
        """Return what was taken as examples, each with its clip."""
        return [
            taught(
                packet, self.label, self.name,
                self._keep_clip(span_of(packet, self.taken), history), person=self.person,
            )
            for packet in self.taken
        ]  # fmt: skip


def taught(
    packet: Packet[Embedding], label: str, name: str, clip: Clip | None, **more: Any
) -> NewExample:
    """Return an embedding as an example of ``label``.

    Every phase of a sound is one take; the frames of a recording are one take a subject.
    """
    seen = packet.data
    part = f"s{seen.take}" if seen.take is not None else seen.subject
    return NewExample(
        label,
        seen.space,
        seen.vector,
        f"{name}/{part}" if part is not None else name,
        source=seen.source,
        t_us=packet.t_us,
        end_us=seen.end_us,
        phase=seen.phase,
        clip=clip,
        **more,
    )


class Span(NamedTuple):
    """What a clip shows: of whom or what, from when until when."""

    source: str
    from_us: int
    until_us: int
    subject: str | None


def span_of(packet: Packet[Embedding], company: Sequence[Packet[Embedding]]) -> Span:
    """Return what to keep of what an embedding was made of."""
    seen = packet.data
    return Span(seen.source, *clip_span(packet, company), seen.subject)


def clip_of(span: Span, history: History | None) -> Clip | None:
    """Return what is still remembered of a span."""
    if history is None or not span.source:
        return None
    return history.clip(span.source, span.from_us, span.until_us, subject=span.subject)


def clip_span(packet: Packet[Embedding], company: Sequence[Packet[Embedding]]) -> tuple[int, int]:
    """Return from when until when to keep what an embedding was made of, in microseconds.

    The whole of its sound, with `AROUND_US` before and after, as far as nothing of its ``company``,
    the others it came with, is there.
    """
    seen = packet.data
    if seen.phase == "frame":
        return packet.t_us, seen.end_us
    others, begins_us, ends_us = [], packet.t_us, seen.end_us
    for one in company:
        data = one.data
        if (data.source, data.space, data.subject) != (seen.source, seen.space, seen.subject):
            continue
        if data.take == seen.take:
            begins_us, ends_us = min(begins_us, one.t_us), max(ends_us, data.end_us)
        else:
            others.append((one.t_us, data.end_us))
    before_us = max((end for _, end in others if end <= begins_us), default=begins_us - AROUND_US)
    after_us = min((begin for begin, _ in others if begin >= ends_us), default=ends_us + AROUND_US)
    return max(before_us, begins_us - AROUND_US), min(after_us, ends_us + AROUND_US)


class Said(msgspec.Struct, frozen=True):
    """An embedding of the last seconds, and what the head said to it."""

    packet: Packet[Embedding]
    label: str | None
