"""The journal: every change is an operation with its inverse, and a head pointer says where we are.

Operations form a tree (``parent``), so nothing that was undone is ever lost. A snapshot is a name
for an operation; restoring it walks the tree from here to there and is itself one operation.
All functions expect to run inside a transaction.
"""

from __future__ import annotations

import sqlite3
import time

import msgspec

from ..core.errors import InputError
from . import values
from .patch import Patch, apply, compose
from .records import Change
from .rows import numbers
from .schema import OP, Damaged, row_crc
from .words import taught

#: Settings that say how the show stands, not what was taught: no step of the journal, so no undo,
#: redo or restore touches them. (Older projects may hold steps that did.)
OF_THE_SHOW = frozenset({"locked"})


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


def read_op(db: sqlite3.Connection, number: int) -> Op:
    """Return one operation; `Damaged` when its checksum is wrong."""
    row = db.execute(f"SELECT {OP}, crc FROM op WHERE id = ?", (number,)).fetchone()  # noqa: S608
    if row is None or row_crc(*row[:-1]) != row[-1]:
        raise Damaged(f"step {number} of the project's journal is damaged")
    return Op(*row[:-1])


def _write_op(db: sqlite3.Connection, op: Op) -> None:
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


def _lasting(text: str) -> Patch:
    """Return the patch written in an operation, without settings that are `OF_THE_SHOW`."""
    patch = Patch.decode(text)
    settings = {key: one for key, one in patch.settings.items() if key not in OF_THE_SHOW}
    return msgspec.structs.replace(patch, settings=settings)


def record(
    db: sqlite3.Connection, verb: str, summary: str, patch: Patch, batch: str = ""
) -> Change:
    """Apply ``patch`` as a new operation after the head; one that changes nothing leaves none.

    Raises:
        InputError: what was done of ``batch`` so far was undone.
    """
    if batch:
        query = "SELECT max(id) FROM op WHERE batch = ?"
        check_stands(db, db.execute(query, (batch,)).fetchone()[0])
    forward, inverse, change = apply(db, patch)
    if not forward:
        return change
    (last,) = db.execute("SELECT max(id) FROM op").fetchone()
    op = Op(
        id=last + 1,
        parent=values.state(db, "head"),
        next=None,
        verb=verb,
        summary=summary,
        batch=batch,
        forward=forward.encode(),
        inverse=inverse.encode(),
        created_us=time.time_ns() // 1000,
    )
    _write_op(db, op)
    values.set_state(db, "head", op.id)
    return change


def check_stands(db: sqlite3.Connection, number: int | None) -> None:
    """Raise `InputError` when step ``number`` was undone since, or another state restored."""
    at = values.state(db, "head")
    while number is not None and at != number:
        op = read_op(db, at)
        if at < number or op.verb == "restore":
            raise InputError("it was undone meanwhile, so nothing more of it is kept")
        at = op.parent or 0


def undo(db: sqlite3.Connection, batch: str = "") -> tuple[str, Change]:
    """Take back the newest operation, with those of the same batch; returns what it had done.

    With ``batch``, only if it is of that one.
    """
    patches: list[Patch] = []
    done = op = read_op(db, values.state(db, "head"))
    if batch and op.batch != batch:
        raise InputError("another step came since")
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
    values.set_state(db, "head", op.id)
    return _described(db, done, patches, back=True), change


def redo(db: sqlite3.Connection) -> tuple[str, Change]:
    """Do again what was undone last, with its batch; returns what it did."""
    patches: list[Patch] = []
    done = op = read_op(db, values.state(db, "head"))
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
    values.set_state(db, "head", op.id)
    return _described(db, done, patches, back=False), change


def restore(db: sqlite3.Connection, target: int, summary: str) -> Change:
    """Return to the state after operation ``target``, as a new operation that can be undone."""
    up, down = _path(db, values.state(db, "head"), target)
    patches = [_lasting(op.inverse) for op in up] + [_lasting(op.forward) for op in down]
    return record(db, "restore", summary, compose(patches))


def _path(db: sqlite3.Connection, here: int, there: int) -> tuple[list[Op], list[Op]]:
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
