"""The folder that outlives a run: tokens, allowed pages, and where the running engine listens."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import msgspec

from ..core import resources
from ..core.errors import InputError
from .policy import normal_origin


class Running(msgspec.Struct, frozen=True):
    """Where an engine of this user listens."""

    port: int
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
    note = _note(folder, running.port)
    note.parent.mkdir(exist_ok=True)
    note.write_bytes(msgspec.json.encode(running))


def forget_running(folder: Path, port: int) -> None:
    """Take the note back, while the port is still this engine's own."""
    _note(folder, port).unlink(missing_ok=True)


def find_running(folder: Path) -> Running | None:
    """Return where the engine listens that began last; those that crashed left notes too."""
    found = []
    for note in (folder / "running").glob("*.json"):
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            running = msgspec.json.decode(note.read_bytes(), type=Running)
            found.append((note.stat().st_mtime_ns, running))
    newest_first = (one for _, one in sorted(found, key=lambda pair: pair[0], reverse=True))
    return next((one for one in newest_first if _listens(one.port)), None)


def _note(folder: Path, port: int) -> Path:
    return folder / "running" / f"{port}.json"  # a port is one engine's at a time


def _listens(port: int) -> bool:
    """Return whether anybody does; the system answers, so an engine that hangs does too."""
    try:
        socket.create_connection(("127.0.0.1", port), 1.0).close()
    except TimeoutError:
        return True  # too many wait for it
    except OSError:
        return False
    return True
