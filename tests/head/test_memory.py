"""What the head knows, step by step: each test says itself when the background learns."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tmstream.core.errors import StoreError
from tmstream.head import memory as memory_module
from tmstream.head import refit
from tmstream.head.bank import Bank
from tmstream.head.memory import FEW, LARGE_CHANGE, Memory
from tmstream.head.scratch import Scratch
from tmstream.maths import quantised
from tmstream.store.project import Change, Example, NewExample, Project

from .lessons import taught, vector


class Asked:
    """Stands in for the background thread, and counts how often it was asked."""

    def __init__(self, work: Callable[[], None]) -> None:
        self.times = 0

    def ask(self) -> None:
        self.times += 1

    def close(self) -> None: ...


def examples(new: list[NewExample]) -> tuple[Example, ...]:
    book = Scratch()
    book.add(new)
    return tuple(book.examples())


def more(count: int, label: str = "hum") -> tuple[Example, ...]:
    return examples(
        [
            NewExample(label, "audio", vector(2, i), f"{label} {i}", id=f"{label}-{i}")
            for i in range(count)
        ]
    )


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    """A memory that has learned three takes of a clap and of a snap."""
    monkeypatch.setattr(memory_module, "Refitter", Asked)
    made = Memory(3, None, steady=False)
    made.open(list(examples(taught(2, 3))), [], locked=False)
    made._learn()
    made.settle()
    return made


def asked(memory: Memory) -> int:
    refitter = memory._refitter
    assert isinstance(refitter, Asked)
    return refitter.times


def test_what_was_opened_answers_at_once_and_is_calibrated_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory_module, "Refitter", Asked)
    memory = Memory(3, None, steady=False)
    memory.open(list(examples(taught(2, 3))), [], locked=False)
    found = memory.ask("audio", vector(0, 9))
    assert found is not None
    assert found[0].fit.tested == 0
    assert asked(memory) == 1
    memory._learn()
    memory.settle()
    assert memory.state.banks["audio"].fit.tested == 6


def test_many_examples_are_prepared_before_the_show_and_beside_it_only_if_that_is_quick(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory_module, "Refitter", Asked)
    monkeypatch.setattr(quantised, "_products", {})
    monkeypatch.setattr(quantised, "PAYS_BYTES", 0)  # these few are many
    monkeypatch.setattr(quantised, "PAYS_WIDTH", range(1000))

    def prepared(memory: Memory) -> bool:
        rows = memory.state.banks["audio"]._examples
        return rows._quantised.ready and not rows._changed.any()

    grown = Memory(3, None, steady=False)
    grown.open([], [], locked=False)
    grown.tell(Change(added=examples(taught(2, 3))))
    grown.settle()
    grown._learn()
    grown.settle()
    assert not prepared(grown)
    opened = Memory(3, None, steady=False)
    opened.open(list(examples(taught(2, 3))), [], locked=False)
    assert prepared(opened)
    grown._learn()
    grown.settle()
    assert prepared(grown)


def test_a_change_between_hand_over_and_swap_is_not_lost(memory: Memory) -> None:
    memory._learn()
    memory._apply(Change(added=more(1), removed=("audio-0-000",)))
    memory.settle()
    bank = memory.state.banks["audio"]
    assert "hum-0" in bank
    assert "audio-0-000" not in bank


def test_many_changes_while_it_learns_are_repeated(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn = memory_module.refit

    def slowly(copy: list[Example], k: int, project: Project | None) -> dict[str, Bank]:
        banks = learn(copy, k, project)
        for one in more(FEW + 2):
            memory._apply(Change(added=(one,)))
        return banks

    monkeypatch.setattr(memory_module, "refit", slowly)
    memory._learn()
    memory.settle()
    assert all(f"hum-{i}" in memory.state.banks["audio"] for i in range(FEW + 2))


def test_the_lane_repeats_no_large_change(memory: Memory) -> None:
    memory._learn()
    before = memory.state.generation
    memory.tell(Change(added=more(LARGE_CHANGE + 1)))
    memory._apply(memory._told.popleft())
    memory.settle()
    assert memory.state.generation == before
    assert "hum-0" not in memory.state.banks["audio"]
    memory._learn()
    memory.settle()
    assert len(memory.state.banks["audio"]) == 6 + LARGE_CHANGE + 1


def test_a_space_whose_examples_are_gone_may_be_taught_with_other_vectors(memory: Memory) -> None:
    memory.tell(Change(removed=tuple(memory.examples)))
    memory.settle()
    assert memory.ask("audio", vector(0, 9)) is None
    assert memory.dimension("audio") is None
    other = examples([NewExample("clap", "audio", np.ones(7, np.float32), "t")])
    memory.tell(Change(added=other))
    memory.settle()
    assert memory.dimension("audio") == 7


def test_what_another_process_changed_while_a_lock_came_is_learned_after_it(
    tmp_path: Path, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Project.open(tmp_path / "p.tms", create=True) as project:
        memory._project = project
        read = project.examples

        def slowly() -> list[Example]:
            found = read()
            project.add(taught(1, 1))
            memory._apply(Change(settings={"locked": True}, reload=True))
            return found

        memory._apply(Change(reload=True))
        monkeypatch.setattr(project, "examples", slowly)
        memory._learn()
        monkeypatch.setattr(project, "examples", read)
        before = asked(memory)
        memory.tell(Change(settings={"locked": False}))
        memory.settle()
        assert asked(memory) == before + 1
        memory._learn()
        memory.settle()
        assert set(memory.examples) == {"audio-0-000"}


@pytest.mark.parametrize("when", ["while it learns", "after it learned"])
def test_what_is_kept_during_a_lock_changes_no_answer_though_it_was_learning_when_it_came(
    memory: Memory, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    def meanwhile() -> None:
        memory.tell(Change(settings={"locked": True}))
        memory.tell(Change(added=more(2), removed=("audio-0-000",)))
        while memory._told:
            memory._apply(memory._told.popleft())

    learn = memory_module.refit

    def slowly(*given: Any) -> dict[str, Bank]:
        banks = learn(*given)
        if when == "while it learns":
            meanwhile()
        return banks

    monkeypatch.setattr(memory_module, "refit", slowly)
    memory._learn()
    if when == "after it learned":
        meanwhile()
    memory.settle()
    bank = memory.state.banks["audio"]
    assert bank.fit.tested, "what came before the lock is learned"
    assert "hum-0" not in bank
    assert "audio-0-000" in bank
    assert "audio-0-000" in memory.examples, "its receipts are still asked for"
    memory.tell(Change(settings={"locked": False}))
    memory.settle()
    for bank in (memory.state.banks["audio"], _learned(memory).state.banks["audio"]):
        assert "hum-0" in bank
        assert "audio-0-000" not in bank


def _learned(memory: Memory) -> Memory:
    memory._learn()
    memory.settle()
    return memory


def test_what_could_not_be_read_is_read_next_time(
    tmp_path: Path, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Project.open(tmp_path / "p.tms", create=True) as project:
        project.add(taught(1, 1))
        memory._project = project
        memory._apply(Change(reload=True))
        with monkeypatch.context() as patch:
            patch.setattr(project, "examples", lambda: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                memory._learn()
        assert set(_learned(memory).examples) == {"audio-0-000"}


def test_steady_learning_keeps_no_log() -> None:
    memory = Memory(3, None, steady=True)
    memory.open(list(examples(taught(2, 3))), [], locked=False)
    for one in more(5):
        memory.tell(Change(added=(one,)))
        memory.settle()
    assert memory._log == []
    assert len(memory.state.banks["audio"]) == 11


def test_a_full_disk_is_no_reason_to_learn_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreError("the disk is full")

    with Project.open(tmp_path / "p.tms", create=True) as project:
        project.add(taught(2, 3))
        monkeypatch.setattr(project, "put_cache", full)
        assert len(refit.refit(project.examples(), 3, project)["audio"]) == 6


def test_a_failure_does_not_end_the_learning(caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()

    def work() -> None:
        if not caplog.records:
            raise ZeroDivisionError
        done.set()

    refitter = refit.Refitter(work)
    with caplog.at_level(logging.ERROR):
        refitter.ask()
        assert refitter.wait(5)
        refitter.ask()
        assert done.wait(5)
    refitter.close()
    assert "answers from what it knew" in caplog.text
