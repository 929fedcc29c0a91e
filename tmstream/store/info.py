"""What a project holds, counted."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from . import backups, rows, values


def counts(db: sqlite3.Connection, path: Path) -> dict[str, Any]:
    """Return how much of everything there is in the project at ``path``, as plain data."""

    def pairs(query: str) -> dict[str, int]:
        return dict(db.execute(query).fetchall())

    def one(query: str) -> int:
        return int(db.execute(query).fetchone()[0])

    return {
        "bytes": path.stat().st_size if path.exists() else 0,
        "version": one("PRAGMA user_version"),
        "examples": one("SELECT count(*) FROM example WHERE alive = 1"),
        "deleted_examples": one("SELECT count(*) FROM example WHERE alive = 0"),
        "labels": pairs(
            "SELECT label, count(*) FROM example WHERE alive = 1 GROUP BY label ORDER BY label"
        ),
        "spaces": {
            space: {"dimension": size, "examples": count}
            for (space, size), count in zip(
                rows.dimensions(db).items(),
                pairs(
                    "SELECT space, count(*) FROM example WHERE alive = 1 "
                    "GROUP BY space ORDER BY space"
                ).values(),
                strict=True,
            )
        },
        "people": one("SELECT count(DISTINCT person) FROM example WHERE alive = 1"),
        "takes": one("SELECT count(DISTINCT take) FROM example WHERE alive = 1"),
        "clips": one("SELECT count(*) FROM clip"),
        "clip_bytes": one("SELECT coalesce(sum(length(data)), 0) FROM clip"),
        "journal_steps": one("SELECT count(*) - 1 FROM op"),
        "snapshots": [
            name for (name,) in db.execute("SELECT name FROM snapshot ORDER BY op, name")
        ],
        "settings": values.settings(db),
        "backups": [str(backup) for backup in backups.kept(path)],
    }
