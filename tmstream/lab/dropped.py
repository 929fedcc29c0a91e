"""Files dropped on the studio: sorted, unpacked, embedded by a child process, and taught.

What became of each file is told to the `Job` as it happens. One drop is one step for undo.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from ..core.errors import InputError, TmstreamError
from ..engine.registry import Registry
from ..engine.settings import with_journal
from ..engine.spec import Pipeline
from ..server.jobs import Job
from ..server.uploads import File
from ..store import exchange
from ..store.project import Project
from ..store.records import checked_text
from . import choice, errand
from .samples import Sample, kind_of
from .unpack import Left, is_export, unpack

PROJECT_ENDING = ".tms"

_decoded: Callable[[bytes], errand.Frame] = msgspec.msgpack.Decoder(errand.Frame).decode


async def teach_dropped(
    project: Project, pipeline: Pipeline, files: list[File], person: str | None, job: Job
) -> dict[str, Any]:
    """Teach ``files`` and delete them; returns how many examples there are more.

    Raises:
        InputError: the child that reads the files died, or found something wrong with all of them.
    """
    before = len(project.examples())
    folder = Path(tempfile.mkdtemp(dir=files[0].path.parent))
    pieces: list[errand.Piece] = []
    try:
        job.note = "reading"
        for file in files:
            pieces += await _sort(project, file, folder, job)
        if pieces:
            job.total = job.done + len(pieces)
            job.note = "teaching"
            await _Child(project, job).teach(pipeline, pieces, person)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for file in files:
            file.path.unlink(missing_ok=True)
    job.total = job.done
    return {"examples": len(project.examples()) - before}


async def _sort(project: Project, file: File, folder: Path, job: Job) -> list[errand.Piece]:
    """Import a project or an export at once; return recordings, each in a file to be decoded."""
    ending = Path(file.name).suffix.lower()
    kind = kind_of(Path(file.name))
    found: list[Sample | Left] = []
    if ending == PROJECT_ENDING or (ending == ".zip" and is_export(file.path)):
        await _import(project, file, job)
    elif ending == ".zip":
        into = folder / file.path.name
        into.mkdir()
        try:
            found = await asyncio.to_thread(unpack, file.path, file.name, into, file.label)
        except InputError as error:
            found = [Left(file.name, str(error).removeprefix(f"{file.name}: "))]
        found = found or [Left(file.name, "holds no files")]
    elif kind is None:
        job.file(file.name, file.label or "", 0, "neither sound, picture nor film")
    elif file.label is None:
        found = [Left(file.name, "drop it on a class, or in a folder named like its class")]
    else:
        named = folder / f"{file.path.name}{ending}"  # decoders look at the ending
        file.path.replace(named)
        found = [Sample(named, file.name, kind, file.label)]
    pieces = []
    for one in found:
        if isinstance(one, Left):
            job.file(one.name, "", 0, one.why)
            continue
        try:
            label = checked_text(one.label or "", "label")
        except InputError as error:
            job.file(one.name, one.label or "", 0, str(error))
            continue
        pieces.append(errand.Piece(str(one.file), one.name, one.kind, label))
    return pieces


async def _import(project: Project, file: File, job: Job) -> None:
    try:
        told = await asyncio.to_thread(exchange.bring_in, file.path, project)
    except TmstreamError as error:
        why = str(error).replace(str(file.path), file.name)
        job.file(file.name, "", 0, why.removeprefix(f"{file.name}: "))
    else:
        job.file(file.name, "", told["added"], "" if told["added"] else "known already")


class _Child:
    """The engine's end of an `errand`: sends the order, writes what comes back."""

    def __init__(self, project: Project, job: Job) -> None:
        self._project, self._job = project, job

    async def teach(
        self, pipeline: Pipeline, pieces: list[errand.Piece], person: str | None
    ) -> None:
        """Let a child embed the files; write what it finds."""
        pipeline = with_journal(pipeline, Registry.installed(), self._project)
        settings: dict[str, Any] = {}
        if self._project.setting(choice.SETTING) is None:
            settings[choice.SETTING] = choice.name_of(self._project, pipeline)
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", errand.__name__,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        told: set[str] = set()
        try:
            child.stdin.write(errand.order(self._project, pipeline, pieces, person, settings))
            while not isinstance(frame := await _frame(child.stdout), errand.Ended):
                if isinstance(frame, errand.Told):
                    told.add(frame.name)
                    self._job.file(frame.name, frame.label, frame.examples, frame.why)
                else:
                    child.stdin.write(errand.framed(await self._keep(frame)))
        except (EOFError, ConnectionError):
            raise InputError(
                "one of the files ended the program that reads them; those before it are taught"
            ) from None
        finally:
            if child.returncode is None:
                child.kill()
            await child.wait()
        if frame.error:
            raise InputError(frame.error)
        for one in pieces:
            if one.name not in told:
                self._job.file(one.name, one.label, 0, "taught before")

    async def _keep(self, keep: errand.Keep) -> errand.Kept:
        def write() -> None:
            if self._project.setting("locked"):
                raise InputError("teaching was locked meanwhile")
            if keep.settings:
                self._project.set_settings(keep.settings, batch=keep.batch)
            if keep.rows:
                self._project.add(errand.examples_of(keep), batch=keep.batch)

        try:
            await asyncio.to_thread(write)
        except TmstreamError as error:
            return errand.Kept(str(error))
        return errand.Kept()


async def _frame(source: asyncio.StreamReader) -> errand.Frame:
    """Return the child's next frame; `EOFError` when it has ended instead."""
    (size,) = errand.LENGTH.unpack(await source.readexactly(errand.LENGTH.size))
    if size > errand.MOST_FRAME_BYTES:
        raise EOFError
    return _decoded(await source.readexactly(size))
