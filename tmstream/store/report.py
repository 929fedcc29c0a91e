"""``tmstream doctor --report``: what somebody far away needs to see, and nothing private.

A zip of the logs, versions, the machine, the running pipeline's settings and a project's counts. No
recording, no picture, no example, no token; whatever looks like a secret is blotted out again.
"""

from __future__ import annotations

import json
import platform
import sys
import zipfile
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any

import msgspec

from ..core.errors import StoreError, TmstreamError
from ..core.resources import state_folder
from . import logs
from .project import Project

MAX_LOG_BYTES = logs.FILES * (logs.MAX_FILE_BYTES + 100_000)


class LastRun(msgspec.Struct, frozen=True):
    """Which exhibit ran last: noted in the state folder by ``tmstream kiosk``."""

    pipeline: str
    project: str | None = None


def note_run(run: LastRun) -> None:
    """Remember what runs, so that a report can show its settings."""
    folder = state_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / "kiosk.json").write_bytes(msgspec.json.encode(run))


def last_run() -> LastRun | None:
    """Return what `note_run` wrote, or None."""
    try:
        return msgspec.json.decode((state_folder() / "kiosk.json").read_bytes(), type=LastRun)
    except (OSError, msgspec.DecodeError):
        return None


def write_report(
    path: Path, *, pipeline: Path | None = None, project: Path | None = None,
    checks: Iterable[str] = (),
) -> list[str]:  # fmt: skip
    """Write the report to ``path`` and return the names in it.

    Without ``pipeline`` and ``project``: those of the exhibit that ran last, if there was one.
    ``checks`` are the lines that `tmstream doctor` printed. Raises `StoreError` when it cannot be
    written.
    """
    last = last_run()
    if last is not None:
        pipeline = pipeline or Path(last.pipeline)
        project = project or (Path(last.project) if last.project else None)
    parts: dict[str, str] = {
        "versions.json": _json(_versions()),
        "machine.json": _json(_machine()),
        "doctor.txt": "\n".join(checks) + "\n",
        "state.txt": "\n".join(_state()) + "\n",
    }
    for file in sorted(logs.log_folder().glob("tmstream.jsonl*")):
        parts[f"logs/{file.name}"] = _tail(file)
    if pipeline is not None:
        parts["pipeline.yaml"] = _tail(pipeline)
    if project is not None:
        parts["project.json"] = _json(_project(project))
    try:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as pack:
            for name, text in parts.items():
                pack.writestr(name, logs.blotted(text))
    except OSError as error:
        raise StoreError(f"{path}: cannot write the report: {error.strerror}") from error
    return list(parts)


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=1, default=str) + "\n"


def _versions() -> dict[str, str]:
    found = {"python": sys.version, "tmstream": _version("tmstream")}
    for need in distribution("tmstream").requires or ():
        name = need.partition(";")[0]
        for sign in "<>=!~[ ":
            name = name.partition(sign)[0]
        found[name] = _version(name)
    return found


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _machine() -> dict[str, Any]:
    return {
        "system": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "executable": sys.executable,
    }


def _state() -> list[str]:
    """List the state folder by name and size: never what is in it."""
    folder = state_folder()
    files = sorted(one for one in folder.rglob("*") if one.is_file())
    return [f"{one.stat().st_size:>12} {one.relative_to(folder)}" for one in files[:500]]


def _project(path: Path) -> dict[str, Any]:
    try:
        with Project.open(path, read_only=True) as project:
            return {**project.info(), "notices": project.notices}
    except TmstreamError as error:
        return {"path": path, "error": str(error)}


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - MAX_LOG_BYTES))
            return file.read(MAX_LOG_BYTES).decode("utf-8", "replace")
    except OSError as error:
        return f"cannot be read: {error.strerror}\n"
