"""What can be computed again, kept by key; not journalled."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Collection

import msgspec

#: Beyond this the oldest is forgotten.
MAX_BYTES = 64 * 10**6


def read(db: sqlite3.Connection, key: str) -> bytes | None:
    """Return what `put` kept, or None; what is damaged counts as forgotten."""
    row = db.execute("SELECT data, crc FROM cache WHERE key = ?", (key,)).fetchone()
    return row[0] if row and zlib.crc32(row[0]) == row[1] else None


def put(db: sqlite3.Connection, key: str, data: bytes, of: Collection[str] = ()) -> None:
    """Keep ``data`` as the newest of all, unless one of the examples ``of`` it was erased since."""
    there = "SELECT count(*) FROM example WHERE id IN (SELECT value FROM json_each(?))"
    ids = msgspec.json.encode(list(of)).decode()
    if db.execute(there, (ids,)).fetchone()[0] < len(of):
        return
    db.execute("DELETE FROM cache WHERE key = ?", (key,))
    db.execute("INSERT INTO cache(key, data, crc) VALUES (?,?,?)", (key, data, zlib.crc32(data)))
    db.execute(
        "DELETE FROM cache WHERE seq IN (SELECT seq FROM (SELECT seq, sum(length(data)) "
        "OVER (ORDER BY seq DESC) AS total FROM cache) WHERE total > ?)",
        (MAX_BYTES,),
    )
