"""A project that is locked for a show is not taught at the command line either, unless one insists."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.lab.conftest import RATE_HZ, sound
from tmstream.cli import _listen
from tmstream.store import exchange
from tmstream.store.project import NewExample, Project


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a locked project, with things beside it that could change it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "more" / "clap").mkdir(parents=True)
    soundfile.write(tmp_path / "more" / "clap" / "1.wav", sound("clap", 1), RATE_HZ)
    with Project.open(tmp_path / "show.tms", create=True) as project:
        project.snapshot("empty")
        project.add([NewExample("clap", "audio", np.ones(3, np.float32), "a")])
        project.set_settings({"pipeline": "sound"})
        project.undo()
        project.set_settings({"locked": True})
        exchange.export(project, tmp_path / "out.zip")
    return tmp_path / "show.tms"


def state(path: Path) -> tuple[object, ...]:
    with Project.open(path) as project:
        return [one.id for one in project.examples()], project.settings(), project.snapshots()


REFUSED = (
    "teach show.tms more", "teach show.tms --mic clap", "reembed show.tms", "augment show.tms",
    "augment show.tms --off", "tune show.tms", "tune show.tms --room more/clap/1.wav",
    "import out.zip show.tms", "undo show.tms", "redo show.tms", "restore show.tms empty",
)  # fmt: skip


@pytest.mark.parametrize("command", REFUSED)
def test_what_changes_what_is_taught_is_refused(
    tmstream: Callable, show: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_listen, "recorded", lambda *_: pytest.fail("asked for a sound in vain"))
    before = state(show)
    ran = tmstream(*command.split())
    assert ran.status == 1
    assert ran.err.splitlines() == [
        f"error: {show}: teaching is locked for the show; unlock it in the studio (tmstream open), "
        "or say --despite-lock"
    ]
    assert state(show) == before


@pytest.mark.parametrize("command", ["undo show.tms", "redo show.tms", "restore show.tms empty", "import out.zip show.tms"])  # fmt: skip
def test_who_insists_may(tmstream: Callable, show: Path, command: str) -> None:
    ran = tmstream(*command.split(), "--despite-lock")
    assert ran.status == 0, ran.err
    with Project.open(show) as project:
        assert project.setting("locked"), "it stays locked"


def test_who_insists_may_teach(tmstream: Callable, show: Path) -> None:
    with Project.open(show) as project:
        project.undo()
    ran = tmstream("teach", "show.tms", "more", "--pipeline", "sound", "--despite-lock")
    assert ran.status == 0, ran.err
    assert "clap: 1 taken" in ran.out


@pytest.mark.parametrize(
    "command", ["info show.tms", "snapshot show.tms now", "export show.tms o.zip", "lint show.tms",
                "erase show.tms --label clap --yes"],
)  # fmt: skip
def test_what_looks_or_must_be_possible_is_not(
    tmstream: Callable, show: Path, command: str
) -> None:
    assert tmstream(*command.split()).status == 0
