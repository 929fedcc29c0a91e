"""How each node fares: packets a second, time for one, what was dropped, and what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from msgspec import structs

from ..core.packet import NodeStatus

State = Literal["running", "waiting", "failed"]

_KEPT = 4096


@dataclass
class NodeStats:
    """Written by the thread its node runs in, read by the loop about once a second."""

    state: State = "waiting"
    handled: int = 0
    dropped: int = 0
    message: str | None = None
    dropped_at_door: Callable[[], int] = int  #: asks the node's inbox for its drops
    _took_ns: list[int] = field(default_factory=list)
    _seen: int = 0

    def took(self, ns: int) -> None:
        """Note one packet and the nanoseconds spent on it."""
        self.handled += 1
        if len(self._took_ns) < _KEPT:
            self._took_ns.append(ns)

    def say(self, state: State, message: str | None = None) -> None:
        """Enter a state; ``message`` says what is wrong and what to do."""
        self.state, self.message = state, message

    def lost(self, told: NodeStatus) -> bool:
        """Return whether the node has stopped running since ``told``."""
        return told.state == "running" != self.state

    def now(self, told: NodeStatus) -> NodeStatus:
        """Return ``told`` with the state of this moment."""
        return structs.replace(told, state=self.state, message=self.message)

    def read(self, elapsed_s: float) -> NodeStatus:
        """Return the status over the last ``elapsed_s`` seconds, and start a new measure."""
        took, self._took_ns = self._took_ns, []
        count, self._seen = self.handled - self._seen, self.handled
        p50, p99 = np.percentile(took, (50, 99)) / 1000 if took else (0.0, 0.0)
        return NodeStatus(
            state=self.state,
            rate_hz=round(count / max(elapsed_s, 1e-6), 2),
            p50_us=round(float(p50), 1),
            p99_us=round(float(p99), 1),
            dropped=self.dropped + self.dropped_at_door(),
            message=self.message,
        )
