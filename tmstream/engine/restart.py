"""How patiently a failed device is tried again."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_S = 0.5
#: Not longer: a device is back within 5 s of its return, however long it was away.
LONGEST_S = 3.0


@dataclass
class Patience:
    """Waiting times that double from 0.5 s to 3 s, and start over once the device has worked."""

    next_s: float = FIRST_S

    def wait_s(self) -> float:
        """Return how long to wait before the next attempt."""
        now_s, self.next_s = self.next_s, min(2 * self.next_s, LONGEST_S)
        return now_s

    def reset(self) -> None:
        """Forget past failures: it works."""
        self.next_s = FIRST_S
