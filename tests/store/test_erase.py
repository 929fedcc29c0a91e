"""Erased is erased: not in the file, its log, the journal, the backups, nor by undo."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing

import numpy as np
import pytest

from tmstream.core.errors import InputError, StoreError
from tmstream.store import backups, erase, schema
from tmstream.store.project import Change, Clip, NewExample, Project

New = Callable[..., NewExample]

NAME = "Wilhelmina Öst"


def bytes_near(project: Project) -> bytes:
    """Every byte beside the project and in the state folder."""
    files = [*project.path.parent.rglob("*")]
    return b"\0".join(file.read_bytes() for file in files if file.is_file())


def fill(project: Project, example: New) -> None:
    """A life with somebody in it, including deleted examples, renames, settings and backups."""
    noise = np.random.default_rng(0).bytes(9000)
    project.add([example("clap", person="Bo", take="bo 1", id="bo")])
    ids = project.add(
        [
            example("clap", person=NAME, take=f"{NAME} 1", clip=Clip(noise, "audio/flac"), id="w1"),
            example("snap", groups={"speaker": NAME}, id="w2", source=f"takes/{NAME}.wav"),
        ]
    )
    project.add([example("snap", augmented_from="w2", take="copy", id="w2copy")])
    project.snapshot(f"with {NAME}")
    project.delete(ids[:1])
    project.set_settings({f"seen:{NAME}": 1, "crew": {"names": [NAME, "Bo"], "lead": f"is {NAME}"}})
    project.set_settings({"crew": {"names": ["Bo"]}})
    project.rename_label("clap", "tap")
    project.put_cache("head", f"metric of {NAME}".encode())
    with closing(schema.connect(project.path, "ro")) as db:
        backups.make(db, project.path, why="one")
        backups.make(db, project.path, why="two")


def test_a_person_is_in_no_byte(project: Project, example: New) -> None:
    fill(project, example)
    assert NAME.encode() in bytes_near(project)
    heard: list[Change] = []
    project.subscribe(heard.append)
    counts = project.erase(person=NAME)
    assert counts["examples"] == 3
    assert counts["clips"] == 1
    assert counts["backups_cleaned"] >= 2
    assert counts["backups_deleted"] == counts["mentions_left"] == 0
    assert NAME.encode() not in bytes_near(project), "while still open"
    assert heard[-1].reload
    assert [one.id for one in project.examples()] == ["bo"]
    project.close()
    left = bytes_near(project)
    assert NAME.encode() not in left
    assert np.random.default_rng(0).bytes(9000)[4000:4032] not in left, "her voice"


def test_no_vector_and_no_clip_is_left_in_the_log_of_an_open_project(
    project: Project, example: New
) -> None:
    """The write-ahead log and the pages that were freed, not only the file once it is closed."""
    voice = np.random.default_rng(1).bytes(5000)
    vector = np.random.default_rng(2).normal(size=400).astype(np.float32)
    project.add([NewExample("hum", "audio", vector, "kept", id="kept", person="Bo")])
    for i in range(3):
        clip = Clip(voice, "audio/flac")
        new = NewExample(
            "clap", "audio", vector + i + 1, f"t{i}", id=f"w{i}", person=NAME, clip=clip
        )
        project.add([new])
        project.snapshot(f"s{i}")
    project.delete(["w0"])
    project.undo()
    hers = [(vector + i + 1).tobytes()[800:840] for i in range(3)] + [voice[2000:2040]]
    log = project.path.with_name(project.path.name + "-wal")
    assert any(one in log.read_bytes() for one in hers), "there was something to remove"
    project.erase(person=NAME)
    assert not any(one in bytes_near(project) for one in (*hers, NAME.encode()))
    assert vector.tobytes()[800:840] in bytes_near(project)


def test_the_journal_still_works_after_it(project: Project, example: New) -> None:
    fill(project, example)
    project.erase(person=NAME)
    project.close()
    with Project.open(project.path) as again:
        steps = 0
        while True:
            try:
                assert NAME not in again.undo()
            except InputError:
                break
            steps += 1
        assert again.examples() == []
        for _ in range(steps):
            again.redo()
        assert [(one.id, one.label) for one in again.examples()] == [("bo", "tap")]
        again.restore(again.snapshots()[0].name)
        assert [(one.id, one.label) for one in again.examples()] == [("bo", "clap")]
        (crew,) = [value for key, value in again.settings().items() if key == "crew"] or [None]
        assert crew is None or NAME not in str(crew)


def test_every_backup_is_whole_and_clean(project: Project, example: New) -> None:
    fill(project, example)
    project.erase(person=NAME)
    assert len(backups.kept(project.path)) >= 2
    for backup in backups.kept(project.path):
        with Project.open(backup, read_only=True) as opened:
            assert [one.id for one in opened.examples()] == ["bo"]


def test_a_damaged_backup_is_deleted(project: Project, example: New) -> None:
    fill(project, example)
    newest = backups.kept(project.path)[0]
    data = bytearray(newest.read_bytes())
    data[:4000] = b"?" * 4000
    newest.write_bytes(data)
    counts = project.erase(person=NAME)
    assert counts["backups_deleted"] == 1
    assert not newest.exists()
    assert NAME.encode() not in bytes_near(project)


def test_a_label_takes_its_deleted_examples_along(project: Project, example: New) -> None:
    project.add([example("sneeze", id="a"), example("clap", id="b")])
    project.set_settings(
        {"active_labels": ["clap", "sneeze"], "pipeline": "sneeze", "augment:sneeze": 1}
    )
    project.delete(["a"])
    project.erase(label="sneeze")
    with pytest.raises(InputError):
        project.relabel(["a"], "clap")
    assert project.settings() == {"active_labels": ["clap"], "pipeline": "sneeze"}


def test_everything_before_a_date(project: Project, example: New) -> None:
    project.add([example(id="old", created_us=1_000), example(id="new", created_us=2_000)])
    assert project.erase(before_us=2_000)["examples"] == 1
    assert [one.id for one in project.examples()] == ["new"]


def test_the_room_is_given_back(project: Project, example: New) -> None:
    noise = np.random.default_rng(0).bytes(900_000)
    project.add([example(person=NAME, clip=Clip(noise, "audio/flac"))])
    project.erase(person=NAME)
    assert project.path.stat().st_size < 200_000


def test_one_thing_at_a_time(project: Project) -> None:
    with pytest.raises(InputError, match="one thing"):
        project.erase(person="a", label="b")
    with pytest.raises(InputError, match="one thing"):
        project.erase()


def test_what_is_left_is_said(project: Project, example: New) -> None:
    project.add([example(person="Ada", id="a"), example(source="Ada/clap.wav", id="b")])
    assert project.erase(person="Ada")["mentions_left"] == 1


def test_a_short_name_does_not_eat_other_words(project: Project, example: New) -> None:
    project.set_settings({"space:audio": "a1b2", "theme": "dark and calm"})
    project.add([example(person="a", id="a")])
    project.erase(person="a")
    assert project.settings() == {"space:audio": "a1b2", "theme": "dark and calm"}


def test_a_reader_elsewhere_is_reported(project: Project, example: New) -> None:
    fill(project, example)
    with closing(sqlite3.connect(project.path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM example").fetchone()
        project._database.run(lambda db: db.execute("PRAGMA busy_timeout = 1"))
        with pytest.raises(StoreError, match="close it and erase again"):
            project.erase(person=NAME)
    project.erase(person=NAME)
    assert NAME.encode() not in bytes_near(project)


def test_a_backup_of_another_engine_meanwhile_is_clean_too(
    project: Project, example: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(project, example)
    scrub = erase.scrub

    def late(db: sqlite3.Connection, what: erase.Target) -> dict[str, int]:
        if what not in seen:
            backups.make(db, project.path, why="late")
            left_over.write_bytes(project.path.read_bytes())
            seen.append(what)
        return scrub(db, what)

    seen: list[erase.Target] = []
    left_over = backups.folder_of(project.path) / "000009-2026-01-01.tms.c0ffee.partial"
    monkeypatch.setattr(erase, "scrub", late)
    project.erase(person=NAME)
    assert NAME.encode() not in bytes_near(project)


def test_two_people_in_the_names_of_one_steps_snapshots(project: Project, example: New) -> None:
    project.add([example(person=NAME), example("snap", person="Bo")])
    project.snapshot(f"with {NAME}")
    project.snapshot("with Bo")
    assert project.erase(person=NAME)["snapshots"] == 1
    assert project.erase(person="Bo")["snapshots"] == 1
    assert len(project.snapshots()) == 2


def test_what_was_learned_of_erased_examples_is_not_kept(project: Project, example: New) -> None:
    """A head that was learning meanwhile comes with its fit after the erasure."""
    ids = project.add([example("sneeze"), example("clap")])
    project.put_cache("head", b"fit of both", of=ids)
    project.delete(ids[:1])
    project.put_cache("head", b"fit of both", of=ids)
    assert project.cache("head") is not None, "what is deleted can come back"
    project.erase(label="sneeze")
    project.put_cache("head", b"fit of both", of=ids)
    assert project.cache("head") is None
    project.put_cache("head", b"fit of one", of=ids[1:])
    assert project.cache("head") is not None


def test_the_background_reads_nothing_meanwhile(
    project: Project, example: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.add([example(person=NAME)])
    scrub, held = erase.scrub, list[bool]()

    def watched(db: sqlite3.Connection, what: erase.Target) -> dict[str, int]:
        held.append(project._database.caring.locked())
        return scrub(db, what)

    monkeypatch.setattr(erase, "scrub", watched)
    project.erase(person=NAME)
    assert held[0]


def test_what_was_augmented_from_what_was_augmented_goes_too(
    project: Project, example: New
) -> None:
    project.add([example(person=NAME, id="a"), example("clap", take="other", id="kept")])
    project.add([example(augmented_from="a", take="copy", id="b")])
    project.add([example(augmented_from="b", take="copy", id="c")])
    assert project.erase(person=NAME)["examples"] == 3
    assert [one.id for one in project.examples()] == ["kept"]


def test_a_damaged_file_that_was_set_aside_is_cleaned(project: Project, example: New) -> None:
    project.add([example(person=NAME)])
    aside = backups.folder_of(project.path) / "damaged-000001.tms"
    project.copy_to(project.path.with_name("copy.tms"))
    aside.parent.mkdir(parents=True, exist_ok=True)
    project.path.with_name("copy.tms").replace(aside)
    project.erase(person=NAME)
    assert NAME.encode() not in bytes_near(project)
