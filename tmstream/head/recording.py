"""Which embeddings a recording takes, and as which takes they are taught. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from ..core.packet import Embedding, Packet
from ..store.history import History
from ..store.project import NewExample

#: A sound may have begun this long before the button was pressed.
HEAD_START_US = 200_000
#: Frames of one subject and space are taken this far apart: nearer ones teach nothing new.
FRAME_EVERY_US = 100_000
#: What is kept around a sound or movement: to hear what it was, and because an embedder has to hear
#: it begin and end to make its vector again (without: cosine .46 to .76 to the first one).
AROUND_US = 500_000
#: A recording that nobody stops ends here.
MOST = 5_000


class Recording:
    """What is being taught: from ``from_us`` on, until it is told when it ended."""

    def __init__(self, label: str, name: str, from_us: int, *, spaces: Iterable[str] | None = None,
                 person: str | None = None, subject: str | None = None) -> None:  # fmt: skip
        self.label, self.name, self.person, self.subject = label, name, person, subject
        self.from_us = from_us
        self.until_us: int | None = None
        self.taken: list[Packet[Embedding]] = []
        self.sounds = False  #: whether something with a beginning and an end was among them
        self._spaces = frozenset(spaces) if spaces else None
        self._last_frame: dict[tuple[str, str | None], int] = {}
        self._open: set[tuple[str, str | None, int | None]] = set()

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
            self.sounds = True
            one = (seen.space, seen.subject, seen.take)
            (self._open.discard if seen.phase == "final" else self._open.add)(one)
        self.taken.append(packet)

    def _within(self, packet: Packet[Embedding]) -> bool:
        if packet.data.phase == "frame":
            began, lead = packet.data.end_us, 0
        else:
            began, lead = packet.t_us, HEAD_START_US
        return began >= self.from_us - lead and (self.until_us is None or began <= self.until_us)

    def examples(self, history: History | None, *, negative: bool = False) -> list[NewExample]:
        """Return what was taken as examples, each with its clip."""
        return [
            taught(packet, self.label, self.name, history, self.taken,
                   person=self.person, negative=negative)
            for packet in self.taken
        ]  # fmt: skip


def taught(
    packet: Packet[Embedding],
    label: str,
    name: str,
    history: History | None,
    company: Sequence[Packet[Embedding]] = (),
    **more: Any,
) -> NewExample:
    """Return an embedding as an example of ``label``.

    Every phase of a sound is one take; the frames of a recording are one take a subject. Nothing of
    its ``company``, the others it came with, is on its clip.
    """
    seen = packet.data
    part = f"s{seen.take}" if seen.take is not None else seen.subject
    clip = None
    if history is not None and seen.source:
        clip = history.clip(seen.source, *clip_span(packet, company), subject=seen.subject)
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


def clip_span(packet: Packet[Embedding], company: Sequence[Packet[Embedding]]) -> tuple[int, int]:
    """Return from when until when to keep what an embedding was made of, in microseconds.

    The whole of its sound, with `AROUND_US` before and after, as far as no other sound is there.
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
