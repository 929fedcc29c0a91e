"""P10: what was damaged is reported, never loaded; the newest good backup takes its place."""

from __future__ import annotations

import random
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from tmstream.core.errors import StoreError, TmstreamError
from tmstream.store import backups, exchange, integrity, rows, schema
from tmstream.store.database import Database
from tmstream.store.project import Change, Clip, NewExample, Project

New = Callable[..., NewExample]


def content(project: Project) -> object:
    """All that a project would answer from."""
    return (
        [
            (one.id, one.label, one.space, one.person, one.vector.tobytes())
            for one in project.examples()
        ],
        [project.clip(one.id) for one in project.examples()],
        project.settings(),
    )


def life(path: Path) -> object:
    rng = np.random.default_rng(7)
    with Project.open(path, create=True) as project:
        for number in range(40):
            vector = rng.normal(size=96).astype(np.float32)
            clip = Clip(rng.bytes(700), "audio/flac") if number % 4 == 0 else None
            label = ("clap", "snap", "wave")[number % 3]
            example = NewExample(
                label, "audio", vector, f"t{number}", person="Ada", clip=clip, id=f"e{number}"
            )
            project.add([example])
        project.set_settings({"strictness": 0.5, "active_labels": ["clap", "wave"]})
        project.delete(["e3", "e4"])
        project.rename_label("snap", "click")
        project.snapshot("evening")
        whole = content(project)
    forget_backups(path)
    return whole


def forget_backups(path: Path) -> None:
    """Remove what the background may have saved, for tests of a file that has no backup."""
    for backup in backups.kept(path):
        backup.unlink()


def look(path: Path) -> tuple[str, object]:
    """Check and read everything, as the engine would; ("error", line) when it is refused."""
    try:
        with closing(schema.connect(path, "immutable")) as db:
            integrity.check_all(db, path)
        with Project.open(path, read_only=True) as project:
            return "loaded", content(project)
    except StoreError as error:
        return "error", str(error)
    except sqlite3.DatabaseError as error:
        return "error", str(error)


def check_turned_bits(folder: Path, turns: int) -> None:
    """Turn bits of a project one by one: each is found, or changed nothing."""
    path = folder / "a.tms"
    before = life(path)
    good = path.read_bytes()
    rng = random.Random(5)
    noticed = 0
    for _ in range(turns):
        data = bytearray(good)
        position = rng.randrange(len(data))
        data[position] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
        answer, told = look(path)
        noticed += answer == "error"
        assert answer == "error" or told == before, f"bit at byte {position} loaded silently"
    assert noticed > turns / 5, "the rest fell on unused bytes"


def test_p10_a_turned_bit_never_loads_silently(tmp_path: Path) -> None:
    check_turned_bits(tmp_path, 250)


def test_p10_control_a_store_without_checksums_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def believing(check: Callable[..., None]) -> Callable[..., None]:
        """SQLite's own checks stay; what we wrote beside each row is not looked at."""
        return lambda db, path: db.execute("PRAGMA integrity_check(1)").fetchone() and None

    monkeypatch.setattr(integrity, "check_all", believing(integrity.check_all))
    monkeypatch.setattr(integrity, "check_living", believing(integrity.check_living))
    monkeypatch.setattr(rows, "check_vector", lambda data, crc: None)
    monkeypatch.setattr(rows, "row_crc", lambda *fields: Anything(schema.row_crc(*fields)))
    with pytest.raises(AssertionError, match="loaded silently"):
        check_turned_bits(tmp_path, 250)


class Anything(int):
    """A checksum that equals every other."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = int.__hash__


@pytest.mark.parametrize("tenths", range(10))
def test_p10_a_file_cut_short_never_loads_silently(tmp_path: Path, tenths: int) -> None:
    path = tmp_path / "a.tms"
    life(path)
    good = path.read_bytes()
    path.write_bytes(good[: len(good) * tenths // 10])
    with pytest.raises(StoreError):
        Project.open(path)


def test_a_turned_bit_in_a_vector_is_found_at_opening(project: Project, example: New) -> None:
    project.add([example()])
    project.close()
    forget_backups(project.path)
    data = bytearray(project.path.read_bytes())
    vector = example().vector.tobytes()
    data[data.index(vector) + 3] ^= 4
    project.path.write_bytes(data)
    with pytest.raises(StoreError, match=r"damaged.*no good backup.*tmstream import"):
        Project.open(project.path)


def test_another_kind_of_file_is_called_what_it_is(project: Project, tmp_path: Path) -> None:
    picture, pages = tmp_path / "me.png", tmp_path / "browser.sqlite"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(2000))
    with closing(sqlite3.connect(pages)) as db:
        db.execute("CREATE TABLE pages(url)")
    for path, what in (
        (picture, "is image/png, not a tmstream"),
        (pages, "not a tmstream project"),
    ):
        before = path.read_bytes()
        for look in (Project.open, lambda path: exchange.bring_in(path, project)):
            with pytest.raises(TmstreamError, match=f"{what}.*tmstream teach") as refused:
                look(path)
            assert "damaged" not in str(refused.value)
        assert path.read_bytes() == before


def test_a_project_by_another_name_whose_beginning_is_lost_comes_from_its_backup(
    tmp_path: Path, example: New
) -> None:
    path = tmp_path / "show.project"
    with_backup(path, example)
    data = bytearray(path.read_bytes())
    data[:100] = bytes(100)
    path.write_bytes(data)
    with Project.open(path) as project:
        assert {one.id for one in project.examples()} >= {"old"}
        assert any("backup" in notice for notice in project.notices)


def test_a_row_that_we_did_not_write_is_found_at_opening(project: Project, example: New) -> None:
    project.add([example()])
    project.close()
    forget_backups(project.path)
    with closing(schema.connect(project.path)) as db:
        db.execute("UPDATE example SET label = 'snap'")
    with pytest.raises(StoreError, match="is damaged"):
        Project.open(project.path)


@contextmanager
def no_backups_but_ours() -> Iterator[None]:
    """Open projects in here: what looks after them in the background backs them up at any moment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "_keep", lambda self: None)
        yield


def with_backup(path: Path, example: New) -> None:
    """Make a project of "old", "newer" and "lost" whose only backup knows but "old"."""
    with no_backups_but_ours(), Project.open(path, create=True) as project:
        project.add([example(id="old"), example("snap", id="hidden")])
        project.delete(["hidden"])
        with closing(schema.connect(path, "ro")) as db:
            assert backups.make(db, path)
        project.add([example("wave", id="newer")])
        project.add([example("lost", d=4, id="lost")])


def damage(path: Path, where: bytes) -> None:
    data = bytearray(path.read_bytes())
    data[data.rindex(where)] ^= 1
    path.write_bytes(data)


def test_p10_the_newest_good_backup_takes_its_place(tmp_path: Path, example: New) -> None:
    path = tmp_path / "a.tms"
    with_backup(path, example)
    damage(path, example("lost").vector.tobytes())
    with Project.open(path) as project:
        (notice,) = project.notices
        assert "damaged" in notice
        assert "backup of" in notice
        assert "1 newer examples" in notice
        assert [one.id for one in project.examples()] == ["old", "newer"]
        assert project.undo() == 'rescued 1 example of "wave"'
        project.add([example()])
    assert len(backups.set_aside(path)) == 1
    with Project.open(path) as again:
        assert again.notices == []


def test_a_program_that_has_it_open_sees_the_backup(
    tmp_path: Path, example: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tms"
    with_backup(path, example)
    # Else the first program's own check of the file may be the one that finds the damage.
    monkeypatch.setattr(Database, "_keep", lambda self: None)
    with Project.open(path) as engine:
        assert len(engine.examples()) == 3
        damage(path, example("lost").vector.tobytes())
        with Project.open(path) as teach:
            assert len(teach.notices) == 1
            assert [one.id for one in engine.examples()] == ["old", "newer"]
            engine.add([example(id="after")])
            assert [one.id for one in teach.examples()] == ["old", "newer", "after"]


def test_without_a_readable_header_too(tmp_path: Path, example: New) -> None:
    path = tmp_path / "a.tms"
    with_backup(path, example)
    path.write_bytes(b"")
    with Project.open(path, create=True) as project:
        assert not project.created
        assert [one.id for one in project.examples()] == ["old"]
        assert "empty" in project.notices[0]


def test_a_damaged_backup_is_passed_over(tmp_path: Path, example: New) -> None:
    path = tmp_path / "a.tms"
    with_backup(path, example)
    with closing(schema.connect(path, "ro")) as db:
        newest = backups.make(db, path, why="more")
    assert newest is not None
    damage(newest, example("wave").vector.tobytes())
    path.write_bytes(path.read_bytes()[:3000])
    with Project.open(path) as project:
        assert [one.id for one in project.examples()] == ["old"]


def test_damage_in_what_is_not_loaded_is_found_in_the_background(
    tmp_path: Path, example: New
) -> None:
    path = tmp_path / "a.tms"
    with no_backups_but_ours(), Project.open(path, create=True) as project:
        project.add([example(id="kept"), example("gone", id="gone")])
        project.delete(["gone"])
        with closing(schema.connect(path, "ro")) as db:
            backups.make(db, path)
    damage(path, example("gone").vector.tobytes())
    heard: list[Change] = []
    with Project.open(path) as project:
        project.subscribe(heard.append)
        deadline = time.monotonic() + 20
        while not project.notices and time.monotonic() < deadline:
            project.labels()
        assert "restored" in project.notices[0]
        project.add([example(id="after")])
        assert [one.id for one in project.examples()] == ["kept", "after"]
        project.undo()
        project.undo()
        assert [one.id for one in project.examples()] == ["kept", "gone"]


def test_background_damage_without_a_backup_refuses_changes(tmp_path: Path, example: New) -> None:
    path = tmp_path / "a.tms"
    with Project.open(path, create=True) as project:
        project.add([example(id="kept"), example("gone", id="gone")])
        project.delete(["gone"])
    forget_backups(path)
    damage(path, example("gone").vector.tobytes())
    with Project.open(path) as project:
        deadline = time.monotonic() + 20
        while not project.read_only and time.monotonic() < deadline:
            project.labels()
        assert [one.id for one in project.examples()] == ["kept"]
        with pytest.raises(StoreError, match="reading only"):
            project.add([example()])


def test_one_backup_a_day_three_deep(
    tmp_path: Path, example: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    with no_backups_but_ours():
        project = Project.open(tmp_path / "a.tms", create=True)

    def make() -> Path | None:
        with closing(schema.connect(project.path, "ro")) as db:
            return backups.make(db, project.path)

    days = iter(f"2026-11-{day}" for day in range(10, 30))
    day = next(days)
    monkeypatch.setattr(time, "strftime", lambda form: day)
    assert make() is None, "an empty project needs none"
    project.add([example()])
    first = make()
    assert make() is None, "nothing changed since"
    project.add([example()])
    assert make() == first, "today's is renewed"
    for _ in range(4):
        day = next(days)
        assert make() is None
        project.add([example()])
        assert make() != first
    assert [one.stem[7:] for one in backups.kept(project.path)] == [
        "2026-11-14",
        "2026-11-13",
        "2026-11-12",
    ]
    with Project.open(backups.kept(project.path)[1], read_only=True) as opened:
        assert len(opened.examples()) == 5
    project.close()


def test_whole_examples_of_a_damaged_file(tmp_path: Path, example: New) -> None:
    path = tmp_path / "a.tms"
    with_backup(path, example)
    damage(path, example("wave").vector.tobytes())
    assert [one.id for one in backups.whole_examples(path)] == ["old", "lost"]


def forge(path: Path, example: New, vector: np.ndarray) -> None:
    """Write a vector that `add` would refuse, with all checksums right."""
    with Project.open(path, create=True) as project:
        project.add([example(id="good"), example(id="forged")])
    forget_backups(path)
    with closing(schema.connect(path)) as db:
        data = vector.astype("<f4").tobytes()
        db.execute("UPDATE vector SET data = ? WHERE seq = 2", (data,))
        db.execute("UPDATE example SET vector_crc = ? WHERE seq = 2", (zlib.crc32(data),))
        db.execute(f"UPDATE example SET crc = row_crc({schema.ROW})")


@pytest.mark.parametrize("vector", [np.array([1, np.nan, 1, 1]), np.ones(5), np.ones(0)])
def test_vectors_that_no_door_would_take_are_refused_from_a_file(
    tmp_path: Path, example: New, vector: np.ndarray
) -> None:
    path = tmp_path / "a.tms"
    forge(path, example, vector)
    with pytest.raises(StoreError, match=r"finite|different lengths"):
        Project.open(path)


def test_a_forged_row_is_refused_whatever_its_types(tmp_path: Path, example: New) -> None:
    path = tmp_path / "a.tms"
    forge(path, example, np.ones(4))
    with closing(schema.connect(path)) as db:
        db.execute("UPDATE example SET groups = '[1]' WHERE seq = 2")
        db.execute(f"UPDATE example SET crc = row_crc({schema.ROW})")
    with pytest.raises(StoreError, match="groups"):
        Project.open(path)
    assert [one.id for one in backups.whole_examples(path)] == ["good"]


def test_an_example_that_lost_its_clip_is_found(project: Project, example: New) -> None:
    project.add([example(clip=Clip(b"x", "audio/flac"))])
    project.close()
    with closing(sqlite3.connect(project.path, isolation_level=None)) as db:
        db.execute("DELETE FROM clip")
    with (
        closing(schema.connect(project.path)) as db,
        pytest.raises(schema.Damaged, match="lost its partner"),
    ):
        integrity.check_all(db, project.path)
