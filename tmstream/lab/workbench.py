"""What the studio asks for beside the head: dropped files, variants, export, a quiet room, lint.

Everything that takes long is a job (`jobs`), and is one step for undo. Predictions go on: files are
decoded in a child process (`child`), and the rest is done in a thread.
"""

from __future__ import annotations

import asyncio
import shutil
import uuid
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from ..core import messages as m
from ..core.clock import Clock
from ..core.errors import InputError, StoreError
from ..core.packet import Audio
from ..engine.graph import Graph
from ..engine.registry import Registry
from ..engine.settings import with_journal
from ..server.jobs import Job, Jobs
from ..server.uploads import MOST_DOWNLOAD_BYTES, Uploads
from ..store import exchange
from ..store.history import SECONDS as HISTORY_S
from ..store.history import History
from ..store.project import Project
from ..store.records import checked_text
from .child import Child
from .dropped import PROJECT_ENDING, teach_dropped
from .head import head_of
from .lint import KnownFaults, lint
from .sample import Sample
from .tune import Silenced, silence
from .vary import checked_labels, unvary

SHORTEST_S = 3.0


class Workbench:
    """Answers the studio's commands on files and rooms; runs on the loop."""

    handles: ClassVar[tuple[type, ...]] = (
        m.Upload, m.TeachFiles, m.Augment, m.Export, m.Calibrate, m.Lint
    )  # fmt: skip

    def __init__(
        self, graph: Graph, project: Project, history: History, uploads: Uploads, clock: Clock,
        jobs: Jobs,
    ) -> None:  # fmt: skip
        self._graph, self._project, self._history = graph, project, history
        self._uploads, self._clock = uploads, clock
        self._jobs = jobs
        self._linting, self._faults = asyncio.Lock(), KnownFaults()

    async def handle(self, command: Any) -> Any:
        """Return the result of a command, plain data; `InputError` when it is refused."""
        match command:
            case m.Upload():
                label = None if command.label is None else checked_text(command.label, "label")
                return {"upload": self._uploads.begin(command.name, command.bytes, label)}
            case m.TeachFiles():
                return self._teach(command)
            case m.Augment():
                return self._augment(command)
            case m.Export():
                work = self._copy if command.form == "copy" else self._export
                return self._jobs.start("export", work)
            case m.Calibrate():
                return self._calibrate(command)
            case m.Lint():
                return await self._lint()
        raise InputError(f"not for the workbench: {type(command).__name__}")

    async def _lint(self) -> Any:
        # What overlaps is in the judgement, which the studio has asked for already.
        work = partial(lint, self._project, overlaps=False, known=self._faults)
        async with self._linting:  # one after the other, whoever asks
            return msgspec.to_builtins(await asyncio.to_thread(work))

    def _must_be_free(self) -> None:
        if self._project.setting("locked"):
            raise InputError("teaching is locked for the show; unlock first")
        if self._project.read_only:
            raise InputError(f"{self._project.path} is open for reading only")
        if self._jobs.busy is not None:
            raise InputError(f"wait for the end of this first: {self._jobs.busy.what}")

    def _teach(self, command: m.TeachFiles) -> dict[str, Any]:
        self._must_be_free()
        person = checked_text(command.person, "person") if command.person else None
        files = self._uploads.take(command.uploads)
        work = partial(teach_dropped, self._project, self._graph.pipeline, files, person)
        return self._jobs.start("teaching files", work)

    def _augment(self, command: m.Augment) -> dict[str, Any]:
        self._must_be_free()
        (label,) = checked_labels(self._project, [checked_text(command.label, "label")])
        return self._jobs.start(
            "variants", partial(self._vary if command.on else self._unvary, label)
        )

    async def _vary(self, label: str, job: Job) -> dict[str, Any]:
        job.note = f"making variants of {label}"
        ended = await Child(self._project, job).do(self._graph.pipeline, vary=[label])
        return dict(ended.varied[label])

    async def _unvary(self, label: str, job: Job) -> dict[str, Any]:
        counts = await asyncio.to_thread(unvary, self._project, [label])
        return {"deleted": counts[label]}

    async def _export(self, job: Job) -> dict[str, Any]:
        """Write a zip, and offer it once; one too large for a page is left beside the project."""
        job.note = "packing"
        name = f"{self._project.path.stem}.zip"
        packed = self._uploads.folder / f"export-{uuid.uuid4().hex}.zip"
        told = await asyncio.to_thread(exchange.export, self._project, packed, job.step)
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
        await asyncio.to_thread(self._project.copy_to, beside, job.step)
        return {"path": str(beside), "bytes": beside.stat().st_size}

    def _beside(self, ending: str) -> Path:
        path = self._project.path
        return path.with_name(f"{path.stem} {datetime.now():%Y-%m-%d %H.%M.%S}{ending}")

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
            if not slot.spec.sources and Audio in slot.gives
        ]
        if not sources:
            raise InputError("this pipeline hears nothing; say “that was wrong” of what it answers")
        if not self._project.count():
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
        registry = Registry.installed()
        path = self._uploads.folder / f"room {datetime.now():%Y-%m-%d %H.%M.%S}.flac"
        try:
            path.write_bytes(flac)
            sample = Sample(path, path.name, "sound")
            pipeline = with_journal(self._graph.pipeline, registry, self._project)
            return silence(self._project, pipeline, registry, sample)
        except OSError as error:
            raise StoreError(f"{path}: cannot be written ({error})") from error
        finally:
            path.unlink(missing_ok=True)
