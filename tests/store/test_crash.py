"""P1 and P3: killed at any instant, or with a full disk, nothing acknowledged is lost."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tmstream.core.errors import StoreError
from tmstream.store import project as project_module
from tmstream.store.project import Clip, NewExample, Project

#: Forks a recorder that writes each id to a pipe once `add` returned, kills it at a random time,
#: and opens what it left. One process for all rounds, because importing takes longer than a round.
KILLER = r"""
import json, os, random, select, signal, sys, time
from contextlib import closing
from pathlib import Path
import numpy as np
from tmstream.store import integrity, schema
from tmstream.store.project import Clip, NewExample, Project

path, rounds, random_ = Path(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))
if sys.argv[4] == "hasty":
    # A store that acknowledges as soon as it has been asked, and writes when it finds the time.
    from concurrent.futures import ThreadPoolExecutor
    add, later = Project.add, []
    def hasty(self, examples):
        if not later:
            later.append(ThreadPoolExecutor(1))
        later[0].submit(add, self, examples)
        return [one.id for one in examples]
    Project.add = hasty
acknowledged, lost, unacknowledged = [], [], 0
for round_ in range(rounds):
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(out)
        project = Project.open(path, create=True)
        for number in range(10**6):
            name = f"{round_}-{number}"
            vector = np.full(1280, number, np.float32)
            clip = Clip(os.urandom(8000), "audio/flac")
            project.add([NewExample("clap", "audio", vector, name, id=name, clip=clip)])
            if number % 7 == 3:
                project.rename_label("clap", "snap")
            os.write(into, name.encode() + b"\n")
    os.close(into)
    select.select([out], [], [], 30)
    time.sleep(random_.uniform(0, 0.06))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(out, "rb") as pipe:
        acknowledged += pipe.read().decode().split()
    with closing(schema.connect(path)) as db:
        integrity.check_all(db, path)
with Project.open(path) as project:
    stored = {one.id: one for one in project.examples()}
    notices = project.notices
    whole = all(project.clip(one) is not None for one in acknowledged if one in stored)
print(json.dumps({
    "acknowledged": len(acknowledged), "lost": [one for one in acknowledged if one not in stored],
    "stored": len(stored), "whole": whole, "notices": notices,
}))
"""

#: Adds until the files may not grow any more (as on a full disk), then lets them grow again.
FULL = r"""
import json, resource, signal, sys
from pathlib import Path
import numpy as np
from tmstream.core.errors import StoreError
from tmstream.store.project import Clip, NewExample, Project

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path, limit = Path(sys.argv[1]), int(sys.argv[2])
if sys.argv[3] == "hopeful":
    add = Project.add
    def hopeful(self, examples):
        try:
            return add(self, examples)
        except StoreError:
            if not errors:
                errors.append("none was told")
                return [one.id for one in examples]  # "it will go well"
            raise
    Project.add = hopeful
acknowledged, errors = [], []
project = Project.open(path, create=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
for number in range(400):
    try:
        vector = np.full(320, number, np.float32)
        acknowledged += project.add([NewExample("clap", "audio", vector, "t", id=f"e{number}")])
    except StoreError as error:
        errors.append(str(error))
        if len(errors) == 3:
            break
readable = [one.id for one in project.examples()]
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
acknowledged += project.add([NewExample("clap", "audio", np.ones(320, np.float32), "t", id="after")])
project.close()
with Project.open(path) as again:
    stored = [one.id for one in again.examples()]
    notices = again.notices
print(json.dumps({"acknowledged": acknowledged, "errors": errors, "readable": readable,
                  "stored": stored, "notices": notices}))
"""


def run(script: str, *arguments: object) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def check_kills(path: Path, rounds: int, store: str) -> None:
    """Kill a recorder again and again: all that was acknowledged is there, and whole."""
    told = run(KILLER, path, rounds, 20261121, store)
    assert told["acknowledged"] >= rounds
    assert told["lost"] == [], "acknowledged and lost"
    assert told["whole"]
    assert told["notices"] == []
    # One example a round may have been stored without the acknowledgement getting out.
    assert told["stored"] - told["acknowledged"] <= rounds


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")
def test_p1_killed_25_times_while_recording(tmp_path: Path) -> None:
    check_kills(tmp_path / "show.tms", 25, "ours")


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")
def test_p1_control_a_store_that_acknowledges_before_the_commit_is_found_out(
    tmp_path: Path,
) -> None:
    with pytest.raises(AssertionError, match="acknowledged and lost"):
        check_kills(tmp_path / "show.tms", 3, "hasty")


def check_refused_writes(path: Path, limit: int, store: str) -> None:
    """Let the files grow up to a byte and no further: an error each time, and nothing is lost."""
    told = run(FULL, path, limit, store)
    assert len(told["errors"]) == 3, "the limit was never reached"
    assert told["readable"] == told["acknowledged"][:-1], "acknowledged and lost"
    assert told["stored"] == told["acknowledged"]
    assert told["notices"] == []
    assert all("show.tms" in error for error in told["errors"]), "which file, and what to do"


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
@pytest.mark.parametrize("limit", [*range(40_000, 60_000, 4_000), 150_003, 1_200_000])
def test_p3_when_the_files_cannot_grow(tmp_path: Path, limit: int) -> None:
    check_refused_writes(tmp_path / "show.tms", limit, "ours")


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
def test_p3_control_a_store_that_acknowledges_a_failed_write_is_found_out(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="acknowledged and lost"):
        check_refused_writes(tmp_path / "show.tms", 150_003, "hopeful")


def test_p3_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a 3 MB tmpfs needs root")
    try:
        monkeypatch.setattr(project_module, "MIN_FREE_BYTES", 0)
        rng = np.random.default_rng(1)
        acknowledged: list[str] = []
        with Project.open(disk / "show.tms", create=True) as project:
            vector = np.ones(1280, np.float32)

            def fill() -> None:
                while True:
                    clip = Clip(rng.bytes(8000), "audio/flac")
                    example = NewExample("clap", "audio", vector, "t", clip=clip)
                    acknowledged.extend(project.add([example]))

            with pytest.raises(StoreError, match="disk is full"):
                fill()
            assert len(acknowledged) > 20
            assert [one.id for one in project.examples()] == acknowledged
            grow = ["mount", "-o", "remount,size=9m", str(disk)]
            subprocess.run(grow, check=True)
            acknowledged += project.add([NewExample("clap", "audio", vector, "t")])
        with Project.open(disk / "show.tms") as again:
            assert [one.id for one in again.examples()] == acknowledged
            assert again.notices == []
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
