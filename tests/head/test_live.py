"""While the show runs: 60 answers a second, and everything else at once."""

from __future__ import annotations

import gc
import os
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from tmstream.core.clock import MonotonicClock
from tmstream.core.packet import Scores
from tmstream.engine.pauses import short_pauses
from tmstream.head import memory
from tmstream.head.bank import Bank
from tmstream.head.knn import Knn
from tmstream.head.refit import refit
from tmstream.store.project import Change, Example, NewExample, Project
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


def rows(node: Knn) -> int:
    return sum(len(bank) for bank in node._memory.state.banks.values())


def test_a_large_change_waits_for_the_background(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work, go_on = threading.Event(), threading.Event()

    def slowly(*args: Any) -> dict[str, Bank]:
        at_work.set()
        assert go_on.wait(20)
        return refit(*args)

    with Project.open(tmp_path / "p.tms", create=True) as project:
        project.add(taught(3, 4))
        node = Knn()
        node.open(Live(project))
        assert node._memory.settled()
        monkeypatch.setattr(memory, "refit", slowly)
        project.add(batch(1, 900))
        for t_us in range(0, 3000, 1000):  # it answers meanwhile, from what it knew
            (made,) = feed(node, heard(vector(0, 0), t_us))
            assert made.data.label == "clap"
            assert at_work.wait(20)
            assert rows(node) == 12
        go_on.set()
        assert node._memory.settled()
        feed(node, heard(vector(0, 0), 3000))
        assert rows(node) == 912
        node.close()


def said(node: Knn, label: int, seed: int) -> Scores:
    (made,) = feed(node, heard(vector(label, seed)))
    return made.data  # type: ignore[no-any-return]


@pytest.fixture
def show(tmp_path: Path) -> Iterator[tuple[Project, Knn]]:
    """A head that has learned five takes of a clap and of a snap, and 150 of a hum."""
    with Project.open(tmp_path / "show.tms", create=True) as project:
        project.add(taught(2, 5))
        project.add([NewExample("hum", "audio", vector(2, i), f"hum {i}") for i in range(150)])
        node = Knn()
        node.open(Live(project))
        assert node._memory.settled()
        yield project, node
        node.close()


def test_what_is_taught_during_a_lock_changes_no_answer_before_its_end(
    show: tuple[Project, Knn],
) -> None:
    project, node = show
    project.set_settings({"locked": True})
    before = said(node, 0, 77)
    project.add([NewExample("clap", "audio", vector(0, 77), "wrong", negative=True)])
    assert before.label == said(node, 0, 77).label == "clap"
    project.set_settings({"locked": False})
    said(node, 0, 77)
    assert node._memory.settled()
    assert said(node, 0, 77).label is None


def test_what_was_restored_just_before_a_lock_is_learned(show: tuple[Project, Knn]) -> None:
    project, node = show
    project.snapshot("premiere")
    project.delete_label("hum")
    assert said(node, 2, 500).label is None
    assert node._memory.settled()
    project.restore("premiere")
    project.set_settings({"locked": True})  # before the next sound
    said(node, 2, 500)
    assert node._memory.settled()
    assert said(node, 2, 500).label == "hum"


def test_a_label_with_many_examples_answers_while_it_is_renamed(show: tuple[Project, Knn]) -> None:
    project, node = show
    project.rename_label("hum", "drone")
    assert said(node, 2, 500).label in ("hum", "drone")
    assert node._memory.settled()
    assert said(node, 2, 500).label == "drone"


def test_a_scene_and_a_lock_of_another_process_hold_here_too(show: tuple[Project, Knn]) -> None:
    project, node = show
    heard_of = threading.Event()
    project.subscribe(lambda change: heard_of.set())
    for scene in ({"active_labels": ["hum"], "locked": True}, {"active_labels": None}):
        heard_of.clear()
        with Project.open(project.path) as other:
            other.set_settings(scene)
        assert heard_of.wait(5)
        active = scene["active_labels"] or ["clap", "hum", "snap"]
        assert sorted(one.label for one in said(node, 2, 500).results) == active
        assert node._memory.locked


def test_a_head_that_is_closed_is_let_go(show: tuple[Project, Knn]) -> None:
    project, _ = show
    for _ in range(2):  # as each calibration of a room does
        node = Knn()
        node.open(Live(project))
        let_go = weakref.ref(node._memory)
        node.close()
        del node
        gc.collect()
        assert let_go() is None
    project.add(batch(1, 1))


def test_what_is_moved_while_the_examples_are_read_again_keeps_its_new_label(
    show: tuple[Project, Knn], monkeypatch: pytest.MonkeyPatch
) -> None:
    project, node = show
    read = project.examples

    def slowly() -> list[Example]:
        found = read()
        project.relabel([found[0].id], "snap")
        node._memory._apply(Change(relabelled={found[0].id: "snap"}))
        return found

    node._memory.examples.clear()  # as if a restore by another process had brought them all
    monkeypatch.setattr(project, "examples", slowly)
    node._memory._reread(project)
    assert node._memory.examples["audio-0-000"].label == "snap"
