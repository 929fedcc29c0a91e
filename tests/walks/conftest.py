"""What the walks share: a clean slate, and a project that knows two sounds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from benchmarks.faults import PLUGS
from tests.walks import watch
from tests.walks.house import LISTENS, SEEN, registry
from tmstream.engine.spec import parse
from tmstream.lab.performer import teach_performer
from tmstream.store.project import Project


@pytest.fixture(autouse=True)
def _clean() -> None:
    SEEN.clear()
    PLUGS.clear()


@pytest.fixture(scope="session")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Return an open project that knows a clap and a whistle; nobody may change it."""
    path = tmp_path_factory.mktemp("taught") / "p.tms"
    with Project.open(path, create=True) as project:
        teach_performer(project, parse(LISTENS % "synthetic"), registry(), ["clap", "whistle"])
        yield project


@pytest.fixture(scope="session")
def long_watch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[watch.Watch]:
    """Begin to watch a whole engine for what leaves it; skip where nobody can."""
    if why := watch.missing():
        pytest.skip(why)
    with contextlib.closing(watch.engine(tmp_path_factory.mktemp("watch"))) as begun:
        yield begun


@pytest.fixture(scope="session", autouse=True)
def _begin_the_long_watch(request: pytest.FixtureRequest) -> None:
    """Begin it with the first walk: it waits for a clock, and the others may go on beside it."""
    wanted = any("long_watch" in getattr(one, "fixturenames", ()) for one in request.session.items)
    if wanted and not watch.missing():
        request.getfixturevalue("long_watch")
