"""The journal: every change is an operation with its inverse, and a head pointer says where we are.

Operations form a tree (``parent``), so nothing that was undone is ever lost. A snapshot is a name
for an operation; restoring it walks the tree from here to there and is itself one operation.
All functions expect to run inside a transaction.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from ..core.errors import InputError
from .records import Change
from .rows import read_examples
from .schema import OP, ROW, Damaged, row_crc
from .words import taught

#: Settings that say how the show stands, not what was taught: no step of the journal, so no undo,
#: redo or restore touches them. (Older projects may hold steps that did.)
OF_THE_SHOW = frozenset({"locked"})


class Patch(msgspec.Struct, omit_defaults=True, eq=True):
    """New values for examples (by ``seq``) and settings. The same shape does and undoes."""

    show: list[int] = []
    hide: list[int] = []
    labels: dict[str, list[int]] = {}
    settings: dict[str, Any] = {}  #: None: not set

    def __bool__(self) -> bool:
        return bool(self.show or self.hide or self.labels or self.settings)


class Op(msgspec.Struct, frozen=True):
    """One row of the journal."""

    id: int
    parent: int | None
    next: int | None
    verb: str
    summary: str
    batch: str
    forward: str
    inverse: str
    created_us: int


def state(db: sqlite3.Connection, key: str) -> int:
    """Return the number kept under ``key`` ("head" or "revision")."""
    row = db.execute("SELECT value, crc FROM state WHERE key = ?", (key,)).fetchone()
    if row is None or row_crc(key, row[0]) != row[1]:
        raise Damaged(f"the project's {key} pointer is damaged")
    return int(row[0])


def set_state(db: sqlite3.Connection, key: str, value: int) -> None:
    """Keep a number under ``key``."""
    db.execute(
        "UPDATE state SET value = ?, crc = ? WHERE key = ?", (value, row_crc(key, value), key)
    )


def read_op(db: sqlite3.Connection, number: int) -> Op:
    """Return one operation; `Damaged` when its checksum is wrong."""
    row = db.execute(f"SELECT {OP}, crc FROM op WHERE id = ?", (number,)).fetchone()  # noqa: S608
    if row is None or row_crc(*row[:-1]) != row[-1]:
        raise Damaged(f"step {number} of the project's journal is damaged")
    return Op(*row[:-1])


def write_op(db: sqlite3.Connection, op: Op) -> None:
    """Write one operation, with its checksum."""
    fields = msgspec.structs.astuple(op)
    db.execute(
        f"INSERT INTO op({OP}, crc) VALUES (?,?,?,?,?,?,?,?,?,?)",  # noqa: S608
        (*fields, row_crc(*fields)),
    )


def rewrite_op(db: sqlite3.Connection, op: Op) -> None:
    """Write an operation anew in its place."""
    fields = msgspec.structs.astuple(op)
    db.execute(
        f"UPDATE op SET ({OP}, crc) = (?,?,?,?,?,?,?,?,?,?) WHERE id = ?",  # noqa: S608
        (*fields, row_crc(*fields), op.id),
    )


def decode(text: str) -> Patch:
    """Return the patch written in an operation."""
    try:
        return msgspec.json.decode(text, type=Patch)
    except msgspec.DecodeError as error:
        raise Damaged(f"a step of the project's journal is damaged ({error})") from error


def _lasting(text: str) -> Patch:
    """Return the patch written in an operation, without settings that are `OF_THE_SHOW`."""
    patch = decode(text)
    settings = {key: one for key, one in patch.settings.items() if key not in OF_THE_SHOW}
    return msgspec.structs.replace(patch, settings=settings)


def encode(patch: Patch) -> str:
    """Return ``patch`` as it is written in an operation."""
    return msgspec.json.encode(patch, order="deterministic").decode()


def record(
    db: sqlite3.Connection, verb: str, summary: str, patch: Patch, batch: str = ""
) -> Change:
    """Apply ``patch`` as a new operation after the head; one that changes nothing leaves none."""
    forward, inverse, change = apply(db, patch)
    if not forward:
        return change
    (last,) = db.execute("SELECT max(id) FROM op").fetchone()
    op = Op(
        id=last + 1,
        parent=state(db, "head"),
        next=None,
        verb=verb,
        summary=summary,
        batch=batch,
        forward=encode(forward),
        inverse=encode(inverse),
        created_us=time.time_ns() // 1000,
    )
    write_op(db, op)
    set_state(db, "head", op.id)
    return change


def undo(db: sqlite3.Connection) -> tuple[str, Change]:
    """Take back the newest operation, with those of the same batch; returns what it had done."""
    patches: list[Patch] = []
    done = op = read_op(db, state(db, "head"))
    # What was emptied by `erase` does nothing any more, and is passed over.
    while not patches or (op.batch and op.batch == done.batch) or not _lasting(op.inverse):
        if op.parent is None:
            if patches:
                break
            raise InputError("nothing to undo")
        if patch := _lasting(op.inverse):
            done = op if not patches else done
            patches.append(patch)
        parent = read_op(db, op.parent)
        # The child to redo is the one that was undone last.
        rewrite_op(db, msgspec.structs.replace(parent, next=op.id))
        op = read_op(db, parent.id)
    _, _, change = apply(db, compose(patches))
    set_state(db, "head", op.id)
    return _described(db, done, patches, back=True), change


def redo(db: sqlite3.Connection) -> tuple[str, Change]:
    """Do again what was undone last, with its batch; returns what it did."""
    patches: list[Patch] = []
    done = op = read_op(db, state(db, "head"))
    while op.next is not None:
        following = read_op(db, op.next)
        patch = _lasting(following.forward)
        if patches and patch and not (following.batch and following.batch == done.batch):
            break
        op = following
        if patch:
            done = op
            patches.append(patch)
    if not patches:
        raise InputError("nothing to redo")
    _, _, change = apply(db, compose(patches))
    set_state(db, "head", op.id)
    return _described(db, done, patches, back=False), change


def restore(db: sqlite3.Connection, target: int, summary: str) -> Change:
    """Return to the state after operation ``target``, as a new operation that can be undone."""
    up, down = path(db, state(db, "head"), target)
    patches = [_lasting(op.inverse) for op in up] + [_lasting(op.forward) for op in down]
    return record(db, "restore", summary, compose(patches))


def path(db: sqlite3.Connection, here: int, there: int) -> tuple[list[Op], list[Op]]:
    """Return the operations to undo, then those to do, on the way from ``here`` to ``there``."""
    up: list[Op] = []
    down: list[Op] = []
    while here != there:
        # A parent's number is always smaller than its child's, so the larger one has to climb.
        op = read_op(db, max(here, there))
        if op.parent is None:
            raise Damaged("the project's journal is damaged: its tree has no root")
        if here > there:
            up.append(op)
            here = op.parent
        else:
            down.append(op)
            there = op.parent
    return up, down[::-1]


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
        labels=by_label(labels.items()),
        settings=settings,
    )


def by_label(pairs: Iterable[tuple[int, str]]) -> dict[str, list[int]]:
    """Return the rows of each label."""
    grouped: dict[str, list[int]] = {}
    for seq, label in pairs:
        grouped.setdefault(label, []).append(seq)
    return grouped


def apply(db: sqlite3.Connection, patch: Patch) -> tuple[Patch, Patch, Change]:
    """Write ``patch``; returns the part that changed anything, its inverse, and the news."""
    forward, inverse = _difference(db, patch)
    ids = _ids(db, forward.hide)
    _set_alive(db, forward.hide, 0)
    for label, rows in forward.labels.items():
        _set_label(db, rows, label)
    _set_alive(db, forward.show, 1)
    for key, value in forward.settings.items():
        write_setting(db, key, value)
    if forward:
        set_state(db, "revision", state(db, "revision") + 1)
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
        present = read_setting(db, key)
        if present != value:
            settings[key], before[key] = value, present
    forward = Patch(show, hide, by_label(moved.items()), settings)
    inverse = Patch(hide, show, by_label((seq, now[seq][1]) for seq in moved), before)
    return forward, inverse


def read_setting(db: sqlite3.Connection, key: str) -> Any:
    """Return a setting's value, or None."""
    row = db.execute("SELECT value, crc FROM setting WHERE key = ?", (key,)).fetchone()
    if row is None:
        return None
    if row_crc(key, row[0]) != row[1]:
        raise Damaged(f"the project's setting {key!r} is damaged")
    try:
        return msgspec.json.decode(row[0])
    except msgspec.DecodeError as error:
        raise Damaged(f"the project's setting {key!r} is damaged") from error


def write_setting(db: sqlite3.Connection, key: str, value: Any) -> None:
    """Write a setting's value; None removes it."""
    if value is None:
        db.execute("DELETE FROM setting WHERE key = ?", (key,))
        return
    text = msgspec.json.encode(value).decode()
    db.execute("INSERT OR REPLACE INTO setting VALUES (?,?,?)", (key, text, row_crc(key, text)))


def _set_alive(db: sqlite3.Connection, rows: list[int], alive: int) -> None:
    crc = ROW.replace("alive", str(alive))
    db.execute(
        f"UPDATE example SET alive = ?, crc = row_crc({crc}) "  # noqa: S608
        "WHERE seq IN (SELECT value FROM json_each(?))",
        (alive, numbers(rows)),
    )


def _set_label(db: sqlite3.Connection, rows: list[int], label: str) -> None:
    crc = ROW.replace("label", "?1")
    db.execute(
        f"UPDATE example SET label = ?1, crc = row_crc({crc}) "  # noqa: S608
        "WHERE seq IN (SELECT value FROM json_each(?2))",
        (label, numbers(rows)),
    )


def _ids(db: sqlite3.Connection, rows: list[int], *, alive: bool = False) -> list[str]:
    query = "SELECT id FROM example WHERE seq IN (SELECT value FROM json_each(?)) AND alive >= ?"
    return [one for (one,) in db.execute(query, (numbers(rows), int(alive)))]


def numbers(rows: Iterable[int]) -> str:
    """Return row numbers as the JSON array that ``json_each`` takes apart."""
    return msgspec.json.encode(list(rows)).decode()


def _described(db: sqlite3.Connection, done: Op, patches: list[Patch], *, back: bool) -> str:
    """Return what ``patches`` had done, or did: the sum of what they taught, when that is all."""
    if len(patches) == 1:
        return done.summary
    come = [seq for patch in patches for seq in (patch.hide if back else patch.show)]
    other = any(patch.labels or (patch.show if back else patch.hide) for patch in patches)
    if other or not come or done.verb not in ("add", "import"):
        return f"{len(patches)} steps, the last: {done.summary}"
    query = "SELECT DISTINCT label FROM example WHERE seq IN (SELECT value FROM json_each(?))"
    return taught(done.verb, len(come), (label for (label,) in db.execute(query, (numbers(come),))))
