"""What people type by mistake: one line that says what is wrong, and the right status."""

from __future__ import annotations

import contextlib
import csv
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.lab.conftest import RATE_HZ, sound
from tmstream.store import backups
from tmstream.store.project import NewExample, Project

READERS = ("info", "lint", "evaluate", "undo", "redo", "snapshots", "tune", "reembed", "augment")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.tms").write_text("no database, but long enough to be looked at" * 50)
    (tmp_path / "empty.tms").touch()
    (tmp_path / "folder.tms").mkdir()
    (tmp_path / "nothing").mkdir()
    (tmp_path / "zero.wav").touch()
    return tmp_path


@pytest.fixture(scope="module")
def taught(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tmstream.cli import main

    path = tmp_path_factory.mktemp("taught") / "taught.tms"
    with pytest.raises(SystemExit):
        main(["teach", str(path), str(sounds), "--pipeline", "sound"])
    return path


@pytest.fixture
def known(taught: Path, folder: Path) -> Path:
    shutil.copy(taught, folder / "known.tms")
    return folder / "known.tms"


def one_error(err: str) -> str:
    (line,) = [one for one in err.splitlines() if one.startswith("error: ")]
    assert "unexpected" not in line
    return line


@pytest.mark.parametrize("command", READERS)
@pytest.mark.parametrize(
    ("project", "status", "why"),
    [
        ("gone.tms", 1, "no such project"),
        ("folder.tms", 2, "is a directory"),
        ("text.tms", 1, "damaged"),
        ("empty.tms", 1, "empty"),
    ],
)
def test_no_project(
    tmstream: Callable, folder: Path, command: str, project: str, status: int, why: str
) -> None:
    before = {one: one.stat().st_size for one in folder.iterdir()}
    ran = tmstream(command, project)
    assert ran.status == status
    assert why in one_error(ran.err)
    assert {one: one.stat().st_size for one in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("command", "labels", "takes", "why"),
    [
        ("evaluate", 0, 0, "nothing was taught yet; tmstream teach "),
        ("lint", 0, 0, "nothing was taught yet; tmstream teach "),
        ("tune", 0, 0, "nothing was taught yet; tmstream teach "),
        ("classify", 0, 0, "nothing was taught yet; tmstream teach "),
        ("evaluate", 1, 1, "clap is the only label: teach another"),
        ("lint", 1, 5, "clap is the only label: teach another"),
        ("tune", 1, 5, "clap is the only label: teach another"),
        ("evaluate", 2, 1, "teach every label at least twice"),
        ("lint", 2, 1, "hum has 1 take: teach 4 more"),
        ("tune", 2, 1, "teach every label at least twice"),
        ("info", 2, 1, "hum: 1 example in 1 take\n"),
    ],
)
def test_too_little_was_taught(
    tmstream: Callable, folder: Path, command: str, labels: int, takes: int, why: str
) -> None:
    with Project.open(folder / "few.tms", create=True) as project:
        project.add(
            [
                NewExample(label, "audio", np.eye(8, dtype=np.float32)[at], f"{label} {take}")
                for at, label in enumerate(["clap", "hum"][:labels])
                for take in range(takes)
            ]
        )
    ran = tmstream(command, "few.tms", *(["zero.wav"] if command == "classify" else []))
    assert why in ran.out + ran.err
    assert command == "info" or "tmstream teach " in ran.err
    if not labels:
        assert (ran.status, ran.out) == (1, "")
        assert one_error(ran.err)


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("a.wav,clap\nb.wav,hum\n", "no column 'file'"),
        ("", "no column 'file'"),
        ("file;label\na.wav;clap\n", "nothing could be taken"),
        ("file,label\n", "no sample with a label"),
        ("file,label\ngone.wav,clap\n", "nothing could be taken"),
        ("file,label,start,end\na.wav,clap,2,1\n", "nothing could be taken"),
        ("file,label\n\0\0,\xff", "error"),
    ],
)
def test_a_table_that_teaches_nothing(
    tmstream: Callable, folder: Path, table: str, why: str
) -> None:
    (folder / "table.csv").write_bytes(table.encode("latin-1"))
    ran = tmstream("teach", "new.tms", "table.csv")
    assert ran.status == 1
    assert why in one_error(ran.err)
    if "gone.wav" in table:
        assert "1 skipped: cannot decode: no such sound file" in ran.out
    if "2,1" in table:
        assert "table.csv:2 ends at 1 s before it starts at 2 s\n" in ran.err


@pytest.mark.parametrize("what", ["nothing", "loose"])
def test_a_folder_without_labels(tmstream: Callable, folder: Path, what: str) -> None:
    (folder / "loose").mkdir()
    soundfile.write(folder / "loose" / "a.wav", sound("clap", 1), RATE_HZ)
    ran = tmstream("teach", "new.tms", what)
    assert ran.status == 1
    assert "one folder a label" in one_error(ran.err)
    assert not (folder / "new.tms").exists()


def test_landmarks_that_are_not_numbers_are_skipped_and_said(
    tmstream: Callable, folder: Path
) -> None:
    rng = np.random.default_rng(1)
    with (folder / "points.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["label", *(f"p{i}_{axis}" for i in range(21) for axis in "xyz")])
        table.writerow(["fist", *["nan"] * 63])
        table.writerow(["fist", *[""] * 63])
        table.writerow(["fist", *rng.random(63)])
    ran = tmstream("teach", "new.tms", "points.csv")
    assert ran.status == 0, ran.err
    assert "1 taken" in ran.out
    assert "2 skipped: cannot decode: a coordinate is missing" in ran.out


def test_names_in_any_script(tmstream: Callable, folder: Path) -> None:
    place = folder / "my söunds 音"
    for label, kind in (("👏 clap", "clap"), ("cafe\u0301", "hum")):
        (place / label).mkdir(parents=True)
        for i in range(3):
            soundfile.write(place / label / f"{i} é.wav", sound(kind, i), RATE_HZ)
    assert tmstream("teach", place / "ä b.tms", place).status == 0
    with Project.open(place / "ä b.tms") as project:
        assert project.labels() == ["caf\xe9", "👏 clap"], "NFC"
    ran = tmstream("classify", place / "ä b.tms", place / "👏 clap" / "1 é.wav", "--json")
    assert json.loads(ran.out)["label"] == "👏 clap"
    assert tmstream("export", place / "ä b.tms", place / "out ö.zip").status == 0
    assert tmstream("import", place / "out ö.zip", place / "ç.tms").status == 0
    with Project.open(place / "ç.tms") as project:
        assert project.labels() == ["caf\xe9", "👏 clap"]


def test_what_cannot_be_classified_stops_nothing_else(
    tmstream: Callable, folder: Path, known: Path, sounds: Path
) -> None:
    from PIL import Image

    Image.fromarray(np.zeros((60, 80, 3), np.uint8)).save(folder / "picture.png")
    fine = sounds / "clap" / "0.wav"
    soundfile.write("hour.flac", np.zeros(8000 * 3600, np.int16), 8000)
    Path("voice.m4a").write_bytes(b"\0\0\0\x1cftypM4A ")
    odd = ["gone.wav", "zero.wav", "picture.png", "hour.flac", "voice.m4a"]
    ran = tmstream("classify", known, *odd, fine, "--json")
    assert ran.status == 1
    found = [json.loads(line) for line in ran.out.splitlines()]
    assert [one["rejected"] for one in found] == ["cannot_decode"] * 5 + [None]
    assert [one["note"] for one in found[:5]] == [
        "cannot decode: no such sound file", "cannot decode", "this pipeline takes no pictures",
        "cannot decode: 3600 s is over 600 s", "cannot decode: convert .m4a to WAV or MP3",
    ]  # fmt: skip
    assert found[5]["label"] == "clap"
    assert "5 of 6 samples could not be decoded" in one_error(ran.err)
    (folder / "more" / "clap").mkdir(parents=True)
    for one in ("picture.png", "voice.m4a", fine):
        shutil.copy(one, folder / "more" / "clap")
    mixed = tmstream("teach", "mixed.tms", "more", "--pipeline", "sound")
    assert (mixed.status, "clap: 1 taken" in mixed.out) == (0, True)
    assert "picture.png: this pipeline takes no pictures\n" in mixed.err
    assert "voice.m4a: cannot decode: convert .m4a to WAV or MP3\n" in mixed.err
    alone = tmstream("classify", known, "picture.png")
    assert alone.status == 1
    assert "embeds sounds, not pictures" in one_error(alone.err)
    nothing = tmstream("classify", known, "nothing")
    assert nothing.status == 1
    assert "nothing in it to classify" in one_error(nothing.err)


@pytest.mark.parametrize(
    ("arguments", "status", "why"),
    [
        (("run", "known.tms"), 2, "not UTF-8 text"),
        (("run", "nothing"), 2, "no such pipeline"),
        (("run", "sound", "--sketch", "gone"), 1, "no such folder"),
        (("run", "sound", "--project", "text.tms"), 1, "damaged"),
        (("run", "sound", "--project", "gone/x.tms"), 1, "no folder"),
        (("run", "sound", "--source", "mic=zero.wav", "--port", "0"), 1, "cannot be read as sound"),
        (("check", "known.tms"), 2, "not UTF-8 text"),
        (("export", "known.tms", "known.tms"), 1, "exists already"),
        (("export", "known.tms", "gone/x.zip"), 1, "cannot be written"),
        (("import", "zero.wav", "n.tms"), 1, "empty"),
        (("erase", "known.tms", "--label", "clap"), 1, "--yes"),
        (("restore", "known.tms", "gone"), 1, "no snapshot"),
        (("tune", "known.tms", "--room", "zero.wav"), 1, "cannot be decoded"),
        (("evaluate", "known.tms", "--group", "gone"), 1, "known columns"),
        (("replay", "nothing"), 1, "not a recording"),
        (("new", "."), 1, "not empty"),
        (("new", "text.tms/sketch"), 1, "choose a folder you may write in"),
    ],
)
def test_each_says_what_is_wrong(
    tmstream: Callable, known: Path, arguments: tuple[str, ...], status: int, why: str
) -> None:
    before = known.read_bytes()
    ran = tmstream(*arguments)
    assert ran.status == status, ran.err
    assert why in one_error(ran.err)
    assert known.read_bytes() == before


def test_a_run_says_that_its_project_came_from_a_backup(
    tmstream: Callable, known: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    soundfile.write(folder / "take.wav", sound("clap", 1), RATE_HZ)
    with contextlib.closing(sqlite3.connect(known)) as db:
        backups.make(db, known)
    known.write_bytes(b"damaged" * 1000)
    ran = tmstream("run", "sound", "--project", known, "--source", "mic=take.wav", "--port", "0")
    assert ran.status == 0, ran.err
    assert any(line.startswith("note: ") and "backup" in line for line in ran.err.splitlines())
    told = [one.message for one in caplog.records if one.levelname == "WARNING"]
    assert not any("is damaged" in one and "restored" in one for one in told), "said twice"
    assert "3 labels" in ran.out


def test_a_project_of_another_kind_is_told_at_the_start(folder: Path, tmstream: Callable) -> None:
    with Project.open(folder / "seen.tms", create=True) as project:
        project.add([NewExample("pear", "image", np.ones(3, np.float32), "a")])
        project.set_settings({"pipeline": "image"})
    soundfile.write(folder / "take.wav", sound("clap", 1), RATE_HZ)
    line = ("run", "sound", "--source", f"mic={folder / 'take.wav'}", "--project")
    ran = tmstream(*line, folder / "seen.tms")
    assert (
        "was taught image, which this pipeline does not look for; try: tmstream run image"
        in ran.err
    )
    assert "recognise nothing" not in tmstream(*line, folder / "new.tms").err
