"""The folder that outlives a run: tokens, allowed pages, and where the running engine listens."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec

from ..core import resources
from ..core.errors import InputError
from .policy import normal_origin


class Running(msgspec.Struct, frozen=True):
    """Where an engine of this user listens."""

    port: int
    pid: int
    tls: bool = False


def state_folder() -> Path:
    """Return the folder of `resources.state_folder`; made when missing."""
    folder = resources.state_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def allowed_origins(folder: Path) -> frozenset[str]:
    """Return the pages that were allowed to listen; a line that is no origin is passed over."""
    path = folder / "origins.txt"
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    found = set()
    for line in lines:
        with contextlib.suppress(InputError):
            found.add(normal_origin(line))
    return frozenset(found)


def allow_origin(folder: Path, origin: str) -> str:
    """Remember that pages of ``origin`` may listen, and return it as browsers write it.

    Raises:
        InputError: it is not an origin.
    """
    wanted = normal_origin(origin)
    every = allowed_origins(folder) | {wanted}
    part = folder / "origins.txt.part"
    part.write_text("".join(f"{one}\n" for one in sorted(every)), "utf-8")
    part.replace(folder / "origins.txt")
    return wanted


def note_running(folder: Path, running: Running) -> None:
    """Say where this engine listens, for ``tmstream open`` and its kind."""
    (folder / "running.json").write_bytes(msgspec.json.encode(running))


def forget_running(folder: Path) -> None:
    """Take the note back, unless another engine wrote its own since."""
    noted = find_running(folder)
    if noted is not None and noted.pid == os.getpid():
        (folder / "running.json").unlink(missing_ok=True)


def find_running(folder: Path) -> Running | None:
    """Return where an engine said it listens; it may be gone by now."""
    try:
        return msgspec.json.decode((folder / "running.json").read_bytes(), type=Running)
    except (OSError, msgspec.MsgspecError):
        return None
