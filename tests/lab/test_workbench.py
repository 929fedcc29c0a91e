"""Files dropped on the studio, export, and a quiet room: all while an engine would run."""

from __future__ import annotations

import asyncio
import io
import struct
import zipfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tmstream.core import messages as m
from tmstream.core.clock import MonotonicClock
from tmstream.core.errors import InputError
from tmstream.core.packet import Audio, Packet
from tmstream.engine.graph import build
from tmstream.engine.registry import Registry
from tmstream.engine.spec import Pipeline
from tmstream.lab import errand, workbench
from tmstream.lab.augment import VARIANTS
from tmstream.lab.workbench import Workbench
from tmstream.server.jobs import Jobs
from tmstream.server.uploads import PIECE, Uploads
from tmstream.store.history import History
from tmstream.store.project import Project

from .conftest import RATE_HZ, sound


def wav(name: str, seed: int) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, sound(name, seed), RATE_HZ, format="WAV")
    return out.getvalue()


class Bench:
    """A workbench, and the hands of a page."""

    def __init__(self, pipeline: Pipeline, registry: Registry, project: Project) -> None:
        self.project, self.uploads, self.history = project, Uploads(), History()
        self.clock = MonotonicClock()
        graph = build(pipeline, registry)
        self.jobs = Jobs()
        self.bench = Workbench(graph, project, self.history, self.uploads, self.clock, self.jobs)

    async def send(self, name: str, data: bytes, label: str | None = None) -> int:
        told = await self.bench.handle(m.Upload(id=1, name=name, bytes=len(data), label=label))
        half = len(data) // 2
        for start, piece in ((0, data[:half]), (half, data[half:])):
            self.uploads.put(struct.pack("<BBHIII", PIECE, 0, 0, told["upload"], start, 0) + piece)
        return int(told["upload"])

    async def ended(self, started: dict[str, Any]) -> dict[str, Any]:
        while True:
            job: dict[str, Any] = await self.jobs.handle(m.Job(id=1, job=started["job"]))
            if job["state"] != "running":
                return job
            await asyncio.sleep(0.02)

    async def teach(self, *uploads: int, person: str | None = None) -> dict[str, Any]:
        command = m.TeachFiles(id=1, uploads=list(uploads), person=person)
        return await self.ended(await self.bench.handle(command))


Do = Callable[[Callable[[Bench], Coroutine[Any, Any, None]]], None]


@pytest.fixture
def do(pipeline: Pipeline, registry: Registry, project: Project) -> Do:
    def go(work: Callable[[Bench], Coroutine[Any, Any, None]]) -> None:
        async def run() -> None:
            bench = Bench(pipeline, registry, project)
            try:
                await work(bench)
            finally:
                folder = bench.uploads.folder
                await bench.jobs.close()
                bench.uploads.close()
                assert not folder.exists()

        asyncio.run(run())

    return go


def zipped(files: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", kind) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def turned(data: bytes) -> bytes:
    """Return a zip with bits turned where its first file begins to be packed."""
    at = data.index(b".wav") + len(b".wav")
    return data[:at] + b"\xff" * 4 + data[at + 4 :]


def test_files_on_a_class_are_taught_in_one_step(do: Do, project: Project) -> None:
    async def work(bench: Bench) -> None:
        numbers = [await bench.send(f"take {i}.wav", wav("clap", i), "clap") for i in range(3)]
        numbers.append(await bench.send("notes.txt", b"hello", "clap"))
        numbers.append(await bench.send("broken.wav", b"RIFF" + bytes(200), "clap"))
        silent = io.BytesIO()
        soundfile.write(silent, np.zeros(RATE_HZ), RATE_HZ, format="WAV")
        numbers.append(await bench.send("../../etc/silent.wav", silent.getvalue(), "clap"))
        numbers.append(await bench.send("face.png", b"\x89PNG", "clap"))
        told = await bench.teach(*numbers, person="Ada")
        assert told["state"] == "done", told
        assert {one["name"]: one["why"] for one in told["files"]} == {
            "take 0.wav": "", "take 1.wav": "", "take 2.wav": "",
            "notes.txt": "neither sound, picture nor film", "broken.wav": "cannot decode",
            "silent.wav": "silent", "face.png": "this pipeline takes no pictures",
        }  # fmt: skip
        assert told["done"] == told["total"] == 7
        again = await bench.teach(await bench.send("copy.wav", wav("clap", 1), "clap"))
        assert [one["why"] for one in again["files"]] == ["taught before"]
        numbers = [await bench.send("take.wav", wav("clap", i), "clap") for i in (1, 7, 2)]
        again = await bench.teach(*numbers)  # from folders of the same names
        whys = sorted(one["why"] for one in again["files"])
        assert whys == ["", "taught before", "taught before"]
        project.undo()

    do(work)
    taught = project.examples()
    assert {(one.label, one.person) for one in taught} == {("clap", "Ada")}
    assert {one.source for one in taught} == {"take 0.wav", "take 1.wav", "take 2.wav"}
    assert all(one.has_clip for one in taught)
    project.undo()
    assert project.examples() == []


def test_a_zip_of_label_folders(do: Do, project: Project, tmp_path: Path) -> None:
    outside = tmp_path / "evil.wav"
    climbs = "../" * 15 + str(outside.relative_to(outside.anchor))  # from any depth
    files = {f"set/{label}/{i}.wav": wav(label, i) for label in ("clap", "hum") for i in range(2)}
    files |= {
        climbs: wav("whistle", 1),
        "__MACOSX/._0.wav": b"",
        "loose.wav": wav("hum", 9),
    }

    async def work(bench: Bench) -> None:
        told = await bench.teach(await bench.send("set.zip", zipped(files)))
        assert told["state"] == "done", told
        assert {one["name"]: one["why"] for one in told["files"] if one["why"]} == {
            f"set.zip: {climbs}": "its name leads out of the zip",
            "set.zip: loose.wav": "in no folder that says its label",
        }

    do(work)
    assert project.labels() == ["clap", "hum"]
    assert not outside.exists()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"PK\x03\x04 nothing", "not a whole zip"),
        (zipped({"clap/bomb.wav": bytes(50 << 20)}), "packed too well"),
        (zipped({"clap/1.wav": wav("clap", 1)})[:-30], "not a whole zip"),
        (zipped({}), "holds no files"),
        (zipped({"clap/1.wav": wav("clap", 1)}, zipfile.ZIP_BZIP2), "packed in a rare way"),
        (turned(zipped({"clap/1.wav": wav("clap", 1)})), "not a whole zip"),
    ],
    ids=["no zip", "bomb", "cut", "empty", "rare", "turned"],
)
def test_a_bad_zip_teaches_nothing(do: Do, project: Project, data: bytes, why: str) -> None:
    async def work(bench: Bench) -> None:
        told = await bench.teach(await bench.send("set.zip", data))
        assert why in told["files"][0]["why"]

    do(work)
    assert project.examples() == []


def test_a_member_larger_than_it_says_is_refused(do: Do, project: Project) -> None:
    data = bytearray(zipped({"clap/1.wav": wav("clap", 1)}))
    size = struct.pack("<I", len(wav("clap", 1)))
    data = bytearray(bytes(data).replace(size, struct.pack("<I", 44)))

    async def work(bench: Bench) -> None:
        told = await bench.teach(await bench.send("set.zip", bytes(data)))
        assert "not a whole zip" in told["files"][0]["why"]

    do(work)
    assert project.examples() == []


def test_what_was_exported_comes_in_again(do: Do, project: Project, tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        await bench.teach(await bench.send("a.wav", wav("clap", 1), "clap"))
        job = await bench.ended(await bench.bench.handle(m.Export(id=1)))
        found = bench.uploads.fetch(job["result"]["url"])
        assert found is not None
        name, data = found
        assert name == "lab.zip"
        assert bench.uploads.fetch(job["result"]["url"]) is None, "once"
        copied = await bench.ended(await bench.bench.handle(m.Export(id=1, form="copy")))
        with Project.open(Path(copied["result"]["path"])) as copy:
            assert len(copy.examples()) == len(project.examples())
        before = len(project.examples())
        project.delete_label("clap")
        told = await bench.teach(await bench.send("lab.zip", data))
        assert told["result"]["examples"] == before
        project.delete_label("clap")
        whole = Path(copied["result"]["path"]).read_bytes()  # noqa: ASYNC240 - a test may wait
        told = await bench.teach(await bench.send("lab.tms", whole))
        assert told["result"]["examples"] == before

    do(work)


def test_locked_and_busy_are_said(do: Do, project: Project) -> None:
    async def work(bench: Bench) -> None:
        upload = await bench.send("a.wav", wav("clap", 1), "clap")
        project.set_settings({"locked": True})
        with pytest.raises(InputError, match="locked"):
            await bench.teach(upload)
        project.set_settings({"locked": False})
        started = await bench.bench.handle(m.TeachFiles(id=1, uploads=[upload]))
        with pytest.raises(InputError, match="wait for the end"):
            await bench.bench.handle(m.Export(id=1))
        assert (await bench.ended(started))["state"] == "done"
        with pytest.raises(InputError, match="no job 99"):
            await bench.jobs.handle(m.Job(id=1, job=99))

    do(work)


def test_a_child_that_dies_ends_the_job_and_nothing_else(
    do: Do, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(bench: Bench) -> None:
        monkeypatch.setattr(errand, "__name__", "tmstream.lab.no_such_errand")
        told = await bench.teach(await bench.send("a.wav", wav("clap", 1), "clap"))
        assert told["state"] == "failed"
        assert "the program that embeds was ended" in told["error"]

    do(work)


def test_a_decoder_that_never_ends_can_be_stopped_and_holds_up_nobody_after(
    do: Do, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, line = asyncio.create_subprocess_exec, "while True: pass"
    children: list[asyncio.subprocess.Process] = []

    async def endless(*command: str, **pipes: Any) -> asyncio.subprocess.Process:
        children.append(await begin(command[0], "-c", line, **pipes))
        return children[0]

    async def work(bench: Bench) -> None:
        number = await bench.send("a.wav", wav("clap", 1), "clap")
        with monkeypatch.context() as patch:
            patch.setattr(asyncio, "create_subprocess_exec", endless)
            started = await bench.bench.handle(m.TeachFiles(id=1, uploads=[number]))
            while not children:
                await asyncio.sleep(0)
            job = await bench.jobs.handle(m.Job(id=2, job=started["job"]))
            assert job["stoppable"]
            job = await bench.jobs.handle(m.StopJob(id=3, job=started["job"]))
            assert job["state"] == "stopped"
            await asyncio.wait(list(bench.jobs._tasks.values()))
        assert children[0].returncode
        assert list(bench.uploads.folder.iterdir()) == [], "the files are deleted"
        told = await bench.teach(await bench.send("a.wav", wav("clap", 1), "clap"))
        assert told["state"] == "done", told

    do(work)
    assert project.labels() == ["clap"]


def test_a_room_is_listened_to_and_left_in_peace(
    do: Do, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbench, "SHORTEST_S", 0.1)

    async def work(bench: Bench) -> None:
        with pytest.raises(InputError, match="teach something first"):
            await bench.bench.handle(m.Calibrate(id=1))
        await bench.teach(*[await bench.send(f"{i}.wav", wav("hum", i), "hum") for i in range(3)])
        before = project.examples()
        heard = sound("hum", 1)[:, None]
        started = await bench.bench.handle(m.Calibrate(id=1, seconds=2.0))
        now_us = bench.clock.now_us()
        for start in range(0, len(heard), 1600):
            at_us = now_us + round(start * 1e6 / RATE_HZ)
            bench.history.tap("mic", Packet(at_us, Audio(heard[start : start + 1600], RATE_HZ)))
        told = await bench.ended(started)
        assert told["state"] == "done", told
        result = told["result"]
        assert result["triggers_before"] == 1
        assert result["triggers_after"] == 0
        assert [one.negative for one in project.examples()].count(True) == result["negatives"]
        assert result["negatives"] or result["strictness"] > 0.5
        project.undo()
        assert [one.id for one in project.examples()] == [one.id for one in before]
        deaf = await bench.ended(await bench.bench.handle(m.Calibrate(id=1, seconds=0.1)))
        assert "nothing was heard" in deaf["error"]

    do(work)


def test_lint_is_plain_data(do: Do) -> None:
    async def work(bench: Bench) -> None:
        await bench.teach(await bench.send("a.wav", wav("clap", 1), "clap"))
        (found,) = await bench.bench.handle(m.Lint(id=1))
        assert found["kind"] == "few"
        assert found["label"] == "clap"

    do(work)


def test_a_label_gets_variants_and_loses_them(do: Do, project: Project) -> None:
    async def work(bench: Bench) -> None:
        for label in ("clap", "hum"):
            await bench.teach(*[await bench.send(f"{i}.wav", wav(label, i), label) for i in (1, 2)])
        before = len(project.examples())

        async def switch(label: str, *, on: bool) -> dict[str, Any]:
            command = m.Augment(id=1, label=label, on=on)
            return await bench.ended(await bench.bench.handle(command))

        told = await switch("clap", on=True)
        assert told["state"] == "done", told
        assert told["done"] == told["total"] == 2 * len(VARIANTS["sound"])
        made = [one for one in project.examples() if one.augmented_from is not None]
        assert {one.label for one in made} == {"clap"}
        assert told["result"]["variants"] == len(made) >= told["total"]
        assert all(one.has_clip for one in made)
        assert (await switch("clap", on=True))["result"]["known"] == 2
        assert (await switch("clap", on=False))["result"] == {"deleted": len(made)}
        assert len(project.examples()) == before
        project.undo()
        project.undo()
        assert len(project.examples()) == before, "each is one step"
        with pytest.raises(InputError, match="no label 'clop'"):
            await switch("clop", on=True)
        project.set_settings({"locked": True})
        with pytest.raises(InputError, match="locked"):
            await switch("clap", on=True)

    do(work)
