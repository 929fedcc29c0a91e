"""A head to give commands to, with a project, a history and a clock that the packets turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tmstream.core.packet import Audio, Packet
from tmstream.core.services import Embedders
from tmstream.head.knn import Knn
from tmstream.server.jobs import Jobs
from tmstream.store.history import History
from tmstream.store.project import Project
from tmstream.testing import FakeServices, feed

from .lessons import heard, vector


class Stage:
    """A head with a project, a history and a clock that the packets turn."""

    def __init__(self, path: Path | None) -> None:
        self.project = Project.open(path, create=True) if path else None
        self.history, self.embedders = History(), Embedders("sound")
        for space in ("audio", "body.upper"):
            self.embedders.expect(space)
        self.jobs = Jobs()
        services = [
            self.history,
            self.embedders,
            self.jobs,
            *([self.project] if self.project else []),
        ]
        self.services = FakeServices(*services, node="head", sources=("mic",))
        self.node = Knn()
        self.node.open(self.services)
        self.t_us = 0
        self.take = 0

    def frame(self, label: int, seed: int, space: str = "audio", subject: str | None = None) -> Any:
        """Let 100 ms pass and show one frame."""
        self.services.clock.sleep(0.1)
        self.t_us = self.services.clock.now_us()
        packet = heard(vector(label, seed), self.t_us - 10_000, space=space, subject=subject,
                       source="mic")  # fmt: skip
        return feed(self.node, packet)[0].data

    def sound(self, label: int, seed: int, *phases: str) -> None:
        """Let a sound of 300 ms be heard, in its phases."""
        self.take += 1
        onset = self.services.clock.now_us()
        self.history.tap("mic", Packet(onset, Audio(np.ones((4800, 1), np.float32) / 4, 16000)))
        for phase in phases:
            self.services.clock.sleep(0.15)
            length = self.services.clock.now_us() - onset
            feed(self.node, heard(vector(label, seed), onset, source="mic", phase=phase,
                                  take=self.take, length_us=length))  # fmt: skip

    def do(self, command: Any) -> Any:
        return asyncio.run(self.node.handle(command))

    def during(self, command: Any, work: Callable[[], None]) -> Any:
        """Run ``work`` while a command is being carried out."""

        async def both() -> Any:
            task = asyncio.ensure_future(self.node.handle(command))
            await asyncio.sleep(0)
            work()
            return await asyncio.wait_for(task, 10)

        return asyncio.run(both())


@pytest.fixture
def stage(tmp_path: Path) -> Any:
    made = Stage(tmp_path / "show.tms")
    yield made
    assert made.project is not None
    made.node.close()
    made.project.close()
