"""What the walks share: a clean slate, and a project that knows two sounds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from benchmarks.faults import PLUGS
from tests.walks import watch
from tests.walks.beside import Beside
from tests.walks.house import LISTENS, SEEN, registry
from tmstream.engine.spec import parse
from tmstream.lab.performer import teach_performer
from tmstream.store.project import Project

#: Walks that wait for clocks or disks and leave a core idle: what is done beside begins with them.
WAITING = (
    "test_full_disk", "test_lost_devices", "test_power_cut", "test_start", "test_vision_faults"
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Walk first where nobody waits, then where this process waits, then where others do."""

    def turn(item: pytest.Item) -> int:
        asked = getattr(item, "fixturenames", ())
        late = ("beside" in asked) + 2 * ("long_watch" in asked)
        return 1 + late if late else int(item.path.stem in WAITING)

    places = [i for i, one in enumerate(items) if one.path.parent == Path(__file__).parent]
    for place, item in zip(places, sorted((items[i] for i in places), key=turn), strict=True):
        items[place] = item


@pytest.fixture(scope="session")
def _queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    with contextlib.closing(Beside(tmp_path_factory.mktemp("beside"))) as queue:
        yield queue


@pytest.fixture
def beside(request: pytest.FixtureRequest, _queue: Beside) -> dict[str, Future[Any]]:
    """Return what the module of a test has done beside, by name."""
    return _queue.of(request.module)


@pytest.fixture(autouse=True)
def _begin_beside(request: pytest.FixtureRequest) -> None:
    if request.path.stem in WAITING or "beside" in request.fixturenames:
        for one in request.session.items:
            if "beside" in getattr(one, "fixturenames", ()):
                request.getfixturevalue("_queue").of(one.module)


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
