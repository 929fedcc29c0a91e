"""While the show runs: 60 answers a second, and everything else at once."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import msgspec
import numpy as np

from tmstream.core.clock import MonotonicClock
from tmstream.engine.pauses import short_pauses
from tmstream.head.knn import Knn
from tmstream.store.project import NewExample, Project
from tmstream.testing import FakeServices, feed

from .lessons import LABELS, heard, taught, vector

RATE_HZ = 60
LATE_S = 0.020


class Live(FakeServices):
    """Services of a live graph: learning happens in the background."""

    def __init__(self, *services: object) -> None:
        super().__init__(*services)
        self.clock = MonotonicClock()  # type: ignore[assignment]


def batch(number: int, count: int) -> list[NewExample]:
    return [
        NewExample(LABELS[i % 4], "audio", vector(i % 4, number * 1000 + i), f"{number}/{i}",
                   id=f"live-{number}-{i}")
        for i in range(count)
    ]  # fmt: skip


def busy(project: Project, failures: list[BaseException]) -> None:
    """Add 1000 examples, delete 200, undo 50 steps, restore a snapshot."""
    try:
        project.snapshot("before")
        for number in range(60):
            project.add(batch(number, 10))
        project.add(batch(99, 400))
        project.delete([f"live-99-{i}" for i in range(200)])
        for _ in range(50):
            project.undo()
        project.restore("before")
    except BaseException as error:  # noqa: BLE001  # told to the test, which fails
        failures.append(error)


def test_no_answer_is_late_while_everything_changes(tmp_path: Path) -> None:
    with Project.open(tmp_path / "show.tms", create=True) as project, short_pauses():
        project.add(taught(4, 10))
        node = Knn()
        node.open(Live(project))
        failures: list[BaseException] = []
        worker = threading.Thread(target=busy, args=(project, failures))
        took: list[float] = []
        wrong = count = 0
        worker.start()
        until = time.perf_counter() + 60
        quiet = 0
        while (worker.is_alive() or quiet < 60) and time.perf_counter() < until:
            quiet += not worker.is_alive()
            began = time.perf_counter()
            (made,) = feed(node, heard(vector(count % 4, count), count * 16_667))
            took.append(time.perf_counter() - began)
            wrong += made.data.label not in (LABELS[count % 4], None)
            count += 1
            time.sleep(max(0.0, 1 / RATE_HZ - (time.perf_counter() - began)))
        worker.join()
        assert not failures, failures
        assert count > 60
        assert wrong == 0, "an answer came from a half-updated metric"
        late = np.sort(took)[-3:]
        # Where more programs want to run than there are cores, waiting for one is not our delay.
        crowd = os.getloadavg()[0] / (os.cpu_count() or 1) if hasattr(os, "getloadavg") else 1.0
        assert late[0] < LATE_S * max(1.0, crowd), f"the three latest answers took {late * 1e3} ms"
        assert node._memory.settled()
        feed(node, heard(vector(0, 1), 10**9))
        left = {one.id for one in project.examples()}
        assert set(node._memory.examples) == left
        assert sum(len(bank) for bank in node._memory.state.banks.values()) == len(left)
        node.close()
        again = Knn()
        again.open(Live(project))
        assert set(again._memory.examples) == left
        again.close()


def test_a_refit_in_the_background_ends_where_one_in_the_foreground_does(tmp_path: Path) -> None:
    with Project.open(tmp_path / "p.tms", create=True) as project:
        project.add(taught(3, 4))
        live = Knn()
        live.open(Live(project))
        for number in range(8):
            project.add(batch(number, 3))
            feed(live, heard(vector(0, 0), number * 1000))
        project.relabel(["live-3-0"], "hum")
        feed(live, heard(vector(0, 0), 9000))
        assert live._memory.settled()
        (said,) = feed(live, heard(vector(1, 5), 10_000))
        steady = Knn()
        steady.open(FakeServices(project))
        (wanted,) = feed(steady, heard(vector(1, 5), 10_000))
        one, other = said.data, wanted.data
        assert msgspec.structs.replace(one, seq=0) == other or (
            [msgspec.to_builtins(r) for r in one.results]
            == [msgspec.to_builtins(r) for r in other.results]
        )
        live.close()


def test_a_large_change_waits_for_the_background(tmp_path: Path) -> None:
    with Project.open(tmp_path / "p.tms", create=True) as project:
        project.add(taught(3, 4))
        node = Knn()
        node.open(Live(project))
        project.add(batch(1, 900))
        began = time.perf_counter()
        feed(node, heard(vector(0, 0)))
        assert time.perf_counter() - began < 0.05
        assert node._memory.settled()
        feed(node, heard(vector(0, 0), 1000))
        assert sum(len(bank) for bank in node._memory.state.banks.values()) == 912
        node.close()
