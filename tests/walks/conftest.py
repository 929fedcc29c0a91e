"""What the walks share: a clean slate, and a project that knows two sounds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.faults import PLUGS
from tests.walks.house import SEEN, registry
from tmstream.engine.spec import parse
from tmstream.lab.performer import teach_performer
from tmstream.store.project import Project

LISTENS = """
nodes:
  mic: {type: synthetic}
  s: {type: audio_embedding, from: mic}
  h: {type: knn, from: s}
  o: {type: console, from: h}
"""


@pytest.fixture(autouse=True)
def _clean() -> None:
    SEEN.clear()
    PLUGS.clear()


@pytest.fixture(scope="session")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Return an open project that knows a clap and a whistle; nobody may change it."""
    path = tmp_path_factory.mktemp("taught") / "p.tms"
    with Project.open(path, create=True) as project:
        teach_performer(project, parse(LISTENS), registry(), ["clap", "whistle"])
        yield project
