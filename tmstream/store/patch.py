"""A patch: new values for examples and settings, how it is applied, undone and written down.

All functions that take ``db`` expect to run inside a transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from . import values
from .records import Change
from .rows import numbers, read_examples
from .schema import ROW, Damaged


class Patch(msgspec.Struct, omit_defaults=True, eq=True):
    """New values for examples (by ``seq``) and settings. The same shape does and undoes."""

    show: list[int] = []
    hide: list[int] = []
    labels: dict[str, list[int]] = {}
    settings: dict[str, Any] = {}  #: None: not set

    def __bool__(self) -> bool:
        return bool(self.show or self.hide or self.labels or self.settings)

    @classmethod
    def decode(cls, text: str) -> Patch:
        """Return the patch written in an operation; `Damaged` when it is none."""
        try:
            return msgspec.json.decode(text, type=cls)
        except msgspec.DecodeError as error:
            raise Damaged(f"a step of the project's journal is damaged ({error})") from error

    def encode(self) -> str:
        """Return it as it is written in an operation."""
        return msgspec.json.encode(self, order="deterministic").decode()


def compose(patches: Sequence[Patch]) -> Patch:
    """Return the one patch that does what ``patches`` do one after the other."""
    alive: dict[int, bool] = {}
    labels: dict[int, str] = {}
    settings: dict[str, Any] = {}
    for patch in patches:
        alive.update(dict.fromkeys(patch.show, True))
        alive.update(dict.fromkeys(patch.hide, False))
        for label, rows in patch.labels.items():
            labels.update(dict.fromkeys(rows, label))
        settings.update(patch.settings)
    return Patch(
        show=[seq for seq, is_alive in alive.items() if is_alive],
        hide=[seq for seq, is_alive in alive.items() if not is_alive],
        labels=_by_label(labels.items()),
        settings=settings,
    )


def apply(db: sqlite3.Connection, patch: Patch) -> tuple[Patch, Patch, Change]:
    """Write ``patch``; returns the part that changed anything, its inverse, and the news."""
    forward, inverse = _difference(db, patch)
    ids = _ids(db, forward.hide)
    _set_alive(db, forward.hide, 0)
    for label, rows in forward.labels.items():
        _set_label(db, rows, label)
    _set_alive(db, forward.show, 1)
    for key, value in forward.settings.items():
        values.set_setting(db, key, value)
    if forward:
        values.set_state(db, "revision", values.state(db, "revision") + 1)
    shown = set(forward.show)
    change = Change(
        added=tuple(read_examples(db, seqs=forward.show)) if shown else (),
        removed=tuple(ids),
        relabelled={
            one: label
            for label, rows in forward.labels.items()
            for one in _ids(db, [seq for seq in rows if seq not in shown], alive=True)
        },
        settings=dict(forward.settings),
    )
    return forward, inverse, change


def _difference(db: sqlite3.Connection, patch: Patch) -> tuple[Patch, Patch]:
    """Return the part of ``patch`` that differs from the present, and the present in its place."""
    renamed = {seq: label for label, rows in patch.labels.items() for seq in rows}
    touched = sorted({*patch.show, *patch.hide, *renamed})
    query = "SELECT seq, alive, label FROM example WHERE seq IN (SELECT value FROM json_each(?))"
    now = {seq: (alive, label) for seq, alive, label in db.execute(query, (numbers(touched),))}
    show = [seq for seq in patch.show if seq in now and not now[seq][0]]
    hide = [seq for seq in patch.hide if seq in now and now[seq][0]]
    moved = {seq: to for seq, to in renamed.items() if seq in now and now[seq][1] != to}
    settings, before = {}, {}
    for key, value in patch.settings.items():
        present = values.setting(db, key)
        if present != value:
            settings[key], before[key] = value, present
    forward = Patch(show, hide, _by_label(moved.items()), settings)
    inverse = Patch(hide, show, _by_label((seq, now[seq][1]) for seq in moved), before)
    return forward, inverse


def _by_label(pairs: Iterable[tuple[int, str]]) -> dict[str, list[int]]:
    """Return the rows of each label."""
    grouped: dict[str, list[int]] = {}
    for seq, label in pairs:
        grouped.setdefault(label, []).append(seq)
    return grouped


def _set_alive(db: sqlite3.Connection, rows: list[int], alive: int) -> None:
    crc = ROW.replace("alive", str(alive))
    db.execute(
        f"UPDATE example SET alive = ?, crc = row_crc({crc}) "  # noqa: S608
        "WHERE seq IN (SELECT value FROM json_each(?))",
        (alive, numbers(rows)),
    )


def _set_label(db: sqlite3.Connection, rows: list[int], label: str) -> None:
    crc = ROW.replace("label", ":label")
    db.execute(
        f"UPDATE example SET label = :label, crc = row_crc({crc}) "  # noqa: S608
        "WHERE seq IN (SELECT value FROM json_each(:rows))",
        {"label": label, "rows": numbers(rows)},
    )


def _ids(db: sqlite3.Connection, rows: list[int], *, alive: bool = False) -> list[str]:
    query = "SELECT id FROM example WHERE seq IN (SELECT value FROM json_each(?)) AND alive >= ?"
    return [one for (one,) in db.execute(query, (numbers(rows), int(alive)))]
