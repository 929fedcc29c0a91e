"""Answers to decide about, and what was told of them."""

from __future__ import annotations

from typing import Any

from tmstream.core.packet import Event, Packet, Result, Scores
from tmstream.testing import feed

MS = 1000


def frame(end_ms: int, subject: str | None = "1", **support: float) -> Packet[Scores]:
    """An answer about a frame; no support at all is a rejected one."""
    results = tuple(
        Result(label, share, share) for label, share in sorted(support.items(), key=lambda x: -x[1])
    )
    best = results[0] if results else None
    return Packet(
        end_ms * MS,
        Scores(
            best.label if best else None, best.confidence if best else 0.0,
            None if best else "too_far", results, end_ms * MS, subject=subject,
            spaces=("body.upper",),
        ),
    )  # fmt: skip


def sound(
    onset_ms: int,
    end_ms: int,
    phase: Any,
    take: int | None,
    label: str | None,
    confidence: float = 0.9,
    *,
    subject: str | None = None,
    joined: tuple[str, ...] = (),
) -> Packet[Scores]:
    """One answer about a sound; the rest of the vote is for "other"."""
    results = (
        (Result(label, confidence, confidence), Result("other", 1 - confidence, 0.1))
        if label
        else ()
    )
    return Packet(
        onset_ms * MS,
        Scores(
            label, confidence if label else 0.0, None if label else "too_far", results, end_ms * MS,
            subject=subject, spaces=("audio", *joined), phase=phase, take=take,
        ),
    )  # fmt: skip


def told(node: Any, *packets: Packet[Any]) -> list[tuple[str, str, int, int]]:
    """Every event as (kind, label, t in ms, onset in ms)."""
    events = [one for one in feed(node, *packets) if isinstance(one.data, Event)]
    return [(e.data.event, e.data.label, e.t_us // MS, e.data.onset_us // MS) for e in events]
