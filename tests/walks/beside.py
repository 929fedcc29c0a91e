"""Walks that wait for a process of their own, done beside those that wait in this one.

A watched network, an exhibit, a demo, a take at its own pace: each needs its seconds and little
work. A module that has a function ``begin(queue)`` names there what its tests will ask for. All of
it queues in one thread, one after the other, and stands back behind whatever is being measured.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

#: Added to what the tests have themselves.
NICENESS = 10


class Beside:
    """A queue of one. ``env`` is for its processes: that of a test would not outlive the test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.env = os.environ | {"TMSTREAM_STATE": str(folder / "state")}
        self._pool = ThreadPoolExecutor(1, "beside", _stand_back)
        self._begun: dict[str, dict[str, Future[Any]]] = {}

    def of(self, module: ModuleType) -> dict[str, Future[Any]]:
        """Return what ``module`` has done beside; the first time, begin with it."""
        if module.__name__ not in self._begun:
            self._begun[module.__name__] = module.begin(self)
        return self._begun[module.__name__]

    def folder(self, name: str) -> Path:
        """Return a new folder."""
        made = self._folder / name
        made.mkdir()
        return made

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Have ``work`` done; its answer, or what it raised, is in the future."""
        return self._pool.submit(work, *arguments)

    def close(self) -> None:
        """Wait for what is under way, and begin no more."""
        self._pool.shutdown(cancel_futures=True)


def _stand_back() -> None:
    if sys.platform == "linux":  # where it is of this thread alone, and of what it starts
        os.nice(NICENESS)
