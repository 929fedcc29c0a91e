"""Is a project what was written? What will be loaded, at once; all of it, in the background."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import journal, rows, values
from .schema import OP, ROW, Damaged, explained, row_crc


def check_living(db: sqlite3.Connection, path: Path) -> None:
    """Read all that will be loaded: living examples, settings, the head of the journal.

    Raises:
        Damaged: some of it is not what was written.
    """
    with explained(path), one_moment(db):
        _check_living(db, path)


def check_all(db: sqlite3.Connection, path: Path) -> None:
    """Read every page and every row, hidden ones, clips and journal included.

    Raises:
        Damaged: something is not what was written.
    """
    with explained(path), one_moment(db):
        first = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if first != "ok":
            raise Damaged(f"{path}: the project file is damaged ({first})")
        if db.execute("PRAGMA foreign_key_check").fetchone():
            raise Damaged(f"{path}: the project file is damaged (a row has lost its partner)")
        for table, columns in (
            ("example", ROW),
            ("op", OP),
            ("snapshot", "name, op, created_us"),
            ("setting", "key, value"),
            ("state", "key, value"),
        ):
            for *fields, crc in db.execute(f"SELECT {columns}, crc FROM {table}"):  # noqa: S608
                if row_crc(*fields) != crc:
                    raise Damaged(f"{path}: the project file is damaged (a row of {table})")
        for digest, media_type, data in db.execute("SELECT sha256, media_type, data FROM clip"):
            if hashlib.sha256(media_type.encode() + b"\n" + data).digest() != digest:
                raise Damaged(f"{path}: the project file is damaged (a clip)")
        for crc, data in db.execute(
            "SELECT e.vector_crc, v.data FROM example e LEFT JOIN vector v USING (seq)"
        ):
            rows.check_vector(data, crc)
        _check_living(db, path)


@contextmanager
def one_moment(db: sqlite3.Connection) -> Iterator[None]:
    """Show ``db`` one moment of the file, whatever is written meanwhile."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _check_living(db: sqlite3.Connection, path: Path) -> None:
    read = 0
    sizes: dict[str, int] = {}
    for one in rows.read_examples(db):
        read += 1
        if sizes.setdefault(one.space, one.vector.size) != one.vector.size:
            raise Damaged(f"{path}: {one.space!r} holds vectors of different lengths")
    # Through the table, because a damaged index would leave examples out without a word.
    query = "SELECT count(*) FROM example NOT INDEXED WHERE alive = 1"
    if db.execute(query).fetchone()[0] != read:
        raise Damaged(f"{path}: the project file is damaged (an index)")
    for (key,) in db.execute("SELECT key FROM setting").fetchall():
        values.setting(db, key)
    values.state(db, "revision")
    journal.read_op(db, values.state(db, "head"))
