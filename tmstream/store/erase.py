"""Erasing for good: the one change that cannot be undone.

Rows are deleted, not hidden; the journal and the settings forget what was said about them; then the
file is rewritten, so that no page, side file or backup keeps a byte of them.
"""

from __future__ import annotations

import itertools
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from ..core.errors import InputError, StoreError
from . import backups, journal, rows, schema, values
from .patch import Patch
from .records import checked_text


class Target(msgspec.Struct, frozen=True):
    """What to erase: a person, a label, or everything taught before an instant (since 1970)."""

    person: str | None = None
    label: str | None = None
    before_us: int | None = None

    @property
    def name(self) -> str | None:
        """The name that must not be found any more; None for a date."""
        return self.person if self.person is not None else self.label


def target(*, person: str | None, label: str | None, before_us: int | None) -> Target:
    """Return a checked `Target`; `InputError` unless exactly one of them is given."""
    if sum(one is not None for one in (person, label, before_us)) != 1:
        raise InputError("erase one thing at a time: a person, a label, or all before a date")
    return Target(
        checked_text(person, "person") if person is not None else None,
        checked_text(label, "label") if label is not None else None,
        before_us,
    )


def erase(db: sqlite3.Connection, path: Path, what: Target) -> dict[str, int]:
    """Erase from the project itself, then from the backups; returns the counts.

    Raises:
        StoreError: another program is reading, so that old pages are still in the log.
    """
    with schema.explained(path):
        found = scrub(db, what)
    try:
        compact(db, path)
    finally:
        cleaned = _erase_backups(path, what)  # last: another engine may just have made one
    return found | cleaned


def _erase_backups(path: Path, what: Target) -> dict[str, int]:
    """Erase from backups and damaged files set aside; what cannot be cleaned is deleted."""
    cleaned = deleted = 0
    backups.sweep(path)
    for backup in (*backups.kept(path), *backups.set_aside(path)):
        try:
            with closing(schema.connect(backup)) as db:
                schema.version_of(db, backup)
                scrub(db, what)
                compact(db, backup)
                db.execute("PRAGMA journal_mode = DELETE")
            cleaned += 1
        except (StoreError, sqlite3.Error):
            deleted += 1
            for suffix in ("", "-wal", "-shm"):
                backup.with_name(backup.name + suffix).unlink(missing_ok=True)
    return {"backups_cleaned": cleaned, "backups_deleted": deleted}


def scrub(db: sqlite3.Connection, what: Target) -> dict[str, int]:
    """Delete the rows of ``what`` and every mention of it at once; returns the counts."""
    with schema.transaction(db):
        gone = _rows(db, what)
        marks = rows.numbers(gone)
        listed = "(SELECT value FROM json_each(?))"
        db.execute(f"DELETE FROM vector WHERE seq IN {listed}", (marks,))  # noqa: S608
        db.execute(f"DELETE FROM example WHERE seq IN {listed}", (marks,))  # noqa: S608
        clips = db.execute(
            "DELETE FROM clip WHERE seq NOT IN (SELECT clip FROM example WHERE clip IS NOT NULL)"
        ).rowcount
        db.execute("DELETE FROM cache")
        steps = _scrub_journal(db, gone, what)
        settings = _scrub_settings(db, what)
        snapshots = _scrub_snapshots(db, what.name)
        values.set_state(db, "revision", values.state(db, "revision") + 1)
    counts = {"examples": len(gone), "clips": clips, "journal_steps": steps}
    return counts | {"settings": settings, "snapshots": snapshots, "mentions_left": _left(db, what)}


def compact(db: sqlite3.Connection, path: Path) -> None:
    """Rewrite the file without its free pages, and empty the write-ahead log.

    Raises:
        StoreError: another program is reading, so that old pages are still in the log.
    """
    with schema.explained(path):
        db.execute("VACUUM")
        (busy, _, _) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise StoreError(
            f"{path}: erased, but another program is reading the project and keeps old pages; "
            "close it and erase again"
        )


def _rows(db: sqlite3.Connection, what: Target) -> set[int]:
    """Return the rows to delete, with everything that was augmented from them."""
    if what.person is not None:
        found = db.execute(
            "SELECT seq FROM example WHERE person = :who "
            "OR EXISTS (SELECT 1 FROM json_each(groups) WHERE value = :who)",
            {"who": what.person},
        )
    elif what.label is not None:
        found = db.execute("SELECT seq FROM example WHERE label = ?", (what.label,))
    else:
        found = db.execute("SELECT seq FROM example WHERE created_us < ?", (what.before_us,))
    return rows.made_from(db, (seq for (seq,) in found), hidden=True)


def _scrub_journal(db: sqlite3.Connection, gone: set[int], what: Target) -> int:
    changed = 0
    for (number,) in db.execute("SELECT id FROM op ORDER BY id").fetchall():
        op = journal.read_op(db, number)
        forward = _without(Patch.decode(op.forward), gone, what)
        inverse = _without(Patch.decode(op.inverse), gone, what)
        rewritten = msgspec.structs.replace(op, forward=forward.encode(), inverse=inverse.encode())
        named = _names(op.summary, what.name) or _names(op.batch, what.name)
        if named or (rewritten.forward, rewritten.inverse) != (op.forward, op.inverse):
            summary = f"{op.verb} (partly erased)"
            journal.rewrite_op(db, msgspec.structs.replace(rewritten, summary=summary, batch=""))
            changed += 1
    return changed


def _without(patch: Patch, gone: set[int], what: Target) -> Patch:
    """Return ``patch`` without the rows in ``gone`` and without any mention of ``what``."""
    labels = {
        label: kept
        for label, seqs in patch.labels.items()
        if not _says(label, what) and (kept := [seq for seq in seqs if seq not in gone])
    }
    settings = {
        key: _forgetting(value, what)
        for key, value in patch.settings.items()
        if not _is_about(key, what)
    }
    return Patch(
        show=[seq for seq in patch.show if seq not in gone],
        hide=[seq for seq in patch.hide if seq not in gone],
        labels=labels,
        settings=settings,
    )


def _scrub_settings(db: sqlite3.Connection, what: Target) -> int:
    changed = 0
    for (key,) in db.execute("SELECT key FROM setting").fetchall():
        value = values.setting(db, key)
        rest = None if _is_about(key, what) else _forgetting(value, what)
        if rest != value:
            values.set_setting(db, key, rest)
            changed += 1
    return changed


def _forgetting(value: Any, what: Target) -> Any:
    """Return a JSON value without the list items, fields and texts that say ``what``."""
    if isinstance(value, list):
        return [_forgetting(one, what) for one in value if not _says(one, what)]
    if isinstance(value, dict):
        return {key: _forgetting(one, what) for key, one in value.items() if not _says(key, what)}
    # A person's name is a person's name anywhere; a label may be a common word ("sound").
    return "" if what.person is not None and _says(value, what) else value


def _is_about(key: str, what: Target) -> bool:
    """Whether a setting as a whole concerns ``what``, such as ``augment:LABEL``."""
    return _names(key, what.person) or what.label in key.split(":")[1:]


def _says(value: Any, what: Target) -> bool:
    return isinstance(value, str) and (value == what.label or _names(value, what.person))


def _names(text: str, name: str | None) -> bool:
    """Whether ``name`` stands in ``text`` as a word of its own."""
    return name is not None and bool(re.search(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", text))


def _scrub_snapshots(db: sqlite3.Connection, name: str | None) -> int:
    """Give snapshots that say ``name`` another one."""
    changed = 0
    found = db.execute("SELECT name, op, created_us FROM snapshot").fetchall()
    taken = {old for old, _, _ in found}
    for old, op, created_us in found:
        if _names(old, name):
            names = (f"snapshot of step {op} ({i})" for i in itertools.count(1))
            row = (next(one for one in names if one not in taken), op, created_us)
            taken.add(row[0])
            db.execute("DELETE FROM snapshot WHERE name = ?", (old,))
            db.execute("INSERT INTO snapshot VALUES (?,?,?,?)", (*row, schema.row_crc(*row)))
            changed += 1
    return changed


def _left(db: sqlite3.Connection, what: Target) -> int:
    """Return how many other examples still say the name, in a file name or take for instance."""
    if what.name is None:
        return 0
    (count,) = db.execute(
        "SELECT count(*) FROM example WHERE instr(label || char(10) || take || char(10) || source "
        "|| char(10) || groups || char(10) || coalesce(person, ''), ?)",
        (what.name,),
    ).fetchone()
    return int(count)
