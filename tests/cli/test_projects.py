"""The commands on a project, one after the other as somebody would use them."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.lab.conftest import RATE_HZ, sound
from tmstream.cli import _listen, main
from tmstream.store.project import Project


@pytest.fixture(scope="module")
def lesson(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project taught from three labels of four sounds; to be copied."""
    folder, said = tmp_path_factory.mktemp("lesson"), io.StringIO()
    line = ["teach", folder / "lab.tms", sounds, "--pipeline", "demo", "--person", "anna"]
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
        patch.setenv("TMSTREAM_STATE", str(folder / "state"))
        with pytest.raises(SystemExit) as ended:
            main([str(one) for one in line])
    assert not ended.value.code
    assert "clap: 4 taken" in said.getvalue()
    return folder / "lab.tms"


@pytest.fixture
def taught(lesson: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(lesson, tmp_path))


def counts(tmstream: Callable, project: Path) -> dict:
    return json.loads(tmstream("info", project, "--json").out)


def test_teach_classify_and_the_way_back(tmstream: Callable, taught: Path, sounds: Path) -> None:
    ran = tmstream("classify", taught, sounds / "hum" / "0.wav", sounds / "clap", "--json")
    answers = [json.loads(line) for line in ran.out.splitlines()]
    assert ran.status == 0
    assert [one["label"] for one in answers] == ["hum"] + ["clap"] * 4
    assert set(answers[0]) == {"file", "label", "confidence", "rejected", "results", "neighbours"}
    strange = taught.with_name("strange.wav")
    soundfile.write(strange, np.random.default_rng(0).uniform(-0.5, 0.5, RATE_HZ), RATE_HZ)
    assert "none (unlike anything taught, nearest " in tmstream("classify", taught, strange).out
    assert tmstream("teach", taught, sounds).out.count("taught before") == 3

    assert tmstream("snapshot", taught, "morning").status == 0
    assert tmstream("undo", taught).status == 0
    assert tmstream("info", taught).out.count("example yet")
    assert "there is nothing" in (again := tmstream("undo", taught)).err or again.status == 1
    assert "there are: morning" in tmstream("restore", taught, "evening").err
    assert tmstream("restore", taught, "morning").out.startswith("restored 'morning'")
    assert json.loads(tmstream("snapshots", taught, "--json").out)[0]["name"] == "morning"
    assert tmstream("undo", taught).status == 0
    assert tmstream("redo", taught).status == 0
    assert sorted(counts(tmstream, taught)["labels"]) == ["clap", "hum", "whistle"]


def test_export_and_import(tmstream: Callable, taught: Path, tmp_path: Path) -> None:
    archive, copy, other = tmp_path / "out.zip", tmp_path / "copy.tms", tmp_path / "other.tms"
    assert tmstream("export", taught, archive).status == 0
    assert any(name.endswith("labels.csv") for name in zipfile.ZipFile(archive).namelist())
    assert tmstream("export", taught, copy).status == 0
    assert tmstream("export", taught, copy).status == 1, "nothing is written over"
    assert tmstream("import", archive, other).status == 0
    again = tmstream("import", copy, other)
    assert ": 0 examples added" in again.out
    with Project.open(other) as one, Project.open(taught) as two:
        assert {e.id for e in one.examples()} == {e.id for e in two.examples()}


def test_erase_asks_and_is_for_good(tmstream: Callable, taught: Path) -> None:
    mistyped = tmstream("erase", taught, "--person", "Ana", "--yes")
    assert "nothing was taught by 'Ana'; there are: anna\n" in mistyped.err
    ran = tmstream("erase", taught, "--label", "hum", "--yes")
    assert ran.status == 0
    assert ran.out.startswith("erased: ")
    assert "_" not in ran.out
    assert "note:" not in ran.err
    assert "hum" not in counts(tmstream, taught)["labels"]
    assert b"whistle" in taught.read_bytes()
    tmstream("undo", taught)
    assert "hum" not in counts(tmstream, taught)["labels"]


def test_variants_are_switched_label_by_label(
    tmstream: Callable, taught: Path, sounds: Path, tmp_path: Path
) -> None:
    before = counts(tmstream, taught)["examples"]
    ran = tmstream("augment", taught, "--label", "clap")
    assert ran.status == 0, ran.err
    made = counts(tmstream, taught)["examples"] - before
    assert ran.out == f"clap: {made} variants of 4 clips\n"
    assert "making variants" in ran.err
    again = tmstream("augment", taught, "--label", "clap", "--label", "hum", "--json")
    told = json.loads(again.out)
    assert (told["clap"]["known"], told["clap"]["variants"], told["hum"]["clips"]) == (4, 0, 4)
    ran = tmstream("augment", taught, "--label", "clap", "--off")
    assert ran.out == f"clap: {made} variants deleted\n"
    assert counts(tmstream, taught)["examples"] == before + told["hum"]["variants"]
    tmstream("undo", taught)
    tmstream("undo", taught)
    tmstream("undo", taught)
    assert counts(tmstream, taught)["examples"] == before
    assert "no label 'clop'; did you mean 'clap'" in tmstream(
        "augment", taught, "--label", "clop"
    ).err  # fmt: skip

    room = sounds / "hum" / "0.wav"
    assert tmstream("augment", taught, "--off", "--room", room).status == 2
    assert tmstream("teach", taught, sounds, "--room", room).status == 2
    ran = tmstream("augment", taught, "--label", "clap", "--room", room)
    assert ran.out.endswith("variants of 4 clips\n"), ran.err
    again = tmstream("augment", taught, "--label", "clap", "--room", room)
    assert "4 had them before" in again.out
    assert "augment --off" in again.err

    new = tmp_path / "new.tms"
    shutil.copytree(sounds / "clap", tmp_path / "set" / "clap")
    told = json.loads(tmstream("teach", new, tmp_path / "set", "--augment", "--json").out)
    assert told["clap"]["variants"] == made, "as if it was switched on afterwards"
    assert tmstream("undo", new).status == 0
    assert not counts(tmstream, new)["examples"]


def test_judging(tmstream: Callable, taught: Path, tmp_path: Path) -> None:
    picture = tmp_path / "confusion.png"
    ran = tmstream("evaluate", taught, "--group", "take", "--picture", picture)
    assert ran.status == 0, ran.err
    assert "whistle" in ran.out
    assert picture.read_bytes().startswith(b"\x89PNG")
    report = json.loads(tmstream("evaluate", taught, "--json", "--group", "take").out)
    assert report["spaces"]["audio"]["accuracy"] > 0.9
    wrong = tmstream("evaluate", taught, "--group", "colour")
    assert wrong.status == 1
    assert "no example has 'colour'" in wrong.err
    assert "one person" in tmstream("lint", taught).out


def test_a_project_without_examples_says_what_to_do(tmstream: Callable, tmp_path: Path) -> None:
    empty = tmp_path / "empty.tms"
    Project.open(empty, create=True).close()
    sound = tmp_path / "x.wav"
    for arguments in (
        ["classify", empty, sound], ["evaluate", empty], ["tune", empty], ["reembed", empty],
        ["augment", empty],
    ):  # fmt: skip
        ran = tmstream(*arguments)
        assert ran.status == 1, arguments
        assert ran.err.count("\n") == 1
        assert ran.err.startswith("error: ")


def test_nothing_to_take_leaves_no_project_behind(tmstream: Callable, tmp_path: Path) -> None:
    project, folder = tmp_path / "first.tms", tmp_path / "sounds" / "clap"
    folder.mkdir(parents=True)
    (folder / "broken.wav").write_bytes(b"this is no sound")
    ran = tmstream("teach", project, folder.parent)
    assert ran.status == 1
    assert f"skipped: {folder / 'broken.wav'}: cannot decode\n" in ran.err
    assert ran.err.endswith("error: nothing could be taken\n")
    assert str(project) not in ran.out
    assert [one.name for one in tmp_path.iterdir()] == ["sounds"]
    Project.open(project, create=True).close()  # one that was there before stays
    assert tmstream("teach", project, folder.parent).status == 1
    assert project.exists()


def test_another_embedder_is_told_before_it_is_asked(
    tmstream: Callable, taught: Path, sounds: Path
) -> None:
    asked = (
        ["classify", taught, sounds / "hum" / "0.wav"],
        ["evaluate", taught, "--group", "take"],
    )
    for arguments in asked:
        assert "note:" not in tmstream(*arguments).err
    with Project.open(taught) as project:
        project.set_settings({"space:audio": "an older model"})
    for arguments in asked:
        for more in ([], ["--json"]):
            ran = tmstream(*arguments, *more)
            assert ran.status == 0
            assert ran.err.count("note:") == 1
            assert "'audio' were made by another embedder; run: tmstream reembed" in ran.err


@pytest.mark.parametrize("command", [["tune", "--seconds", "2"], ["teach", "--mic", "hum"]])
def test_nothing_is_left_of_what_a_command_heard(
    tmstream: Callable,
    taught: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
) -> None:
    heard = []

    async def listen(seconds: float, invitation: str) -> tuple[np.ndarray, int]:
        heard.append(invitation)
        return sound("hum", 77), RATE_HZ

    monkeypatch.setattr(_listen, "_listen", listen)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    ran = tmstream(command[0], taught, *command[1:])
    assert ran.status == 0, ran.err
    if command[0] == "tune":
        assert "1 -> 0" in ran.out
        assert re.search(
            r"hum: \d+ examples in 4 takes, \d+ of what it is not", tmstream("info", taught).out
        )
        assert "stays silent" in tmstream(command[0], taught, *command[1:]).out
        heard.pop()
    assert len(heard) == 1
    assert list((tmp_path / "temporary").iterdir()) == []


def test_teaching_silence_is_advised_against(
    tmstream: Callable, sounds: Path, tmp_path: Path
) -> None:
    shutil.copytree(sounds / "hum", tmp_path / "sounds" / "silence")
    ran = tmstream("teach", tmp_path / "a.tms", tmp_path / "sounds")
    assert ran.status == 0
    assert ran.err.count("advice: silence is taught as a sound") == 1
    assert "silence: silence is taught as a sound" in tmstream("lint", tmp_path / "a.tms").out


def test_a_live_engine_sees_what_a_command_does(tmstream: Callable, taught: Path) -> None:
    with Project.open(taught) as live:
        before = len(live.examples())
        assert tmstream("undo", taught).status == 0
        assert before
        assert live.examples() == []
