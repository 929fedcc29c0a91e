"""Export and import: a zip of label folders that people can use, and nothing that can run.

::

    examples.jsonl      one example a line, with its vector, and the name of its clip's file
    labels.csv          file, label, person, take, ...: what `tmstream teach --labels` reads
    settings.json
    clap/0f3a....flac   one folder a label

What comes in is read as hostile (`listing`), all of it is checked before any of it is stored, and
there is no pickle.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
import sqlite3
import zipfile
from collections.abc import Callable, Generator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

import msgspec
import numpy as np

from ..core.errors import InputError
from ..core.packet import Phase
from . import backups, listing, schema, values
from .backups import Progress, unwatched
from .batch import one_step
from .project import Project
from .records import LANDMARKS, MAX_CLIP_BYTES, Clip, Example, NewExample, checked

FORMAT = "tmstream-export-1"
SUFFIXES = {"audio/flac": ".flac", "image/jpeg": ".jpg", LANDMARKS: ".landmarks"}
MEDIA_TYPES = {suffix: kind for kind, suffix in SUFFIXES.items()}

#: Read from a file that is closed with it.
Examples: TypeAlias = Generator[NewExample, None, None]

BATCH = 500  #: examples stored at once
#: Vectors are numbers: the best packing of them takes seven times as long and saves 7 % of a file.
PACKING = 1
MAX_SETTINGS_BYTES = 2**20

#: Settings that describe the vectors, and so have to come along with them.
_SETTINGS = ("pipeline", "space:")


class _Line(msgspec.Struct, frozen=True):
    """One line of ``examples.jsonl``."""

    id: str
    label: str
    space: str
    vector: list[float]
    take: str
    person: str | None = None
    groups: dict[str, str] = {}
    source: str = ""
    t_us: int = 0
    end_us: int = 0
    phase: Phase = "frame"
    augmented_from: str | None = None
    negative: bool = False
    created_us: int = 0
    clip: str | None = None


def export(project: Project, out: Path, progress: Progress = unwatched) -> dict[str, Any]:
    """Write the living examples, their clips and the settings to the zip ``out``.

    ``progress`` is told how many examples are written, of how many.

    Raises:
        StoreError: ``out`` exists already, or cannot be written.
    """
    out = Path(out).absolute()
    unfinished = out.with_name(out.name + ".partial")
    with backups.fresh(out):
        try:
            with zipfile.ZipFile(
                unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=PACKING
            ) as archive:
                counts = _write(project, archive, progress)
            unfinished.replace(out)
        finally:
            unfinished.unlink(missing_ok=True)
    return {"path": str(out), **counts}


def _write(project: Project, archive: zipfile.ZipFile, progress: Progress) -> dict[str, int]:
    examples = project.examples()
    groups = sorted({key for example in examples for key in example.groups})
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["file", "label", "person", "take", *groups])
    files: dict[tuple[bytes, str], str] = {}
    with archive.open("examples.jsonl", "w", force_zip64=True) as lines:
        clips = []
        for number, example in enumerate(examples, 1):
            clip = project.clip(example.id) if example.has_clip else None
            name = None
            if clip is not None:
                key = (clip.data, example.label)
                name = files.get(key)
                if name is None:
                    name = files[key] = _file_name(example, clip)
                    clips.append((name, example.id))
                    if not example.negative and example.augmented_from is None:
                        named = [example.groups.get(group, "") for group in groups]
                        rows.writerow(
                            [name, example.label, example.person or "", example.take, *named]
                        )
            lines.write(msgspec.json.encode(_line(example, name)) + b"\n")
            progress(number, len(examples))
    for name, owner in clips:
        clip = project.clip(owner)
        if clip is not None:
            archive.writestr(name, clip.data, zipfile.ZIP_STORED)
    archive.writestr("labels.csv", table.getvalue())
    archive.writestr("settings.json", json.dumps(project.settings(), indent=2, sort_keys=True))
    archive.comment = FORMAT.encode()
    return {"examples": len(examples), "clips": len(clips)}


def _line(example: Example, clip: str | None) -> _Line:
    fields = msgspec.structs.asdict(example)
    del fields["has_clip"]
    fields["vector"] = example.vector.tolist()
    return _Line(**fields, clip=clip)


def _file_name(example: Example, clip: Clip) -> str:
    """Return a name that is safe on every system, whatever the label is."""
    folder = quote(example.label, safe=" ")[:80].strip(" .") or "label"
    folder = re.sub(r"^\.+", "", folder)
    return f"{folder}/{re.sub(r'[^0-9A-Za-z_-]', '_', example.id)}{SUFFIXES[clip.media_type]}"


def bring_in(source: Path, project: Project, progress: Progress = unwatched) -> dict[str, Any]:
    """Add the examples of a zip, an unpacked zip or another project; all of it is one undo step.

    Examples already here stay as they are; those deleted here come back. What is left unfinished is
    taken back. ``progress`` is told how many are stored, of how many.

    Raises:
        InputError: it is none of these, is not whole, or was made by another embedder.
        StoreError: the project cannot be written.
    """
    source = Path(source).absolute()
    if not source.exists():
        raise InputError(f"{source}: there is no such file or folder")
    if source.is_file() and not source.stat().st_size:
        raise InputError(f"{source}: is empty")
    if source.is_dir():
        return _store_listing(project, listing.of_folder(source), source, progress)
    if zipfile.is_zipfile(source):
        with listing.opened_zip(source, str(source), listing.EXPORT) as archive:
            return _store_listing(project, listing.of_zip(archive, source), source, progress)
    if source.suffix.lower() == ".zip":
        raise InputError(f"{source}: is not a whole zip file")
    try:
        settings = _project_settings(source)
        return _store(project, source, settings, partial(backups.whole_examples, source), progress)
    except schema.Damaged as error:
        raise InputError(str(error)) from error


def _store(
    project: Project,
    path: Path,
    settings: dict[str, Any],
    examples: Callable[[], Examples],
    progress: Progress,
) -> dict[str, Any]:
    """Read everything once to see that it is sound, then once more to store it."""
    sizes, total = project.spaces(), 0
    with closing(examples()) as source:
        for total, example in enumerate(source, 1):
            try:
                checked(example)
            except InputError as error:
                raise InputError(f"{path}: example {total}: {error}") from error
            if sizes.setdefault(example.space, example.vector.size) != example.vector.size:
                raise InputError(
                    f"{path}: example {total}: a vector of {example.space!r} has "
                    f"{example.vector.size} numbers, not {sizes[example.space]}: another embedder "
                    "made it"
                )
    missing = {}
    for key, value in settings.items():
        here = project.setting(key)
        if here is None:
            missing[key] = value
        elif key.startswith("space:") and here != value:
            raise InputError(
                f"the examples of {key[6:]!r} were made by another embedder than this project's; "
                "run tmstream reembed on one of them first"
            )
    before, read = project.count(), 0
    with closing(examples()) as source, one_step(project) as batch:
        while some := list(itertools.islice(source, BATCH)):
            project.bring_in(some, batch=batch)
            read += len(some)
            progress(read, total)
        if missing and read:
            project.set_settings(missing, batch=batch)
    return {"read": read, "added": project.count() - before}


def _project_settings(source: Path) -> dict[str, Any]:
    with schema.explained(source), closing(backups.connect_any(source)) as db:
        schema.version_of(db, source)
        try:
            keys = [key for (key,) in db.execute("SELECT key FROM setting")]
            return {key: values.setting(db, key) for key in keys if key.startswith(_SETTINGS)}
        except (sqlite3.DatabaseError, schema.Damaged):
            return {}


def _store_listing(
    project: Project, files: listing.Listing, path: Path, progress: Progress
) -> dict[str, Any]:
    if "examples.jsonl" not in files.names:
        raise InputError(
            f"{path}: holds no examples.jsonl; folders of recordings are taught by tmstream teach"
        )
    settings: dict[str, Any] = {}
    if "settings.json" in files.names:
        try:
            found = msgspec.json.decode(
                files.read("settings.json", MAX_SETTINGS_BYTES), type=dict[str, Any]
            )
        except msgspec.DecodeError as error:
            raise InputError(f"{path}: settings.json cannot be read ({error})") from error
        settings = {key: value for key, value in found.items() if key.startswith(_SETTINGS)}
    return _store(project, path, settings, partial(_examples, files, path), progress)


def _examples(files: listing.Listing, path: Path) -> Examples:
    names = files.names
    decoder = msgspec.json.Decoder(_Line)
    for number, text in enumerate(files.lines("examples.jsonl"), 1):
        if not text.strip():
            continue
        try:
            line = decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: examples.jsonl:{number}: {error}") from error
        fields = msgspec.structs.asdict(line)
        fields["vector"] = np.array(line.vector, np.float64)
        fields["clip"] = None
        if line.clip is not None and line.clip in names:
            media_type = MEDIA_TYPES.get(Path(line.clip).suffix)
            if media_type is not None:
                fields["clip"] = Clip(files.read(line.clip, MAX_CLIP_BYTES), media_type)
        yield NewExample(**fields)
