"""Files dropped on the studio: sorted, unpacked, embedded by a child process, and taught.

What became of each file is told to the `Job` as it happens. One drop is one step for undo.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from ..core.errors import InputError, TmstreamError
from ..engine.spec import Pipeline
from ..server.jobs import Job
from ..server.uploads import File
from ..store import exchange
from ..store.project import Project
from ..store.records import checked_text
from . import choice, errand
from .child import Child
from .sample import Sample, kind_of
from .unpack import Left, is_export, unpack

PROJECT_ENDING = ".tms"


async def teach_dropped(
    project: Project, pipeline: Pipeline, files: list[File], person: str | None, job: Job
) -> dict[str, Any]:
    """Teach ``files`` and delete them; returns how many examples there are more.

    Raises:
        InputError: the child that reads the files died, or found something wrong with all of them.
    """
    before = project.count()
    folder = Path(tempfile.mkdtemp(dir=files[0].path.parent))
    pieces: list[errand.Piece] = []
    try:
        job.note = "reading"
        for file in files:
            pieces += await _sort(project, file, folder, job)
        if pieces:
            job.total = job.done + len(pieces)
            job.note = "teaching"
            await _teach(project, pipeline, pieces, person, job)
    finally:
        await asyncio.to_thread(_remove, folder, files)
    job.total = job.done
    return {"examples": project.count() - before}


def _remove(folder: Path, files: list[File]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for file in files:
        file.path.unlink(missing_ok=True)


async def _teach(
    project: Project, pipeline: Pipeline, pieces: list[errand.Piece], person: str | None, job: Job
) -> None:
    settings: dict[str, Any] = {}
    if project.setting(choice.SETTING) is None:
        settings[choice.SETTING] = choice.name_of(project, pipeline)
    child = Child(project, job)
    await child.do(pipeline, pieces=pieces, person=person, settings=settings)
    for name, label in (Counter((one.name, one.label) for one in pieces) - child.told).elements():
        job.file(name, label, 0, "taught before")


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
