"""Answers become events: something was recognised once, began, lasts, ended, happened again."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..core.packet import Absent, Event, EventKind, Gap, Packet, Scores
from ._streams import Stream, concerns, stream_of

LOST_US = 5_000_000  #: whoever is not seen or heard for as long has left
DISSENTS = 2  #: answers in a row that it takes to end a sound before its own end

Who = tuple[str | None, str]  #: subject and label


@dataclass
class _Held:
    """A label that has been entered for a subject."""

    onset_us: int
    told_us: int  #: when enter or the last hold was told
    confidence: float
    by: set[Stream]  #: a label may be seen and heard at once; it leaves with the last of them


@dataclass
class _Line:
    """What is known about one stream of answers."""

    end_us: int
    spaces: tuple[str, ...]
    entered: set[str] = field(default_factory=set)
    take: int | None = None
    onset_us: int = 0  #: where this take began
    had: set[str] = field(default_factory=set)  #: labels entered in this take
    triggered: bool = False  #: this take has had its trigger
    over: bool = False  #: this take has had its last word
    dissents: dict[str, int] = field(default_factory=dict)


@dataclass
class _Count:
    """How often a label was entered again after it had been left."""

    cycles: int = 0
    left: bool = False


@dataclass
class Events:
    """Tell what happens: ``events: {type: events, from: calm, enter: 0.7, leave: 0.5}``.

    Everything is per label and per subject, and by the packets' own time alone. An answer supports
    a label with its confidence; a rejected answer supports none.

    *Frames* (poses, pictures: usually smoothed)
      ``enter`` when the support reaches ``enter``; ``leave`` when it falls below ``leave``.

    *Sounds and movements* (answers with a take: early, steady, final; never smoothed)
      ``trigger`` once a take, at its first answer that reaches ``enter``, or at the final one if
      only that came half way from ``leave`` to ``enter``: what is split between labels is mostly
      none of them (beside taught words, 11 seconds of typing triggered 11 to 26 times without this
      bound and 1 to 3 times with it). Its ``onset_us`` is where the sound began. There is none less
      than ``cooldown_s`` after the onset of the same label's last trigger. ``enter`` goes with the
      first answer that reaches ``enter``, ``leave`` with the final one, so a hum is held to its
      end: one weaker answer in between does not end it; two in a row do, and so does another label.
      If the final answer names another label than the early ones, the wrong one leaves, and the
      right one enters and leaves.

    ``hold`` every ``hold_every_s`` while entered, as far as answers come that often. ``count`` with
    the second ``enter`` and each one after it: enter, leave, enter is one cycle, unless it was cut
    off by a gap.

    ``leave`` comes too when the source is lost (`Gap`), at once when a sound's space reports an
    absence, and when nothing was heard of somebody for 5 seconds; then all about that subject is
    forgotten. ``t_us`` of an event is the end of the evidence that decided it.
    """

    enter: float = field(default=0.7, metadata={"live": True})
    leave: float = field(default=0.5, metadata={"live": True})
    hold_every_s: float = field(default=0.5, metadata={"live": True})
    cooldown_s: float = field(default=0.15, metadata={"live": True})

    takes: ClassVar[tuple[type, ...]] = (Scores, Absent, Gap)
    gives: ClassVar[tuple[type, ...]] = (Event, Absent, Gap)

    _lines: dict[Stream, _Line] = field(init=False, default_factory=dict, repr=False)
    _held: dict[Who, _Held] = field(init=False, default_factory=dict, repr=False)
    _counts: dict[Who, _Count] = field(init=False, default_factory=dict, repr=False)
    _triggered_us: dict[Who, int] = field(init=False, default_factory=dict, repr=False)
    _told_us: dict[str | None, int] = field(init=False, default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for name in ("enter", "leave"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: {getattr(self, name)} is outside 0 to 1")
        if self.leave > self.enter:
            raise ValueError(f"leave: {self.leave} is above enter ({self.enter}); it would flicker")
        for name in ("hold_every_s", "cooldown_s"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"{name}: {getattr(self, name)} is no duration; 0 or more seconds")

    def process(self, packet: Packet[Any]) -> Iterable[Packet[Any]]:
        """Yield the events that an answer, an absence or a gap brings about, in order."""
        data = packet.data
        if isinstance(data, Gap):
            yield from self._interrupted(packet)
        elif isinstance(data, Absent):
            yield from self._lost(packet, data.end_us)
            yield from self._absent(packet, data)
        else:
            yield from self._lost(packet, data.end_us)
            yield from self._answer(packet, data)
            return
        yield packet

    # --- answers ---------------------------------------------------------------------------------

    def _answer(self, packet: Packet[Any], scores: Scores) -> Iterator[Packet[Event]]:
        stream = stream_of(scores)
        line = self._lines.setdefault(stream, _Line(scores.end_us, scores.spaces))
        line.end_us, line.spaces = max(line.end_us, scores.end_us), scores.spaces
        support = (
            {one.label: one.confidence for one in scores.results}
            if scores.label is not None
            else {}
        )
        if scores.phase == "frame":
            yield from self._frame(packet, stream, line, support)
        else:
            yield from self._take(packet, stream, line, support)

    def _frame(
        self, packet: Packet[Any], stream: Stream, line: _Line, support: dict[str, float]
    ) -> Iterator[Packet[Event]]:
        for label in sorted(line.entered):
            if support.get(label, 0.0) < self.leave:
                yield from self._left(packet, stream, line, label, support.get(label, 0.0))
            else:
                yield from self._holds(packet, stream, label, support[label])
        for label, confidence in support.items():
            if confidence >= self.enter and label not in line.entered:
                yield from self._entered(packet, stream, line, label, packet.t_us, confidence)

    def _take(
        self, packet: Packet[Any], stream: Stream, line: _Line, support: dict[str, float]
    ) -> Iterator[Packet[Event]]:
        scores: Scores = packet.data
        if scores.take != line.take or line.take is None:
            yield from self._all_left(packet, stream, line)  # its final answer was lost on the way
            line.take, line.onset_us, line.had = scores.take, packet.t_us, set()
            line.triggered = line.over = False
        if line.over:
            return
        final = scores.phase == "final"
        label, confidence = scores.label, scores.confidence
        sure = (self.enter + self.leave) / 2 if final else self.enter
        accepted = label is not None and confidence >= sure
        if accepted and not line.triggered:
            assert label is not None
            line.triggered = True
            yield from self._trigger(packet, stream, label, line.onset_us, confidence)
        yield from self._dissent(packet, stream, line, support, label if accepted else None)
        known = line.had if final else line.entered
        if accepted and label not in known:
            assert label is not None
            line.had.add(label)
            yield from self._entered(packet, stream, line, label, line.onset_us, confidence)
        if final:
            line.over = True
            yield from self._all_left(packet, stream, line)

    def _dissent(
        self,
        packet: Packet[Any],
        stream: Stream,
        line: _Line,
        support: dict[str, float],
        other: str | None,
    ) -> Iterator[Packet[Event]]:
        """Hold what is entered, unless ``other`` has taken its place or it was denied twice."""
        for label in sorted(line.entered):
            confidence = support.get(label, 0.0)
            denied = line.dissents.get(label, 0) + 1 if confidence < self.leave else 0
            line.dissents[label] = denied
            if (other is not None and other != label) or denied >= DISSENTS:
                yield from self._left(packet, stream, line, label, confidence)
            elif packet.data.phase != "final":
                yield from self._holds(packet, stream, label, confidence)

    # --- what is told ----------------------------------------------------------------------------

    def _trigger(
        self, packet: Packet[Any], stream: Stream, label: str, onset_us: int, confidence: float
    ) -> Iterator[Packet[Event]]:
        who = (stream.subject, label)
        last_us = self._triggered_us.get(who)
        if last_us is not None and onset_us - last_us < self.cooldown_s * 1e6:
            return
        self._triggered_us[who] = onset_us
        yield self._event(packet, "trigger", who, onset_us, confidence)

    def _entered(
        self,
        packet: Packet[Any],
        stream: Stream,
        line: _Line,
        label: str,
        onset_us: int,
        confidence: float,
    ) -> Iterator[Packet[Event]]:
        who = (stream.subject, label)
        line.entered.add(label)
        line.dissents[label] = 0
        held = self._held.get(who)
        if held is not None:
            held.by.add(stream)
            return
        self._held[who] = _Held(onset_us, packet.data.end_us, confidence, {stream})
        yield self._event(packet, "enter", who, onset_us, confidence)
        count = self._counts.setdefault(who, _Count())
        if count.left:
            count.cycles, count.left = count.cycles + 1, False
            yield self._event(packet, "count", who, onset_us, confidence, count=count.cycles)

    def _holds(
        self, packet: Packet[Any], stream: Stream, label: str, confidence: float
    ) -> Iterator[Packet[Event]]:
        held = self._held[stream.subject, label]
        held.confidence = confidence
        if packet.data.end_us - held.told_us >= self.hold_every_s * 1e6:
            held.told_us = packet.data.end_us
            held_s = (packet.data.end_us - held.onset_us) / 1e6
            who = (stream.subject, label)
            yield self._event(packet, "hold", who, held.onset_us, confidence, held_s=held_s)

    def _left(
        self,
        packet: Packet[Any],
        stream: Stream,
        line: _Line,
        label: str,
        confidence: float,
        *,
        whole: bool = True,
    ) -> Iterator[Packet[Event]]:
        """Tell ``leave`` when the last stream that saw the label has lost it."""
        who = (stream.subject, label)
        line.entered.discard(label)
        line.dissents.pop(label, None)
        held = self._held[who]
        held.by.discard(stream)
        if held.by:
            return
        del self._held[who]
        self._counts.setdefault(who, _Count()).left = whole
        now_us = max(_end_us(packet), held.onset_us)
        held_s = (now_us - held.onset_us) / 1e6
        yield self._event(packet, "leave", who, held.onset_us, confidence, held_s=held_s)

    def _all_left(
        self, packet: Packet[Any], stream: Stream, line: _Line, *, whole: bool = True
    ) -> Iterator[Packet[Event]]:
        for label in sorted(line.entered):
            confidence = self._held[stream.subject, label].confidence
            yield from self._left(packet, stream, line, label, confidence, whole=whole)

    def _event(
        self,
        packet: Packet[Any],
        kind: EventKind,
        who: Who,
        onset_us: int,
        confidence: float,
        held_s: float | None = None,
        count: int | None = None,
    ) -> Packet[Event]:
        subject, label = who
        end_us = _end_us(packet)
        # Streams of one subject may overlap; what a listener hears is still in order.
        t_us = self._told_us[subject] = max(end_us, self._told_us.get(subject, end_us))
        told = Event(kind, label, onset_us, confidence, subject, held_s, count, end_us)
        return Packet(t_us, told, packet.ledger)

    # --- what ends without an answer -------------------------------------------------------------

    def _interrupted(self, packet: Packet[Any]) -> Iterator[Packet[Event]]:
        for stream, line in self._lines.items():
            yield from self._all_left(packet, stream, line, whole=False)

    def _absent(self, packet: Packet[Any], absent: Absent) -> Iterator[Packet[Event]]:
        for stream, line in self._lines.items():
            if stream.parts is not None and concerns(absent, stream.subject, line.spaces):
                yield from self._all_left(packet, stream, line)

    def _lost(self, packet: Packet[Any], now_us: int) -> Iterator[Packet[Event]]:
        """End and forget what nothing was heard of for five seconds."""
        lost = [key for key, line in self._lines.items() if now_us - line.end_us > LOST_US]
        for stream in lost:
            yield from self._all_left(packet, stream, self._lines[stream])
            # A person's id is never used again. What has none (sound) goes on where it was.
            if stream.subject is not None:
                del self._lines[stream]
        present = {stream.subject for stream in self._lines}
        for subject in {stream.subject for stream in lost} - present - {None}:
            for table in (self._counts, self._triggered_us):
                for who in [who for who in table if who[0] == subject]:
                    del table[who]
            self._told_us.pop(subject, None)


def _end_us(packet: Packet[Any]) -> int:
    """Return the end of the evidence in a packet."""
    return int(getattr(packet.data, "end_us", packet.t_us))
