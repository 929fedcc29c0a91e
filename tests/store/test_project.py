"""What a project keeps, and what it refuses."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tmstream.core.errors import InputError, StoreError
from tmstream.store import cache, database, journal, records, schema
from tmstream.store import project as project_module
from tmstream.store.patch import Patch
from tmstream.store.project import Change, Clip, NewExample, Project

New = Callable[..., NewExample]


def test_what_was_added_is_there_after_reopening(project: Project, example: New) -> None:
    vector = np.array([1.5, -2.0, 3e-9, 7.0], np.float32)
    (known,) = project.add(
        [
            NewExample(
                "cláp",
                "audio",
                vector,
                "take 1",
                person="Ada",
                groups={"room": "hall"},
                source="mic",
                t_us=5,
                end_us=9,
                phase="final",
                clip=Clip(b"fLaC...", "audio/flac"),
                negative=False,
            )
        ]
    )
    project.close()
    with Project.open(project.path) as again:
        (stored,) = again.examples()
        assert stored.id == known
        assert stored.vector.dtype == np.float32
        assert np.array_equal(stored.vector, vector)
        assert (stored.label, stored.space, stored.take) == ("cláp", "audio", "take 1")
        assert (stored.person, stored.groups, stored.source) == ("Ada", {"room": "hall"}, "mic")
        assert (stored.t_us, stored.end_us, stored.phase) == (5, 9, "final")
        assert stored.has_clip
        assert abs(stored.created_us - time.time_ns() // 1000) < 60_000_000
        assert again.clip(known) == Clip(b"fLaC...", "audio/flac")
        assert again.spaces() == {"audio": 4}
        assert not again.created


def test_labels_are_compared_after_nfc(project: Project, example: New) -> None:
    project.add([example("cafe\u0301"), example("caf\u00e9")])
    assert project.labels() == ["caf\u00e9"]
    assert len(project.examples(label="cafe\u0301")) == 2
    project.rename_label("cafe\u0301", "tea")
    assert project.labels() == ["tea"]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_a_vector_that_is_not_finite_is_refused(project: Project, bad: float) -> None:
    vector = np.array([0.0, bad, 0.0, 0.0], np.float64)
    with pytest.raises(InputError, match="NaN or infinity"):
        project.add([NewExample("clap", "audio", vector, "t")])  # type: ignore[arg-type]
    assert project.examples() == []


@pytest.mark.parametrize(
    "vector", [np.zeros((2, 2)), np.zeros(0), np.array(["a"]), np.zeros(3, complex), np.float32(1)]
)
def test_what_is_no_vector_is_refused(project: Project, vector: np.ndarray) -> None:
    with pytest.raises(InputError, match="one row of numbers"):
        project.add([NewExample("clap", "audio", vector, "t")])


def test_a_space_keeps_one_dimension(project: Project, example: New) -> None:
    project.add([example(d=4)])
    with pytest.raises(InputError, match="has 5 numbers, but the project's have 4"):
        project.add([example(), example(d=5)])
    with pytest.raises(InputError, match="numbers"):
        project.add([example(space="hand", d=2), example(space="hand", d=3)])
    project.add([example(space="hand", d=5)])
    assert project.spaces() == {"audio": 4, "hand": 5}
    assert len(project.examples()) == 2


def test_another_embedder_replaces_a_whole_space(project: Project, example: New) -> None:
    project.add([example("clap"), example("snap"), example("wave", space="hand")])
    project.replace("audio", [example("clap", d=7), example("snap", d=7)])
    assert project.spaces() == {"audio": 7, "hand": 4}
    project.undo()
    assert project.spaces() == {"audio": 4, "hand": 4}


@pytest.mark.parametrize("text", ["", "  ", "a\x00b", "a\nb", "x" * 501, "\ud800"])
def test_texts_that_cannot_be_kept_are_refused(project: Project, example: New, text: str) -> None:
    with pytest.raises(InputError):
        project.add([example(text)])
    with pytest.raises(InputError):
        project.add([example(take=text)])
    with pytest.raises(InputError):
        project.snapshot(text)


def test_the_same_id_twice_is_one_example(project: Project, example: New) -> None:
    assert project.add([example(id="one"), example(id="one")]) == ["one", "one"]
    assert project.add([example("other", id="one")]) == ["one"]
    assert [stored.label for stored in project.examples()] == ["clap"]
    project.delete(["one"])
    project.add([example(id="one")])
    assert project.examples() == [], "a late retry must not bring back what was deleted"


def test_unknown_names_are_refused(project: Project, example: New) -> None:
    project.add([example()])
    for attempt in (
        lambda: project.delete(["nobody"]),
        lambda: project.relabel(["nobody"], "a"),
        lambda: project.rename_label("nobody", "a"),
        lambda: project.delete_label("nobody"),
        lambda: project.restore("nobody"),
        lambda: project.add([example(id="../../etc/passwd")]),
        lambda: project.add([example(phase="late")]),
        lambda: project.add([example(clip=Clip(b"x", "text/html"))]),
        lambda: project.add(
            [example(clip=Clip(b"x" * (records.MAX_CLIP_BYTES + 1), "audio/flac"))]
        ),
        lambda: project.set_settings({"a": float("nan")}),
        lambda: project.set_settings({"a": object()}),
    ):
        with pytest.raises(InputError):
            attempt()
    assert len(project.examples()) == 1
    assert project.settings() == {}


def test_undo_and_redo_say_what_they_did(project: Project, example: New) -> None:
    project.add([example(), example("snap")])
    project.set_settings({"strictness": 0.5, "active_labels": ["clap", "snap"]})
    project.rename_label("clap", "snap")
    assert project.setting("active_labels") == ["snap"]
    assert project.undo() == 'merged "clap" into "snap"'
    assert project.setting("active_labels") == ["clap", "snap"]
    assert project.undo() == "set active_labels, strictness"
    assert project.setting("strictness", 0.1) == 0.1
    assert project.undo() == 'added 2 examples of "clap", "snap"'
    with pytest.raises(InputError, match="nothing to undo"):
        project.undo()
    assert project.redo() == 'added 2 examples of "clap", "snap"'
    project.add([example("new")])
    with pytest.raises(InputError, match="nothing to redo"):
        project.redo()


def test_undo_redo_and_restore_leave_the_lock_alone(project: Project, example: New) -> None:
    project.add([example()])
    project.snapshot("one")
    project.add([example("snap")])
    project.set_settings({"locked": True})
    project.set_settings({"locked": False})
    assert project.undo() == 'added 1 example of "snap"'
    assert project.setting("locked") is False
    project.set_settings({"locked": True})
    assert project.redo() == 'added 1 example of "snap"'  # a lock ends no future
    project.restore("one")
    assert project.setting("locked") is True
    assert project.labels() == ["clap"]


def test_a_lock_that_an_older_version_journalled_is_passed_over(
    project: Project, example: New
) -> None:
    def locked(value: bool) -> None:
        patch = Patch(settings={"locked": value})
        project._database.change(lambda db: (None, journal.record(db, "set", "set locked", patch)))

    project.snapshot("empty")
    project.add([example()])
    locked(True)
    locked(False)
    assert project.undo() == 'added 1 example of "clap"'
    assert project.setting("locked") is False
    project.redo()
    locked(True)
    project.restore("empty")
    assert project.setting("locked") is True


def test_settings_kept_with_examples_are_undone_with_them(project: Project, example: New) -> None:
    project.add([example()], settings={"space:audio": "model 1"})
    assert project.setting("space:audio") == "model 1"
    assert project.undo() == 'added 1 example of "clap"'
    assert project.settings() == {}
    project.redo()
    assert project.setting("space:audio") == "model 1"


def test_a_batch_is_undone_as_one(project: Project, example: New) -> None:
    project.add([example("before")])
    for _ in range(3):
        project.add([example("clap")], batch="session 1")
    project.add([example("snap")], batch="session 2")
    project.undo()
    assert project.labels() == ["before", "clap"]
    assert project.undo() == 'added 3 examples of "clap"'
    assert project.labels() == ["before"]
    assert project.redo() == 'added 3 examples of "clap"'
    assert len(project.examples(label="clap")) == 3
    project.redo()
    assert project.labels() == ["before", "clap", "snap"]


def test_a_batch_of_several_kinds_says_how_many_steps_it_was(
    project: Project, example: New
) -> None:
    project.set_settings({"pipeline": "sound"}, batch="one")
    project.add([example("clap"), example("snap")], batch="one")
    assert project.undo() == 'added 2 examples of "clap", "snap"'
    assert project.settings() == {}
    project.redo()
    project.set_settings({"pipeline": "mine"}, batch="one")
    assert project.undo() == "3 steps, the last: set pipeline"
    assert project.redo() == "3 steps, the last: set pipeline"


def test_a_step_that_changes_nothing_leaves_no_trace(project: Project, example: New) -> None:
    (known,) = project.add([example()])
    project.relabel([known], "clap")
    project.set_settings({"locked": None})
    project.add([])
    assert project.info()["journal_steps"] == 1


def test_a_snapshots_name_is_taken_once(project: Project) -> None:
    project.snapshot("evening")
    with pytest.raises(InputError, match="already"):
        project.snapshot("evening")
    assert [one.name for one in project.snapshots()] == ["evening"]


def test_subscribers_hear_before_the_call_returns(project: Project, example: New) -> None:
    heard: list[Change] = []
    project.subscribe(lambda change: heard.append(change))
    project.subscribe(lambda change: project.examples() and None)
    ids = project.add([example(), example()])
    project.relabel(ids[:1], "snap")
    project.delete(ids[1:])
    project.set_settings({"locked": True, "strictness": 1})
    project.undo()
    assert [one.id for one in heard[0].added] == ids
    assert heard[1].relabelled == {ids[0]: "snap"}
    assert heard[2].removed == (ids[1],)
    assert heard[3].settings == {"locked": True, "strictness": 1}
    assert heard[4].settings == {"strictness": None}


def test_a_subscriber_may_fail_but_not_write(
    project: Project, example: New, caplog: pytest.LogCaptureFixture
) -> None:
    project.subscribe(lambda change: project.delete_label("clap"))
    project.add([example()])
    assert "must not change it" in caplog.text
    assert project.labels() == ["clap"]


def test_recording_stops_before_the_disk_is_full(
    project: Project, example: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    (known,) = project.add([example()])
    monkeypatch.setattr(project_module, "MIN_FREE_BYTES", 2**62)
    with pytest.raises(StoreError, match=r"MB are free.*predicting goes on"):
        project.add([example()])
    project.relabel([known], "snap")
    assert project.labels() == ["snap"]


def test_a_huge_project_keeps_no_more_clips(
    project: Project, example: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project_module, "MAX_CLIPS_FILE_BYTES", 0)
    (known,) = project.add([example(clip=Clip(b"x", "audio/flac"))])
    assert project.clip(known) is None
    assert any("full of clips" in notice for notice in project.notices)


def test_examples_of_one_take_share_their_clip(project: Project, example: New) -> None:
    clip = Clip(b"x" * 50_000, "audio/flac")
    project.add([example(clip=clip) for _ in range(20)])
    assert project.info()["clips"] == 1


def test_the_cache_forgets_the_oldest(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_BYTES", 1000)
    for number in range(20):
        project.put_cache(f"head {number}", bytes([number]) * 100)
    project.put_cache("head 12", b"again" * 20)
    kept = [n for n in range(20) if project.cache(f"head {n}") is not None]
    assert kept == [10, 11, 12, 13, 14, 15, 16, 17, 18, 19]
    assert project.cache("head 12") == b"again" * 20
    assert project.info()["journal_steps"] == 0


def test_one_plain_file_soon_after_the_last_write(
    tmp_path: Path, example: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CHECKPOINT_AFTER_S", 0.0)
    monkeypatch.setattr(database, "POLL_S", 0.01)
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


def test_copied_while_open(project: Project, example: New, tmp_path: Path) -> None:
    ids = project.add([example() for _ in range(50)])
    project.copy_to(tmp_path / "copy.tms")
    project.add([example()])
    with pytest.raises(StoreError, match="exists already"):
        project.copy_to(tmp_path / "copy.tms")
    assert not (tmp_path / "copy.tms-wal").exists()
    with Project.open(tmp_path / "copy.tms") as copied:
        assert [stored.id for stored in copied.examples()] == ids
        assert copied.undo()


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


def test_the_package_imports_no_heavy_library() -> None:
    code = (
        "import sys, tmstream.store.project, tmstream.store.history, tmstream.store.exchange;"
        "print([m for m in ('cv2', 'soundfile', 'sklearn', 'librosa') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
