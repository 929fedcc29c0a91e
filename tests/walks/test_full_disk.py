"""P3: on a full disk teaching stops with a clear error, and predicting goes on."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections import namedtuple
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from tests.walks.house import LISTENS, answers, house, registry, until
from tmstream.core.errors import StoreError
from tmstream.core.packet import Packet, Scores
from tmstream.core.services import Services
from tmstream.store import project as project_module
from tmstream.store.project import Clip, NewExample, Project

CLAPPING = "realtime: true\nproject: p.tms\n" + LISTENS % (
    "synthetic, sounds: [clap, whistle], every_s: 1.0"
)
DIARY = CLAPPING + "  d: {type: diary, from: h}\n"


@dataclass
class Diary:
    """Keeps all that is said in the project, and knows nothing of full disks."""

    takes: ClassVar[tuple[type, ...]] = (Scores,)
    _project: Any = field(default=None, init=False, repr=False)

    async def open(self, services: Services) -> None:
        self._project = services.get(Project)

    async def write(self, packet: Packet[Any]) -> None:
        self._project.add([page("said")])


def page(label: str) -> NewExample:
    return NewExample(
        label, "diary", np.ones(4, np.float32), "t", clip=Clip(os.urandom(9000), "image/jpeg")
    )


def check_goes_on(text: str, project: Project, fill: Callable[[], None]) -> None:
    """Fill the disk while somebody claps: no example is taken, every clap is still answered."""

    async def act() -> None:
        await until(lambda: len(answers()) > 1, 20)
        fill()
        with pytest.raises(StoreError, match=r"disk|free"):
            await asyncio.to_thread(add_for_ever)
        before = len(answers())
        await until(lambda: len(answers()) > before + 2, 5)

    def add_for_ever() -> None:
        while True:
            project.add([page("more")])
            kept.append(1)

    kept: list[int] = []
    known = project.count()
    try:
        house(text, project, during=act, nodes=registry(diary=Diary))
    except ExceptionGroup as error:
        if error.subgroup(StoreError):
            raise AssertionError("the house stopped") from error
        raise
    assert len(project.examples("diary")) == len(kept)
    assert project.count() == known + len(kept)


@pytest.fixture(params=["nearly full", "3 MB"])
def disk(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Path, Callable[[], None]]]:
    """A folder, and a function that leaves no room there."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if request.param == "nearly full":
        usage = namedtuple("usage", "total used free")

        def fill() -> None:
            monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 10**12, 10**6))

        yield folder, fill
        return
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a 3 MB tmpfs needs root")
    monkeypatch.setattr(project_module, "MIN_FREE_BYTES", 0)
    yield folder, lambda: None
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_p3_predicting_goes_on_when_the_disk_is_full(
    disk: tuple[Path, Callable[[], None]], taught: Project
) -> None:
    folder, fill = disk
    taught.copy_to(folder / "p.tms")
    with Project.open(folder / "p.tms") as project:
        check_goes_on(CLAPPING, project, fill)


@pytest.mark.parametrize("disk", ["nearly full"], indirect=True)
def test_p3_control_a_node_that_needs_the_disk_is_found_out(
    disk: tuple[Path, Callable[[], None]], taught: Project
) -> None:
    folder, fill = disk
    taught.copy_to(folder / "p.tms")
    with (
        Project.open(folder / "p.tms") as project,
        pytest.raises(AssertionError, match="the house stopped"),
    ):
        check_goes_on(DIARY, project, fill)
