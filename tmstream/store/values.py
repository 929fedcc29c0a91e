"""Values kept by name, each with a checksum: the settings (JSON) and the journal's own numbers."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from .schema import Damaged, row_crc


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


def setting(db: sqlite3.Connection, key: str) -> Any:
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


def settings(db: sqlite3.Connection) -> dict[str, Any]:
    """Return all settings."""
    keys = db.execute("SELECT key FROM setting ORDER BY key").fetchall()
    return {key: setting(db, key) for (key,) in keys}


def set_setting(db: sqlite3.Connection, key: str, value: Any) -> None:
    """Write a setting's value; None removes it."""
    if value is None:
        db.execute("DELETE FROM setting WHERE key = ?", (key,))
        return
    text = msgspec.json.encode(value).decode()
    db.execute("INSERT OR REPLACE INTO setting VALUES (?,?,?)", (key, text, row_crc(key, text)))
