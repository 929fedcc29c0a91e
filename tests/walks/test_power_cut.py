"""P2: an acknowledged example survives a power cut.

The project lies on an ext4 image. At a random instant the writer is stopped and the image copied, as
the disk would be found: what was only in the page cache is lost. The copy is mounted (its journal is
replayed) and read. This models neither a disk that lies about its cache nor torn sectors.
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tmstream.store.project import Project

CUTS = 6

WRITER = """
import sys
from pathlib import Path
import numpy as np
from tmstream.store import project as module
from tmstream.store.project import NewExample, Project

module.MIN_FREE_BYTES = 0
project = Project.open(Path(sys.argv[1]), create=True)
if sys.argv[2] == "careless":
    project._database.run(lambda db: db.execute("PRAGMA synchronous=OFF") and None)
for number in range(100_000):
    (kept,) = project.add([NewExample("clap", "audio", np.full(320, number, np.float32), "t", id=f"e{number}")])
    print(kept, flush=True)
"""


def done(*line: object) -> None:
    """Run a command that must succeed: a mount that silently failed would prove anything."""
    subprocess.run([str(one) for one in line], check=True, capture_output=True, timeout=60)


@contextmanager
def mounted(image: Path, at: Path) -> Iterator[Path]:
    at.mkdir(exist_ok=True)
    done("mount", "-o", "loop", image, at)
    try:
        yield at
    finally:
        done("umount", at)


def cut(folder: Path, care: str, seed: int) -> tuple[list[str], list[str] | None]:
    """Return what was acknowledged, and what is found after the cut (None: no project at all)."""
    image, copy = folder / "disk.img", folder / "copy.img"
    with image.open("wb") as file:
        file.truncate(48 * 2**20)
    done("mkfs.ext4", "-q", "-F", image)
    with mounted(image, folder / "disk") as disk:
        line = [sys.executable, "-c", WRITER, str(disk / "show.tms"), care]
        with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            first = writer.stdout.readline().strip()
            assert first, "the writer failed"
            time.sleep(random.Random(seed).uniform(0.2, 1.0))
            writer.send_signal(signal.SIGSTOP)
            shutil.copyfile(image, copy)
            writer.kill()
            acknowledged = [first, *writer.stdout.read().split()]
    with mounted(copy, folder / "after") as after:
        if not (after / "show.tms").exists():
            return acknowledged, None
        shutil.copytree(
            after, folder / f"found-{seed}", ignore=shutil.ignore_patterns("lost+found")
        )
    with Project.open(folder / f"found-{seed}" / "show.tms") as project:
        return acknowledged, [one.id for one in project.examples()]


@pytest.fixture
def _may_mount(tmp_path: Path) -> None:
    if not all(map(shutil.which, ("mount", "umount", "mkfs.ext4"))):
        pytest.skip("no mkfs.ext4 or mount on this machine")
    with (tmp_path / "try.img").open("wb") as file:
        file.truncate(8 * 2**20)
    done("mkfs.ext4", "-q", "-F", tmp_path / "try.img")
    (tmp_path / "try").mkdir()
    line = ["mount", "-o", "loop", str(tmp_path / "try.img"), str(tmp_path / "try")]
    if subprocess.run(line, capture_output=True, check=False).returncode:
        pytest.skip("an image can only be mounted by root, on a kernel with loop devices")
    done("umount", tmp_path / "try")


def check_cuts(folder: Path, care: str, cuts: int) -> None:
    """Cut the power again and again: all that was acknowledged is found."""
    acknowledged, lost = 0, 0
    for seed in range(cuts):
        said, found = cut(folder, care, seed)
        lost += len(set(said) - set(found or ()))
        acknowledged += len(said)
    assert acknowledged > 10 * cuts
    assert lost == 0, "acknowledged and lost"


@pytest.mark.usefixtures("_may_mount")
def test_p2_what_was_acknowledged_survives_a_power_cut(tmp_path: Path) -> None:
    check_cuts(tmp_path, "careful", CUTS)


@pytest.mark.usefixtures("_may_mount")
def test_p2_control_a_store_that_does_not_wait_for_the_disk_is_found_out(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="acknowledged and lost"):
        check_cuts(tmp_path, "careless", 2)


def check_waits_for_the_disk(project: Project) -> None:
    """What a power cut cannot show where nobody may mount: the writer asks for every flush."""
    asked = project._database.run(
        lambda db: [db.execute(f"PRAGMA {one}").fetchone()[0] for one in PRAGMAS]
    )
    assert dict(zip(PRAGMAS, asked, strict=True)) == PRAGMAS


PRAGMAS = {"journal_mode": "wal", "synchronous": 2}


def test_p2_the_writer_waits_for_the_disk(tmp_path: Path) -> None:
    with Project.open(tmp_path / "p.tms", create=True) as project:
        check_waits_for_the_disk(project)


@pytest.mark.parametrize("careless", ["OFF", "NORMAL"])
def test_p2_control_a_writer_that_does_not_is_found_out(tmp_path: Path, careless: str) -> None:
    with Project.open(tmp_path / "p.tms", create=True) as project:
        project._database.run(lambda db: db.execute(f"PRAGMA synchronous={careless}") and None)
        with pytest.raises(AssertionError):
            check_waits_for_the_disk(project)
