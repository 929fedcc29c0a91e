"""`tmstream teach` beside a running engine: both may write, and each hears of the other."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tmstream.store import database
from tmstream.store.project import Change, NewExample, Project

New = Callable[..., NewExample]

OTHER = """
import sys
from pathlib import Path
import numpy as np
from tmstream.store.project import NewExample, Project
with Project.open(Path(sys.argv[1])) as project:
    for number in range(int(sys.argv[2])):
        project.add([NewExample("theirs", "audio", np.ones(4, np.float32), "t")])
"""


def other(path: Path, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", OTHER, str(path), str(count)], text=True)


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "POLL_S", 0.01)


def test_a_change_by_another_process_is_heard(project: Project, example: New) -> None:
    project.add([example()])
    heard = threading.Event()
    changes: list[Change] = []

    def hear(change: Change) -> None:
        changes.append(change)
        heard.set()

    project.subscribe(hear)
    assert other(project.path, 1).wait(60) == 0
    assert heard.wait(20)
    assert changes[0].reload
    assert project.labels() == ["clap", "theirs"]
    assert project.undo() == 'added 1 example of "theirs"'


def test_both_write_at_once(project: Project, example: New) -> None:
    child = other(project.path, 60)
    mine = []
    while child.poll() is None or len(mine) < 60:
        mine += project.add([example()])
    assert child.returncode == 0
    assert len(project.examples(label="theirs")) == 60
    assert [one.id for one in project.examples(label="clap")] == mine
    assert project.info()["journal_steps"] == 60 + len(mine)


def test_a_cache_written_elsewhere_reloads_nobody(project: Project, example: New) -> None:
    changes: list[Change] = []
    heard = threading.Event()
    project.add([example()])
    project.subscribe(changes.append)
    with Project.open(project.path) as second:
        second.subscribe(lambda change: heard.set())
        second.put_cache("head", b"fit")
        project.put_cache("head", b"refit")
        assert changes == []
        project.add([example()])
        assert heard.wait(20)
    assert [change.reload for change in changes] == [False]


def test_a_change_by_another_process_is_heard_with_the_next_one_here(
    tmp_path: Path, example: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "POLL_S", 60.0)
    changes: list[Change] = []
    with Project.open(tmp_path / "p.tms", create=True) as project:
        project.subscribe(changes.append)
        assert other(project.path, 1).wait(60) == 0
        project.set_settings({"active_labels": ["theirs"]})
        project.add([example("mine")])
    assert [change.reload for change in changes] == [True, False]
    assert changes[0].settings == {"active_labels": ["theirs"]}
