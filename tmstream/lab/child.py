"""The engine's end of an `errand`: starts the child, writes to the project what comes back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from ..backends import frames
from ..core.errors import InputError, TmstreamError
from ..engine.registry import Registry
from ..engine.settings import with_journal
from ..engine.spec import Pipeline
from ..server.jobs import Job
from ..store.project import Project
from . import errand

_decoded: Callable[[bytes], errand.Frame] = msgspec.msgpack.Decoder(errand.Frame).decode


class Child:
    """Does one errand for a job, which can be stopped so long: a decoder may never end.

    ``told`` are names and labels of the files of which it said what became of them.
    """

    def __init__(self, project: Project, job: Job) -> None:
        self._project, self._job = project, job
        self.told: Counter[tuple[str, str]] = Counter()

    async def do(self, pipeline: Pipeline, **wanted: Any) -> errand.Ended:
        """Let a child do what is ``wanted`` (fields of `errand.Order`); write what it finds.

        Raises:
            InputError: the child died, or found something wrong with all of it.
        """
        pipeline = with_journal(pipeline, Registry.installed(), self._project)
        self._job.stoppable = True
        try:
            async with frames.aside(errand.__name__) as child:
                await child.send(errand.order(self._project, pipeline, **wanted))
                while not isinstance(frame := _decoded(await child.read()), errand.Ended):
                    match frame:
                        case errand.Told():
                            self.told[frame.name, frame.label] += 1
                            self._job.file(frame.name, frame.label, frame.examples, frame.why)
                        case errand.Step():
                            self._job.step(self._job.done + 1, frame.total)
                        case errand.Keep():
                            await child.send(msgspec.msgpack.encode(await self._keep(frame)))
        except (EOFError, ConnectionError):
            raise InputError(
                "the program that embeds was ended by a file or a clip; those before it are taught"
            ) from None
        finally:
            self._job.stoppable = False
        if frame.error:
            raise InputError(frame.error)
        return frame

    async def _keep(self, keep: errand.Keep) -> errand.Kept:
        def write() -> list[str]:
            if self._project.setting("locked"):
                raise InputError("teaching was locked meanwhile")
            if keep.settings:
                self._project.set_settings(keep.settings, batch=keep.batch)
            rows = errand.examples_of(keep)
            return self._project.add(rows, batch=keep.batch, since=keep.since) if rows else []

        try:
            return errand.Kept(await asyncio.to_thread(write))
        except TmstreamError as error:
            return errand.Kept(error=str(error))
