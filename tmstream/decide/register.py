"""What has been entered, for whom and since when; and the events that tell of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..core.packet import Event, EventKind, Packet
from ._streams import Stream

Who: TypeAlias = tuple[str | None, str]  #: subject and label
Told: TypeAlias = Iterator[Packet[Event]]


@dataclass
class _Held:
    """A label that has been entered for a subject."""

    onset_us: int
    told_us: int  #: when enter or the last hold was told
    confidence: float
    by: set[Stream]  #: a label may be seen and heard at once; it leaves with the last of them


@dataclass
class _Count:
    """How often a label was entered again after it had been left."""

    cycles: int = 0
    left: bool = False


class Register:
    """Every label of every subject; each method yields what is to be told, made of ``packet``."""

    def __init__(self) -> None:
        self._held: dict[Who, _Held] = {}
        self._counts: dict[Who, _Count] = {}
        self._triggered_us: dict[Who, int] = {}
        self._told_us: dict[str | None, int] = {}

    def trigger(
        self, packet: Packet[Any], who: Who, onset_us: int, confidence: float, cooldown_s: float
    ) -> Told:
        """Tell ``trigger``, unless the last one's onset lies less than ``cooldown_s`` back."""
        last_us = self._triggered_us.get(who)
        if last_us is None or onset_us - last_us >= cooldown_s * 1e6:
            self._triggered_us[who] = onset_us
            yield self._event(packet, "trigger", who, onset_us, confidence)

    def enter(
        self, packet: Packet[Any], who: Who, by: Stream, onset_us: int, confidence: float
    ) -> Told:
        """Tell ``enter`` and ``count``, unless another stream holds the label already."""
        held = self._held.get(who)
        if held is not None:
            held.by.add(by)
            return
        self._held[who] = _Held(onset_us, packet.data.end_us, confidence, {by})
        yield self._event(packet, "enter", who, onset_us, confidence)
        count = self._counts.setdefault(who, _Count())
        if count.left:
            count.cycles, count.left = count.cycles + 1, False
            yield self._event(packet, "count", who, onset_us, confidence, count=count.cycles)

    def hold(self, packet: Packet[Any], who: Who, confidence: float, every_s: float) -> Told:
        """Tell ``hold``, when it is due."""
        held, end_us = self._held[who], packet.data.end_us
        held.confidence = confidence
        if end_us - held.told_us >= every_s * 1e6:
            held.told_us = end_us
            held_s = (end_us - held.onset_us) / 1e6
            yield self._event(packet, "hold", who, held.onset_us, confidence, held_s=held_s)

    def leave(
        self,
        packet: Packet[Any],
        who: Who,
        by: Stream,
        confidence: float | None = None,
        *,
        whole: bool = True,
    ) -> Told:
        """Tell ``leave`` when the last stream that saw the label has lost it.

        ``confidence``: None for the last known. Not ``whole``: cut off, so it counts for nothing.
        """
        held = self._held[who]
        held.by.discard(by)
        if held.by:
            return
        del self._held[who]
        self._counts.setdefault(who, _Count()).left = whole
        confidence = held.confidence if confidence is None else confidence
        held_s = (max(_end_us(packet), held.onset_us) - held.onset_us) / 1e6
        yield self._event(packet, "leave", who, held.onset_us, confidence, held_s=held_s)

    def forget(self, subject: str) -> None:
        """Forget a subject that is gone, and has left everything."""
        for table in (self._counts, self._triggered_us):
            for who in [who for who in table if who[0] == subject]:
                del table[who]
        self._told_us.pop(subject, None)

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


def _end_us(packet: Packet[Any]) -> int:
    """Return the end of the evidence in a packet."""
    return int(getattr(packet.data, "end_us", packet.t_us))
