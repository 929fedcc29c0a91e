"""From a packet to the message a client gets: one struct, encoded once, with its latency ledger.

The same bytes go to every client, to ``--print`` and into a recording. JSON has no NaN: a
number that is not finite becomes 0 here, and could not leave in any other way.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Hashable
from typing import Any, NamedTuple

import msgspec
import numpy as np

from ..core import messages as m
from ..core.packet import (
    Absent,
    Event,
    Features,
    Landmarks,
    Ledger,
    Packet,
    Presence,
    Scores,
    Status,
)

_encoder = msgspec.json.Encoder()


class Outgoing(NamedTuple):
    """A message ready for `Hub.publish`."""

    kind: str
    key: Hashable | None  #: of a state; None for what must not be left out
    data: bytes
    label: str | None = None


def encode(node: str, packet: Packet[Any], now_us: int) -> Outgoing:
    """Return the message of one packet; ``node`` is who made it, ``now_us`` the engine's clock.

    Raises:
        TypeError: no message carries its payload.
    """
    data = packet.data
    match data:
        case Scores():
            key = (node, "prediction", data.subject)
            return Outgoing("prediction", key, dump(_scores(node, packet, now_us)), data.label)
        case Absent():
            key = (node, "prediction", data.subject)
            return Outgoing("prediction", key, dump(_absent(node, packet, now_us)), None)
        case Event():
            return Outgoing("event", None, dump(_event(packet, now_us)), data.label)
        case Landmarks():
            kept = (node, "landmarks", data.space, data.subject)
            return Outgoing("landmarks", kept, dump(_landmarks(packet)))
        case Presence():
            return Outgoing("presence", None, dump(_presence(packet)))
        case Features():
            return Outgoing("spectrum", (node, "spectrum", None), dump(_spectrum(packet)))
    raise TypeError(f"no message carries a {type(data).__name__}")


def encode_status(
    status: Status,
    *,
    clients: int,
    examples: int,
    locked: bool,
    live: list[m.LiveParameter],
    active_labels: list[str],
) -> m.StatusMessage:
    """Return the engine's state as a message (a struct: `/health` and `/metrics` read it too)."""
    nodes = {
        name: m.NodeStatusPart(
            state=one.state,
            rate_hz=_finite(one.rate_hz),
            p50_us=_finite(one.p50_us),
            p99_us=_finite(one.p99_us),
            dropped=one.dropped,
            message=one.message,
        )
        for name, one in status.nodes.items()
    }
    return m.StatusMessage(nodes, clients, examples, locked, live, active_labels)


def simulated(command: m.Simulate, now_us: int) -> Outgoing:
    """Return the test event that a command asks for, marked as one."""
    label = unicodedata.normalize("NFC", command.label)  # as every label of a project is
    event = m.EventMessage(
        event=command.event, label=label, t_us=now_us, onset_us=now_us, subject=None,
        confidence=1.0, latency=m.LatencyPart(0, 0, 0, 0, 0), simulated=True,
    )  # fmt: skip
    return Outgoing("event", None, dump(event), label)


def dump(message: m.Message) -> bytes:
    """Return a message as JSON, UTF-8."""
    return _encoder.encode(message)


def latency(ledger: Ledger | None, onset_us: int, end_us: int, now_us: int) -> m.LatencyPart:
    """Return where the time went between the last sample needed (``end_us``) and ``now_us``.

    A room whose time nobody wrote down counts 0; ``total_us`` is always measured. A graph of files
    is handed a packet at its first instant, and its clock stands still meanwhile: each instant that
    was written down counts as no earlier than the one before it.
    """
    at_us, spans = end_us, []
    for written_us in (ledger.captured_us, ledger.embedded_us, ledger.scored_us) if ledger else ():
        next_us = at_us if written_us is None else max(at_us, written_us)
        spans.append(next_us - at_us)
        at_us = next_us
    capture_us, embed_us, head_us = spans or (0, 0, 0)
    now_us = max(now_us, at_us)
    return m.LatencyPart(
        onset_us=max(0, now_us - onset_us),
        capture_us=capture_us,
        embed_us=embed_us,
        head_us=head_us,
        total_us=now_us - end_us,
    )


def _scores(node: str, packet: Packet[Scores], now_us: int) -> m.Prediction:
    one = packet.data
    return m.Prediction(
        node=node,
        t_us=packet.t_us,
        end_us=one.end_us,
        seq=one.seq,
        subject=one.subject,
        label=one.label,
        confidence=_finite(one.confidence),
        rejected=one.rejected,
        results=[
            m.ResultPart(each.label, _finite(each.confidence), _finite(each.closeness))
            for each in one.results
        ],
        latency=latency(packet.ledger, packet.t_us, one.end_us, now_us),
        phase=one.phase,
        spaces=list(one.spaces),
    )


def _absent(node: str, packet: Packet[Absent], now_us: int) -> m.Prediction:
    one = packet.data
    return m.Prediction(
        node=node,
        t_us=packet.t_us,
        end_us=one.end_us,
        seq=0,
        subject=one.subject,
        label=None,
        confidence=0.0,
        rejected=one.reason,
        results=[],
        latency=latency(packet.ledger, packet.t_us, one.end_us, now_us),
        spaces=[one.space],
    )


def _event(packet: Packet[Event], now_us: int) -> m.EventMessage:
    one = packet.data
    end_us = one.end_us if one.end_us is not None else packet.t_us
    return m.EventMessage(
        event=one.event,
        label=one.label,
        t_us=packet.t_us,
        onset_us=one.onset_us,
        subject=one.subject,
        confidence=_finite(one.confidence),
        latency=latency(packet.ledger, one.onset_us, end_us, now_us),
        held_s=None if one.held_s is None else _finite(one.held_s),
        count=one.count,
    )


def _landmarks(packet: Packet[Landmarks]) -> m.LandmarksMessage:
    one = packet.data
    return m.LandmarksMessage(
        space=one.space,
        subject=one.subject,
        t_us=packet.t_us,
        # A hundred-thousandth of the picture, and half the bytes.
        points=np.nan_to_num(one.points, posinf=0.0, neginf=0.0).astype(float).round(5).tolist(),
        side=one.side,
        aspect=_finite(one.aspect),
    )


def _presence(packet: Packet[Presence]) -> m.PresenceMessage:
    one = packet.data
    size = None if one.size is None else _finite(one.size)
    return m.PresenceMessage(one.subject, packet.t_us, one.state, size, list(one.cut_off))


def _spectrum(packet: Packet[Features]) -> m.SpectrumMessage:
    """Only the newest frame is drawn."""
    one = packet.data
    last = one.values[-1] if len(one.values) else np.zeros(0, np.float32)
    bins = np.nan_to_num(last, posinf=0.0, neginf=-120.0).astype(float).round(1).tolist()
    level_db = -120.0 if one.level_db is None else _finite(one.level_db)
    return m.SpectrumMessage(packet.t_us, bins, round(level_db, 1))


def _finite(value: float) -> float:
    number = float(value)
    return number if math.isfinite(number) else 0.0
