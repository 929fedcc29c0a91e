"""What the studio asks for beside the head: dropped files, export, a quiet room, lint.

Everything that takes long is a job (`jobs`), and is one step for undo. Predictions go on: files are
decoded in a child process (`errand`), and the rest is done in a thread.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from ..core import messages as m
from ..core.clock import Clock
from ..core.errors import InputError, StoreError, TmstreamError
from ..core.packet import Audio
from ..engine.graph import Graph, with_params
from ..engine.params import parameters
from ..engine.registry import Registry
from ..engine.settings import PREFIX
from ..server.uploads import MOST_DOWNLOAD_BYTES, File, Uploads
from ..store import exchange
from ..store.history import SECONDS as HISTORY_S
from ..store.history import History
from ..store.project import Project
from ..store.records import checked_text
from . import choice, errand
from .head import head_of
from .jobs import Job, Jobs
from .lint import lint
from .samples import Sample, kind_of
from .tune import Silenced, silence
from .unpack import Left, is_export, unpack

PROJECT_ENDING = ".tms"
SHORTEST_S = 3.0


class Workbench:
    """Answers the studio's commands on files and rooms; runs on the loop."""

    handles: ClassVar[tuple[type, ...]] = (
        m.Upload, m.TeachFiles, m.Export, m.Calibrate, m.Lint, m.Job
    )  # fmt: skip

    def __init__(
        self, graph: Graph, project: Project, history: History, uploads: Uploads, clock: Clock
    ) -> None:
        self._graph, self._project, self._history = graph, project, history
        self._uploads, self._clock = uploads, clock
        self._jobs = Jobs()

    async def handle(self, command: Any) -> Any:
        """Return the result of a command, plain data; `InputError` when it is refused."""
        match command:
            case m.Upload():
                label = None if command.label is None else checked_text(command.label, "label")
                return {"upload": self._uploads.begin(command.name, command.bytes, label)}
            case m.TeachFiles():
                return self._teach(command)
            case m.Export():
                work = self._copy if command.form == "copy" else self._export
                return self._jobs.start("export", work)
            case m.Calibrate():
                return self._calibrate(command)
            case m.Lint():
                found = await asyncio.to_thread(lint, self._project)
                return msgspec.to_builtins(found)
            case m.Job():
                return self._jobs.look(command.job)
        raise InputError(f"not for the workbench: {type(command).__name__}")

    async def close(self) -> None:
        """Break off the job under way."""
        await self._jobs.close()

    def _must_be_free(self) -> None:
        if self._project.setting("locked"):
            raise InputError("teaching is locked for the show; unlock first")
        if self._project.read_only:
            raise InputError(f"{self._project.path} is open for reading only")
        if self._jobs.busy is not None:
            raise InputError(f"wait for the end of this first: {self._jobs.busy.what}")

    # Files

    def _teach(self, command: m.TeachFiles) -> dict[str, Any]:
        self._must_be_free()
        person = checked_text(command.person, "person") if command.person else None
        files = self._uploads.take(command.uploads)
        return self._jobs.start("teaching files", partial(self._take, files, person))

    async def _take(self, files: list[File], person: str | None, job: Job) -> dict[str, Any]:
        folder = Path(tempfile.mkdtemp(dir=self._uploads.folder))
        before = len(self._project.examples())
        try:
            job.note = "reading"
            pieces: list[errand.Piece] = []
            for file in files:
                await self._sort(file, folder, pieces, job)
            if pieces:
                job.total = job.done + len(pieces)
                job.note = "teaching"
                await self._send_out(pieces, person, job)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            for file in files:
                file.path.unlink(missing_ok=True)
        job.total = job.done
        return {"examples": len(self._project.examples()) - before}

    async def _sort(self, file: File, folder: Path, pieces: list[errand.Piece], job: Job) -> None:
        """Import a project or an export at once; add recordings to ``pieces``."""
        ending = Path(file.name).suffix.lower()
        kind = kind_of(Path(file.name))
        if ending == PROJECT_ENDING or (ending == ".zip" and is_export(file.path)):
            try:
                told = await asyncio.to_thread(exchange.bring_in, file.path, self._project)
                job.file(file.name, "", told["added"], "" if told["added"] else "known already")
            except TmstreamError as error:
                why = str(error).replace(str(file.path), file.name)
                job.file(file.name, "", 0, why.removeprefix(f"{file.name}: "))
            return
        if ending == ".zip":
            into = folder / file.path.name
            into.mkdir()
            try:
                found = await asyncio.to_thread(unpack, file.path, file.name, into, file.label)
            except InputError as error:
                job.file(file.name, "", 0, str(error).removeprefix(f"{file.name}: "))
                return
            if not found:
                job.file(file.name, "", 0, "holds no files")
            for one in found:
                if isinstance(one, Left):
                    job.file(one.name, "", 0, one.why)
                else:
                    self._add(one, pieces, job)
        elif kind is None:
            job.file(file.name, file.label or "", 0, "neither sound, picture nor film")
        elif file.label is None:
            job.file(file.name, "", 0, "drop it on a class, or in a folder named like its class")
        else:
            # Decoders look at the ending.
            named = folder / f"{file.path.name}{ending}"
            file.path.replace(named)
            self._add(Sample(named, file.name, kind, file.label), pieces, job)

    def _add(self, sample: Sample, pieces: list[errand.Piece], job: Job) -> None:
        try:
            label = checked_text(sample.label or "", "label")
        except InputError as error:
            job.file(sample.name, sample.label or "", 0, str(error))
            return
        pieces.append(errand.Piece(str(sample.file), sample.name, sample.kind, label))

    async def _send_out(self, pieces: list[errand.Piece], person: str | None, job: Job) -> None:
        """Let a child embed the files; write what it finds."""
        settings: dict[str, Any] = {}
        if self._project.setting(choice.SETTING) is None:
            settings[choice.SETTING] = choice.name_of(self._project, self._graph.pipeline)
        first = errand.order(self._project, self._pipeline(), pieces, person, settings)
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", errand.__name__,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        told: set[str] = set()
        try:
            child.stdin.write(first)
            while True:
                frame = await _frame(child.stdout)
                if isinstance(frame, errand.Told):
                    told.add(frame.name)
                    job.file(frame.name, frame.label, frame.examples, frame.why)
                elif isinstance(frame, errand.Keep):
                    child.stdin.write(errand.framed(await self._keep(frame)))
                else:
                    break
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
                job.file(one.name, one.label, 0, "taught before")

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

    def _pipeline(self) -> Any:
        """Return the running pipeline with what was changed while it ran."""
        values = {
            f"{slot.name}.{name}": value
            for slot in self._graph.slots.values()
            for name in parameters(slot.factory)
            if (value := self._project.setting(f"{PREFIX}{slot.name}.{name}")) is not None
        }
        return with_params(self._graph.pipeline, values)

    async def _export(self, job: Job) -> dict[str, Any]:
        """Write a zip, and offer it once; one too large for a page is left beside the project."""
        job.note = "packing"
        name = f"{self._project.path.stem}.zip"
        packed = self._uploads.folder / f"export-{uuid.uuid4().hex}.zip"
        told = await asyncio.to_thread(exchange.export, self._project, packed)
        size = packed.stat().st_size
        if size > MOST_DOWNLOAD_BYTES:
            beside = self._beside(".zip")
            await asyncio.to_thread(shutil.move, packed, beside)
            return {"path": str(beside), "bytes": size, "examples": told["examples"]}
        url = self._uploads.offer(packed, name)
        return {"url": url, "name": name, "bytes": size, "examples": told["examples"]}

    async def _copy(self, job: Job) -> dict[str, Any]:
        """Write a copy of the project beside it."""
        job.note = "copying"
        beside = self._beside(PROJECT_ENDING)
        await asyncio.to_thread(self._project.copy_to, beside)
        return {"path": str(beside), "bytes": beside.stat().st_size}

    def _beside(self, ending: str) -> Path:
        path = self._project.path
        return path.with_name(f"{path.stem} {datetime.now():%Y-%m-%d %H.%M.%S}{ending}")

    # The room

    def _calibrate(self, command: m.Calibrate) -> dict[str, Any]:
        self._must_be_free()
        if not SHORTEST_S <= command.seconds <= HISTORY_S:
            raise InputError(f"seconds is between {SHORTEST_S:g} and {HISTORY_S:g}")
        pipeline = self._graph.pipeline
        if pipeline.private:
            raise InputError("this pipeline is private: it keeps no sound to listen to")
        if head_of(pipeline) is None:
            raise InputError("this pipeline has no head (knn) to keep silent")
        sources = [
            slot.name
            for slot in self._graph.slots.values()
            if not slot.spec.sources and Audio in getattr(slot.factory, "gives", ())
        ]
        if not sources:
            raise InputError("this pipeline hears nothing; say “that was wrong” of what it answers")
        if not self._project.examples():
            raise InputError("teach something first: until then it never answers")
        work = partial(self._listen, sources, command.seconds)
        return self._jobs.start("listening to the room", work)

    async def _listen(self, sources: list[str], seconds: float, job: Job) -> dict[str, Any]:
        from_us = self._clock.now_us()
        until_us = from_us + round(seconds * 1e6)
        job.total, job.note = round(seconds * 10), "listening"
        # The engine's clock decides, which no event can wait for: it may be a virtual one.
        while (now_us := self._clock.now_us()) < until_us:
            job.done = round((now_us - from_us) / 1e5)
            await asyncio.sleep(0.1)
        job.done, job.note = job.total, "learning to stay silent"
        told: Silenced | None = None
        for source in sources:
            clip = await asyncio.to_thread(self._history.clip, source, from_us, until_us)
            if clip is not None:
                told = await asyncio.to_thread(self._silence, clip.data)
        if told is None:
            raise InputError("nothing was heard at all; is the microphone connected?")
        return {**msgspec.to_builtins(told), "seconds": seconds}

    def _silence(self, flac: bytes) -> Silenced:
        path = self._uploads.folder / f"room {datetime.now():%Y-%m-%d %H.%M.%S}.flac"
        try:
            path.write_bytes(flac)
            sample = Sample(path, path.name, "sound")
            return silence(self._project, self._pipeline(), Registry.installed(), sample)
        except OSError as error:
            raise StoreError(f"{path}: cannot be written ({error})") from error
        finally:
            path.unlink(missing_ok=True)


_frames: Callable[[bytes], errand.Frame] = msgspec.msgpack.Decoder(errand.Frame).decode


async def _frame(source: asyncio.StreamReader) -> errand.Frame:
    """Return the child's next frame; `EOFError` when it has ended instead."""
    (size,) = errand.LENGTH.unpack(await source.readexactly(errand.LENGTH.size))
    if size > errand.MOST_FRAME_BYTES:
        raise EOFError
    return _frames(await source.readexactly(size))
