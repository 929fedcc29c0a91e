"""Ctrl-C in the middle of a long command: one line, status 130, and nothing half done."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.lab.conftest import sounds_folder
from tmstream.head import judge
from tmstream.lab import reembed, teach, tune, vary
from tmstream.store import exchange
from tmstream.store.project import NewExample, Project

TAKES = 4


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of sounds, and beside it a project taught from them; to be copied."""
    from tmstream.cli import main

    folder = tmp_path_factory.mktemp("lesson")
    sounds_folder(folder / "sounds", TAKES)
    line = ["teach", str(folder / "lab.tms"), str(folder / "sounds"), "--pipeline", "sound"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMSTREAM_STATE", str(folder / "state"))
        with pytest.raises(SystemExit):
            main(line)
    return folder


@pytest.fixture
def taught(lesson: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copy(lesson / "lab.tms", tmp_path))


@pytest.fixture
def ctrl_c(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, str, int], None]:
    """Return a function that has Ctrl-C come with the n-th call of ``owner.name``."""

    def press(owner: Any, name: str, call: int = 1) -> None:
        calls, real = itertools.count(1), getattr(owner, name)

        def pressed(*arguments: Any, **named: Any) -> Any:
            done = real(*arguments, **named)
            if next(calls) == call:
                raise KeyboardInterrupt
            return done

        monkeypatch.setattr(owner, name, pressed)

    return press


def content(project: Path) -> list[tuple[str, bytes, bool]]:
    with Project.open(project) as book:
        return [(one.id, one.vector.tobytes(), one.negative) for one in book.examples()]


def check_said(ran: Any, line: str) -> None:
    assert ran.status == 130
    assert ran.err.splitlines()[-1].startswith(line)
    assert ran.err.count("interrupted") == 1
    assert "Traceback" not in ran.err


def test_teaching_keeps_what_was_taught_and_goes_on_with_the_rest(
    tmstream: Callable, lesson: Path, ctrl_c: Callable, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.setattr(teach, "TOGETHER", 1)
    new = tmp_path / "new.tms"
    ctrl_c(teach, "_examples", 6)
    check_said(tmstream("teach", new, lesson / "sounds"), "interrupted: kept so far: ")
    with Project.open(new) as book:
        assert len({one.take for one in book.examples()}) == 5
    ran = tmstream("teach", new, lesson / "sounds", "--json")
    told = json.loads(ran.out)
    assert sum(one["known"] for one in told.values()) == 5
    assert sum(one["taken"] for one in told.values()) == 3 * TAKES - 5


@pytest.mark.parametrize("options", [[], ["--despite-lock"]])
def test_a_show_that_begins_ends_teaching(
    tmstream: Callable, lesson: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    options: list[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(teach, "TOGETHER", 1)
    new, real, calls = tmp_path / "new.tms", teach._examples, itertools.count(1)

    def found(*arguments: Any) -> Any:
        if next(calls) == 4:
            with Project.open(new) as engine:
                engine.set_settings({"locked": True})
        return real(*arguments)

    monkeypatch.setattr(teach, "_examples", found)
    ran = tmstream("teach", new, lesson / "sounds", *options)
    with Project.open(new) as book:
        takes, count = {one.take for one in book.examples()}, book.count()
    if options:
        assert (ran.status, len(takes)) == (0, 3 * TAKES)
        return
    assert (ran.status, len(takes)) == (1, 3)
    last = ran.err.splitlines()[-1]
    assert last.startswith(f"error: {new}: teaching was locked for the show")
    assert f"; kept so far: {count} examples; the same command goes on" in last


@pytest.mark.parametrize(
    ("command", "at", "line"),
    [
        ("reembed", (reembed, "_again"), "interrupted: what was done is kept"),
        ("evaluate", (judge, "evidence"), "interrupted"),
        ("lint", (judge, "evidence"), "interrupted"),
        ("tune", (tune, "score"), "interrupted: nothing was changed"),
        ("tune --room hum.wav", (Project, "add"), "interrupted: nothing was changed"),
        ("erase --label nobody --yes", (Project, "erase"), "interrupted: what was begun"),
        ("erase --label nobody --yes", (Project, "close"), "interrupted: what was begun"),
    ],
)
def test_nothing_is_half_done(
    tmstream: Callable, taught: Path, lesson: Path, ctrl_c: Callable, command: str,
    at: tuple[Any, str], line: str,
) -> None:  # fmt: skip
    shutil.copy(lesson / "sounds" / "hum" / "0.wav", "hum.wav")
    before = content(taught)
    ctrl_c(*at)
    name, *options = command.split()
    check_said(tmstream(name, taught, *options), line)
    assert content(taught) == before


def test_variants_are_made_of_whole_clips(
    tmstream: Callable, taught: Path, ctrl_c: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vary, "TOGETHER", 1)
    ctrl_c(vary, "check_makers", 7)  # the second of the second clip's five
    check_said(tmstream("augment", taught, "--label", "clap"), "interrupted: the variants made")
    with Project.open(taught) as book:
        parents = {one.id: one.take for one in book.examples() if one.augmented_from is None}
        varied = {parents[one.augmented_from] for one in book.examples() if one.augmented_from}
    assert len(varied) == 1


def test_of_an_export_nothing_is_left(tmstream: Callable, taught: Path, ctrl_c: Callable) -> None:
    ctrl_c(exchange, "_line", 2)
    check_said(tmstream("export", taught, "out.zip"), "interrupted: nothing was written")
    assert not list(taught.parent.glob("out*"))


@pytest.mark.parametrize(
    ("out", "at"), [("out.zip", (exchange, "export")), ("out.tms", (Project, "copy_to"))]
)
def test_an_export_that_was_whole_already_is_said_to_be(
    tmstream: Callable, taught: Path, ctrl_c: Callable, out: str, at: tuple[Any, str]
) -> None:
    ctrl_c(*at)
    check_said(tmstream("export", taught, out), f"interrupted: {out} was written")
    assert Path(out).stat().st_size


@pytest.mark.parametrize("into", ["new.tms", "lab.tms"])
@pytest.mark.parametrize("source", ["out.zip", "more.tms"])
def test_of_an_import_nothing_is_left(
    tmstream: Callable, taught: Path, ctrl_c: Callable, monkeypatch: pytest.MonkeyPatch,
    source: str, into: str,
) -> None:  # fmt: skip
    with Project.open(Path("more.tms"), create=True) as more:
        rng = np.random.default_rng(0)
        more.add([
            NewExample("new", "other", rng.normal(size=8).astype(np.float32), f"t{i}")
            for i in range(9)
        ])  # fmt: skip
        exchange.export(more, Path("out.zip"))
    before = content(taught)
    monkeypatch.setattr(exchange, "BATCH", 4)
    ctrl_c(Project, "bring_in", 2)
    check_said(tmstream("import", source, into), "interrupted: nothing was added")
    assert content(taught) == before
    assert not Path("new.tms").exists()
