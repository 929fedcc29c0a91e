"""Answers become events: something was recognised once, began, lasts, ended, happened again."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..core.packet import Absent, Event, Gap, Packet, Scores, same_source
from ._streams import Stream, concerns, stream_of
from .register import Register

LOST_US = 5_000_000  #: whoever is not seen or heard for as long has left
DISSENTS = 2  #: answers in a row that it takes to end a sound before its own end


@dataclass
class _Line:
    """What is known about one stream of answers."""

    end_us: int
    spaces: tuple[str, ...]
    entered: dict[str, int] = field(default_factory=dict)  #: label to its dissents in a row
    take: int | None = None
    onset_us: int = 0  #: where this take began
    had: set[str] = field(default_factory=set)  #: labels entered in this take
    triggered: bool = False  #: this take has had its trigger
    over: bool = False  #: this take has had its last word


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

    ``leave`` comes too when its source is lost (`Gap`), at once when a sound's space reports an
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
    _register: Register = field(init=False, default_factory=Register, repr=False)

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
            yield from self._interrupted(packet, data)
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
            confidence = support.get(label, 0.0)
            if confidence < self.leave:
                yield from self._left(packet, stream, line, label, confidence)
            else:
                yield from self._holds(packet, stream, label, confidence)
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
        if final:
            yield from self._taken_over(packet, stream, line)
        if accepted and not line.triggered:
            assert label is not None
            line.triggered = True
            who = (stream.subject, label)
            yield from self._register.trigger(
                packet, who, line.onset_us, confidence, self.cooldown_s
            )
        yield from self._dissent(packet, stream, line, support, label if accepted else None)
        known = line.had if final else line.entered
        if accepted and label not in known:
            assert label is not None
            line.had.add(label)
            yield from self._entered(packet, stream, line, label, line.onset_us, confidence)
        if final:
            line.over = True
            yield from self._all_left(packet, stream, line)

    def _taken_over(
        self, packet: Packet[Any], stream: Stream, line: _Line
    ) -> Iterator[Packet[Event]]:
        """Leave what the same sound brought about for others; it is no news that it triggered.

        (Early it was a clap, which this person can do; in the end a cough, which is nobody's.)
        """
        for other, its in self._lines.items():
            alike = other._replace(subject=stream.subject) == stream and its.take == line.take
            if alike and line.take is not None and its.end_us < packet.data.end_us:
                line.triggered |= its.triggered
                yield from self._all_left(packet, other, its)

    def _dissent(
        self,
        packet: Packet[Any],
        stream: Stream,
        line: _Line,
        support: dict[str, float],
        other: str | None,
    ) -> Iterator[Packet[Event]]:
        """Hold what is entered, unless ``other`` has taken its place or it was denied twice."""
        for label, before in sorted(line.entered.items()):
            confidence = support.get(label, 0.0)
            denied = line.entered[label] = before + 1 if confidence < self.leave else 0
            if (other is not None and other != label) or denied >= DISSENTS:
                yield from self._left(packet, stream, line, label, confidence)
            elif packet.data.phase != "final":
                yield from self._holds(packet, stream, label, confidence)

    # --- what is told ----------------------------------------------------------------------------

    def _entered(
        self,
        packet: Packet[Any],
        stream: Stream,
        line: _Line,
        label: str,
        onset_us: int,
        confidence: float,
    ) -> Iterator[Packet[Event]]:
        line.entered[label] = 0
        who = (stream.subject, label)
        return self._register.enter(packet, who, stream, onset_us, confidence)

    def _holds(
        self, packet: Packet[Any], stream: Stream, label: str, confidence: float
    ) -> Iterator[Packet[Event]]:
        who = (stream.subject, label)
        return self._register.hold(packet, who, confidence, self.hold_every_s)

    def _left(
        self,
        packet: Packet[Any],
        stream: Stream,
        line: _Line,
        label: str,
        confidence: float | None = None,
        *,
        whole: bool = True,
    ) -> Iterator[Packet[Event]]:
        del line.entered[label]
        who = (stream.subject, label)
        return self._register.leave(packet, who, stream, confidence, whole=whole)

    def _all_left(
        self, packet: Packet[Any], stream: Stream, line: _Line, *, whole: bool = True
    ) -> Iterator[Packet[Event]]:
        for label in sorted(line.entered):
            yield from self._left(packet, stream, line, label, whole=whole)

    # --- what ends without an answer -------------------------------------------------------------

    def _interrupted(self, packet: Packet[Any], gap: Gap) -> Iterator[Packet[Event]]:
        for stream, line in self._lines.items():
            if same_source(gap.source, stream.source):
                yield from self._all_left(packet, stream, line, whole=False)

    def _absent(self, packet: Packet[Any], absent: Absent) -> Iterator[Packet[Event]]:
        for stream, line in self._lines.items():
            if stream.space is not None and concerns(absent, stream, line.spaces):
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
        for subject in {stream.subject for stream in lost} - present:
            if subject is not None:
                self._register.forget(subject)
