"""A project as a file: carried about, read only, foreign, newer, and closed."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tmstream.core.errors import StoreError
from tmstream.store import backups, database, schema
from tmstream.store.project import NewExample, Project

New = Callable[..., NewExample]


@pytest.fixture
def soon_emptied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the log of a project emptied as soon as it can be."""
    monkeypatch.setattr(database, "CHECKPOINT_AFTER_S", 0.0)
    monkeypatch.setattr(database, "POLL_S", 0.01)


@pytest.mark.usefixtures("soon_emptied")
def test_one_plain_file_soon_after_the_last_write(tmp_path: Path, example: New) -> None:
    with Project.open(tmp_path / "a.tms", create=True) as opened:
        opened.add([example(id="one")])
        wal = tmp_path / "a.tms-wal"
        deadline = time.monotonic() + 10
        while wal.stat().st_size and time.monotonic() < deadline:
            opened.labels()
        assert wal.stat().st_size == 0
        (tmp_path / "copy.tms").write_bytes((tmp_path / "a.tms").read_bytes())
    assert sorted(file.name for file in tmp_path.glob("a.tms*")) == ["a.tms"]
    with Project.open(tmp_path / "copy.tms") as copied:
        assert [stored.id for stored in copied.examples()] == ["one"]


def test_copied_while_open(
    project: Project, example: New, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = project.add([example() for _ in range(50)])
    told: list[int] = []

    def step(done: int, total: int) -> None:
        told.append(total - done)
        if len(told) == 1:
            project.add([example()])  # would make the copy begin again

    monkeypatch.setattr(backups, "PAGES", 5)
    project.copy_to(tmp_path / "copy.tms", step)
    assert len(told) > 3
    assert told == sorted(told, reverse=True)
    assert told[-1] == 0
    with pytest.raises(StoreError, match="exists already"):
        project.copy_to(tmp_path / "copy.tms")
    assert not (tmp_path / "copy.tms-wal").exists()
    with Project.open(tmp_path / "copy.tms") as copied:
        assert [stored.id for stored in copied.examples()] == ids
        assert copied.undo()


def test_a_project_without_the_index_of_parents_is_given_it(project: Project, example: New) -> None:
    project.add([example(id="a"), example(id="b", augmented_from="a")])
    project.close()
    with closing(sqlite3.connect(project.path)) as db:
        db.execute("DROP INDEX example_parent")

    def indexes() -> list[str]:
        with closing(sqlite3.connect(project.path)) as db:
            return [row[0] for row in db.execute("SELECT name FROM sqlite_master ORDER BY name")]

    with Project.open(project.path, read_only=True) as reader:
        assert len(reader.examples()) == 2
    assert "example_parent" not in indexes()
    with Project.open(project.path) as opened:
        assert opened.info()["version"] == schema.VERSION
        query = "EXPLAIN QUERY PLAN SELECT 1 FROM example WHERE augmented_from IN (SELECT ?)"
        plan = opened._database.read(lambda db: str(db.execute(query, ("a",)).fetchall()))
        opened.delete(["a"])
        assert opened.examples() == []
    assert "example_parent" in plan
    assert "example_parent" in indexes()


def test_reading_only(project: Project, example: New) -> None:
    project.add([example()])
    with Project.open(project.path, read_only=True) as reader:
        assert reader.labels() == ["clap"]
        assert reader.read_only
        for attempt in (reader.undo, lambda: reader.add([example()])):
            with pytest.raises(StoreError, match="reading only"):
                attempt()
        reader.put_cache("a", b"b")


def test_a_folder_that_cannot_be_written_is_read_without_side_files(
    project: Project, example: New, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.add([example()])
    project.close()
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and real(path, mode))
    before = project.path.read_bytes()
    with Project.open(project.path) as reader:
        assert reader.read_only
        assert reader.labels() == ["clap"]
        assert not list(tmp_path.glob("show.tms-*"))
    assert project.path.read_bytes() == before
    with pytest.raises(StoreError, match="cannot be made: the folder"):
        Project.open(tmp_path / "new.tms", create=True)


def test_missing_and_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such project"):
        Project.open(tmp_path / "a.tms")
    with pytest.raises(StoreError, match="no folder"):
        Project.open(tmp_path / "no" / "a.tms", create=True)
    with pytest.raises(StoreError, match="not a file"):
        Project.open(tmp_path, create=True)
    picture = tmp_path / "b.tms"
    picture.write_bytes(b"\xff\xd8\xff" * 5000)
    other = tmp_path / "c.tms"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE example(a)")
    db.close()
    for foreign in (picture, other):
        before = foreign.read_bytes()
        with pytest.raises(StoreError):
            Project.open(foreign, create=True)
        assert foreign.read_bytes() == before


def test_a_project_with_a_trigger_is_refused(project: Project) -> None:
    project.close()
    with sqlite3.connect(project.path) as db:
        db.execute("CREATE TRIGGER t AFTER INSERT ON example BEGIN DELETE FROM example; END")
    db.close()
    with pytest.raises(StoreError, match="triggers"):
        Project.open(project.path)


def test_a_newer_project_opens_for_reading_only(project: Project, example: New) -> None:
    project.add([example()])
    project.close()
    with sqlite3.connect(project.path) as db:
        db.execute("ALTER TABLE example ADD COLUMN mood TEXT")
        db.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    db.close()
    with Project.open(project.path, create=True) as newer:
        assert newer.read_only
        assert newer.labels() == ["clap"]
        assert any("newer tmstream" in notice for notice in newer.notices)
        with pytest.raises(StoreError, match="reading only"):
            newer.add([example()])


def test_synced_folders_are_warned_about(tmp_path: Path) -> None:
    folder = tmp_path / "Dropbox"
    folder.mkdir()
    with Project.open(folder / "a.tms", create=True) as opened:
        assert any("synced folder" in notice for notice in opened.notices)


def test_every_commit_is_flushed_to_the_disk(project: Project) -> None:
    def pragmas(db: sqlite3.Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "trusted_schema", "secure_delete")
        return [db.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert project._database.run(pragmas) == ["wal", 2, 1, 0, 1]


def test_closed_projects_say_so(tmp_path: Path, example: New) -> None:
    opened = Project.open(tmp_path / "a.tms", create=True)
    opened.close()
    opened.close()
    with pytest.raises(StoreError, match="closed"):
        opened.add([example()])
    with pytest.raises(StoreError, match="closed"):
        opened.examples()


@pytest.mark.skipif(os.name != "posix", reason="Windows keeps open files where they are")
def test_nothing_is_taught_into_a_file_that_was_removed(project: Project, example: New) -> None:
    project.path.unlink()
    with pytest.raises(StoreError, match="no longer there"):
        project.add([example()])


@pytest.mark.usefixtures("soon_emptied")
def test_a_reader_elsewhere_only_delays_the_emptying_of_the_log(
    tmp_path: Path, example: New
) -> None:
    with Project.open(tmp_path / "a.tms", create=True) as opened:
        opened.add([example(id="one")])
        wal = tmp_path / "a.tms-wal"
        with closing(sqlite3.connect(opened.path, isolation_level=None)) as elsewhere:
            elsewhere.execute("BEGIN")
            elsewhere.execute("SELECT count(*) FROM example").fetchone()
            opened.add([example(id="two")])
            time.sleep(0.1)  # ten looks at it
            assert wal.stat().st_size
        deadline = time.monotonic() + 10
        while wal.stat().st_size and time.monotonic() < deadline:
            opened.labels()
        assert wal.stat().st_size == 0
