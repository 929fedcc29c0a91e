"""Backups go on after one that failed, and leave nothing behind."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tmstream.store import backups, database, schema
from tmstream.store.project import NewExample, Project

New = Callable[..., NewExample]


def test_a_backup_that_failed_once_is_made_the_next_time(
    tmp_path: Path, example: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, tried = backups.make, list[Path]()

    def full_at_first(db: sqlite3.Connection, path: Path, *, why: str = "") -> Path | None:
        tried.append(path)
        if len(tried) == 1:
            raise OSError("no space left")
        return make(db, path, why=why)

    monkeypatch.setattr(backups, "make", full_at_first)
    monkeypatch.setattr(database, "BACKUP_EVERY_S", 0.01)
    with Project.open(tmp_path / "show.tms", create=True) as project:
        project.add([example()])
        until = time.monotonic() + 10
        while not backups.kept(project.path) and time.monotonic() < until:
            time.sleep(0.01)
        assert backups.kept(project.path)
        assert any("no space left" in notice for notice in project.notices)


def test_what_a_killed_program_left_of_a_backup_is_removed_a_day_later(
    project: Project, example: New
) -> None:
    project.add([example()])
    folder = backups.folder_of(project.path)
    folder.mkdir(parents=True, exist_ok=True)
    old, new = (folder / f"000001-2026-01-01.tms.{name}.partial" for name in ("old", "new"))
    for partial in (old, new):
        partial.write_bytes(b"half a copy")
    os.utime(old, (time.time() - 2 * backups.ABANDONED_S,) * 2)
    with closing(schema.connect(project.path, "ro")) as db:
        backups.make(db, project.path, why="now")
    assert not old.exists()
    assert new.exists()
