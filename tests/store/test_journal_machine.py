"""Any sequence of changes, undo, redo, snapshots, restores and restarts equals a plain model."""

from __future__ import annotations

import copy
import shutil
import tempfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tmstream.core.errors import InputError
from tmstream.store.project import Change, NewExample, Project

LABELS = st.sampled_from(["clap", "snap", "wave"])


class Model:
    """Labels by id, settings, and whole copies of them for going back."""

    def __init__(self) -> None:
        self.now: tuple[dict[str, str], dict[str, Any]] = ({}, {})
        self.past: list[tuple[Any, str]] = []
        self.future: list[tuple[Any, str]] = []
        self.snapshots: dict[str, Any] = {}
        self.show: dict[str, Any] = {}  # settings that no undo, redo or restore touches

    def step(self, batch: str = "") -> tuple[dict[str, str], dict[str, Any]]:
        """Remember the present, and return it for changing."""
        self.past.append((copy.deepcopy(self.now), batch))
        return self.now

    def settle(self) -> None:
        """A change that changed nothing is none; any other ends the future."""
        if self.past[-1][0] == self.now:
            self.past.pop()
        else:
            self.future.clear()


class Journal(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.model = Model()
        self.count = self.turns = 0
        self.open(create=True)

    def open(self, *, create: bool = False) -> None:
        self.project = Project.open(self.folder / "a.tms", create=create)
        self.mirror = {one.id: one.label for one in self.project.examples()}
        self.settings = self.project.settings()
        self.project.subscribe(self.follow)

    def follow(self, change: Change) -> None:
        """What somebody knows who only listens to the news."""
        assert not change.reload
        for one in change.removed:
            del self.mirror[one]
        for new in change.added:
            assert new.id not in self.mirror
            self.mirror[new.id] = new.label
        for one, label in change.relabelled.items():
            assert self.mirror[one] != label
            self.mirror[one] = label
        for key, value in change.settings.items():
            self.settings.pop(key, None)
            if value is not None:
                self.settings[key] = value

    @rule(label=LABELS, count=st.integers(1, 3), batch=st.sampled_from(["", "", "a", "b"]))
    def add(self, label: str, count: int, batch: str) -> None:
        vector = np.ones(2, np.float32)
        self.count += count
        names = [f"e{number:03}" for number in range(self.count - count, self.count)]
        examples = [NewExample(label, "s", vector, "t", id=name) for name in names]
        batch = batch and f"{batch}{self.turns}"  # one that was undone is not gone on with
        ids = self.project.add(examples, batch=batch)
        self.model.step(batch)[0].update(dict.fromkeys(ids, label))
        self.model.settle()

    @precondition(lambda self: self.model.now[0])
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        ids = data.draw(st.lists(st.sampled_from(sorted(self.model.now[0])), min_size=1))
        self.project.delete(ids)
        labels, _ = self.model.step()
        for one in set(ids):
            del labels[one]
        self.model.settle()

    @precondition(lambda self: self.model.now[0])
    @rule(data=st.data(), label=LABELS)
    def relabel(self, data: st.DataObject, label: str) -> None:
        ids = data.draw(st.lists(st.sampled_from(sorted(self.model.now[0])), min_size=1))
        self.project.relabel(ids, label)
        self.model.step()[0].update(dict.fromkeys(ids, label))
        self.model.settle()

    @rule(label=LABELS, to=LABELS)
    def rename(self, label: str, to: str) -> None:
        labels, values = self.model.now
        if label not in labels.values():
            try:
                self.project.rename_label(label, to)
            except InputError:
                return
            raise AssertionError("an unknown label was renamed")
        self.project.rename_label(label, to)
        self.model.step()
        labels.update({one: to for one, old in labels.items() if old == label})
        if label in values.get("active_labels", []):
            renamed = [to if one == label else one for one in values["active_labels"]]
            values["active_labels"] = list(dict.fromkeys(renamed))
        self.model.settle()

    @rule(label=LABELS)
    def delete_label(self, label: str) -> None:
        labels, values = self.model.now
        if label not in labels.values():
            return
        self.project.delete_label(label)
        self.model.step()
        for one in [one for one, old in labels.items() if old == label]:
            del labels[one]
        if label in values.get("active_labels", []):
            values["active_labels"] = [one for one in values["active_labels"] if one != label]
        self.model.settle()

    @rule(
        key=st.just("strictness"),
        value=st.sampled_from([None, 0, 1.5, "x", [1, None], {"a": {}}]),
    )
    def set(self, key: str, value: Any) -> None:
        self.change_setting(key, value)

    @rule(scene=st.lists(LABELS, unique=True))
    def choose_scene(self, scene: list[str]) -> None:
        self.change_setting("active_labels", scene)

    @rule(locked=st.sampled_from([None, False, True]))
    def lock(self, locked: bool | None) -> None:
        self.project.set_settings({"locked": locked})
        self.model.show = {} if locked is None else {"locked": locked}

    def change_setting(self, key: str, value: Any) -> None:
        self.project.set_settings({key: value})
        _, values = self.model.step()
        values.pop(key, None)
        if value is not None:
            values[key] = value
        self.model.settle()

    @rule()
    def undo(self) -> None:
        if not self.model.past:
            try:
                self.project.undo()
            except InputError:
                return
            raise AssertionError("there was nothing to undo")
        self.project.undo()
        self.turns += 1
        batch = self.model.past[-1][1]
        while True:
            before, name = self.model.past.pop()
            self.model.future.append((self.model.now, name))
            self.model.now = before
            if not batch or not self.model.past or self.model.past[-1][1] != batch:
                break

    @rule()
    def redo(self) -> None:
        if not self.model.future:
            try:
                self.project.redo()
            except InputError:
                return
            raise AssertionError("there was nothing to redo")
        self.project.redo()
        batch = self.model.future[-1][1]
        while True:
            after, name = self.model.future.pop()
            self.model.past.append((self.model.now, name))
            self.model.now = after
            if not batch or not self.model.future or self.model.future[-1][1] != batch:
                break

    @rule()
    def snapshot(self) -> None:
        self.count += 1
        self.project.snapshot(f"s{self.count}")
        self.model.snapshots[f"s{self.count}"] = copy.deepcopy(self.model.now)

    @precondition(lambda self: self.model.snapshots)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.model.snapshots)))
        self.project.restore(name)
        self.turns += 1
        self.model.step()
        self.model.now = copy.deepcopy(self.model.snapshots[name])
        self.model.settle()

    @rule()
    def restart(self) -> None:
        self.project.close()
        self.open()

    @invariant()
    def same(self) -> None:
        labels = {one.id: one.label for one in self.project.examples()}
        assert labels == self.model.now[0]
        assert self.project.settings() == self.model.now[1] | self.model.show
        assert self.mirror == labels
        assert self.settings == self.model.now[1] | self.model.show
        assert self.project.labels() == sorted(set(labels.values()))

    def teardown(self) -> None:
        self.project.close()
        shutil.rmtree(self.folder)


TestJournal = Journal.TestCase
TestJournal.settings = settings(
    max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
