"""Examples without a file: for a graph that runs without a project. Gone when it ends."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from ..core.errors import InputError
from ..store.changes import scene_after
from ..store.project import Change, Clip, Example, NewExample, SnapshotInfo
from ..store.records import checked, checked_text


class Scratch:
    """As much of `Project` as the head needs, in memory; nothing in it can be undone."""

    created = True
    read_only = False

    def __init__(self) -> None:
        self._examples: dict[str, Example] = {}
        self._settings: dict[str, Any] = {}
        self._subscribers: list[Callable[[Change], None]] = []
        self._lock = threading.Lock()

    def examples(self, space: str | None = None, label: str | None = None) -> list[Example]:
        """Return the examples."""
        return [
            one
            for one in list(self._examples.values())
            if space in (None, one.space) and label in (None, one.label)
        ]

    def labels(self) -> list[str]:
        """Return the labels, sorted."""
        return sorted({one.label for one in self._examples.values() if not one.negative})

    def setting(self, key: str, default: Any = None) -> Any:
        """Return the value of a setting."""
        return self._settings.get(key, default)

    def set_settings(self, settings: Mapping[str, Any]) -> None:
        """Set some settings."""
        self._settings.update(settings)
        self._tell(Change(settings=dict(settings)))

    def clip(self, example: str) -> Clip | None:
        """Return None: clips are kept with a project only."""
        return None

    def add(
        self, examples: Sequence[NewExample], *, settings: Mapping[str, Any] | None = None
    ) -> list[str]:
        """Keep examples; returns their ids. `InputError` for a vector that cannot be compared."""
        known = {one.space: len(one.vector) for one in self._examples.values()}
        added = []
        for new in map(checked, examples):
            if len(new.vector) != known.setdefault(new.space, len(new.vector)):
                raise InputError(
                    f"space {new.space!r} holds vectors of {known[new.space]} numbers, "
                    f"not {len(new.vector)}"
                )
            fields = {
                name: getattr(new, name) for name in Example.__struct_fields__ if hasattr(new, name)
            }
            added.append(Example(**fields | {"id": new.id or uuid.uuid4().hex, "has_clip": False}))
        with self._lock:
            self._examples.update((one.id, one) for one in added)
            self._settings.update(settings or {})
        self._tell(Change(added=tuple(added)))
        return [one.id for one in added]

    def delete(self, ids: Sequence[str]) -> None:
        """Forget examples."""
        with self._lock:
            self._must_have(ids)
            for gone in ids:
                self._examples.pop(gone, None)
        self._tell(Change(removed=tuple(ids)))

    def relabel(self, ids: Sequence[str], label: str) -> None:
        """Move examples to a label."""
        label = checked_text(label, "label")
        with self._lock:
            self._must_have(ids)
            for moved in ids:
                self._examples[moved] = msgspec.structs.replace(self._examples[moved], label=label)
        self._tell(Change(relabelled=dict.fromkeys(ids, label)))

    def rename_label(self, label: str, to: str) -> None:
        """Give a label another name."""
        self.relabel(self._of(label), to)
        self._follow(label, checked_text(to, "label"))

    def delete_label(self, label: str) -> None:
        """Forget a label."""
        self.delete(self._of(label))
        self._follow(label, None)

    def undo(self) -> str:
        """Refuse."""
        raise InputError("this pipeline has no project, so nothing can be undone; add `project:`")

    def redo(self) -> str:
        """Refuse."""
        return self.undo()

    def snapshot(self, name: str) -> None:
        """Refuse."""
        self.undo()

    def restore(self, name: str) -> None:
        """Refuse."""
        self.undo()

    def snapshots(self) -> list[SnapshotInfo]:
        """Return none."""
        return []

    def subscribe(self, callback: Callable[[Change], None]) -> Callable[[], None]:
        """Have ``callback`` told of every change; returns what ends that, once."""
        self._subscribers.append(callback)
        return partial(self._subscribers.remove, callback)

    def _follow(self, label: str, to: str | None) -> None:
        if scene := scene_after(self.setting("active_labels"), label, to):
            self.set_settings(scene)

    def _must_have(self, ids: Sequence[str]) -> None:
        for one in ids:
            if one not in self._examples:
                raise InputError(f"there is no example {one!r}")

    def _of(self, label: str) -> list[str]:
        ids = [one.id for one in self._examples.values() if one.label == label]
        if not ids:
            raise InputError(f"there is no label {label!r}")
        return ids

    def _tell(self, change: Change) -> None:
        for callback in tuple(self._subscribers):
            callback(change)
