"""Every older version opens, empty and full; a migration happens wholly or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tmstream.core.errors import StoreError
from tmstream.store import backups, changes, records, schema
from tmstream.store.project import Clip, NewExample, Project

New = Callable[..., NewExample]


def old_project(path: Path, version: int, examples: list[NewExample]) -> None:
    """A project as version ``version`` of the schema wrote it."""
    with closing(schema.connect(path, "rwc")) as db:
        with schema.transaction(db):
            for step in schema.MIGRATIONS[:version]:
                for statement in step:
                    db.execute(statement)
            db.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {version}")
        if examples:
            with schema.transaction(db):
                changes.add(db, [records.checked(one) for one in examples])
                changes.set_settings(db, {"strictness": 0.25})
                changes.snapshot(db, "before")


def tables(path: Path) -> set[str]:
    with closing(schema.connect(path, "ro")) as db:
        return {sql for (sql,) in db.execute("SELECT sql FROM sqlite_master") if sql}


@pytest.mark.parametrize("version", range(1, schema.VERSION))
@pytest.mark.parametrize("full", [False, True])
def test_an_older_version_is_brought_up(
    tmp_path: Path, example: New, version: int, full: bool
) -> None:
    path = tmp_path / "old.tms"
    examples = [example(f"label {n}", id=f"id{n}", clip=Clip(b"x", "audio/flac")) for n in range(9)]
    old_project(path, version, examples if full else [])
    with Project.open(path) as opened:
        assert opened.info()["version"] == schema.VERSION
        assert [one.id for one in opened.examples()] == [one.id for one in examples if full]
        opened.put_cache("head", b"state")
        assert opened.cache("head") == b"state"
        if full:
            assert opened.clip("id3") == Clip(b"x", "audio/flac")
            assert opened.setting("strictness") == 0.25
            opened.undo()
            opened.undo()
            opened.restore("before")
            assert len(opened.examples()) == 9
    with Project.open(tmp_path / "fresh.tms", create=True):
        pass
    assert tables(path) == tables(tmp_path / "fresh.tms")
    assert backups.kept(path)[-1].stem.startswith("000001-before-update")


def test_a_failed_migration_leaves_the_old_file(
    project: Project, example: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.add([example()])
    project.close()
    broken = (*schema.MIGRATIONS, ("CREATE TABLE halfway(a)", "INSERT INTO nowhere VALUES (1)"))
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", broken)
        patch.setattr(schema, "VERSION", len(broken))
        with (
            closing(schema.connect(project.path)) as db,
            pytest.raises((StoreError, sqlite3.Error)),
        ):
            schema.migrate(db, schema.VERSION - 1)
    assert not any("halfway" in sql for sql in tables(project.path))
    with Project.open(project.path) as again:
        assert again.labels() == ["clap"]
        assert not again.read_only


def test_an_older_version_that_cannot_be_written_is_migrated_in_memory(
    tmp_path: Path, example: New
) -> None:
    path = tmp_path / "old.tms"
    old_project(path, 1, [example()])
    before = path.read_bytes()
    with Project.open(path, read_only=True) as opened:
        assert opened.labels() == ["clap"]
        assert opened.cache("head") is None
    assert path.read_bytes() == before
