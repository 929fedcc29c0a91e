"""Look at this machine, and say what to install."""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import click

from ..core.errors import DeviceError


class Finding(NamedTuple):
    """One thing looked at: ``ok``, ``missing`` (and what to do) or just a fact."""

    name: str
    state: str
    what: str


@click.command()
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also write FILE (zip) with the logs, to send to somebody who helps.",
)
def doctor(report: Path | None) -> int:
    """Look at this machine, and say what is missing and how to get it.

    Nothing leaves the machine. The report holds the logs, versions and settings: no token, no
    recording and no example.
    """
    found = list(look())
    lines = [f"{one.state:8} {one.name}: {one.what}" for one in found]
    for line in lines:
        click.echo(line)
    if report is not None:
        from ..store.report import write_report

        names = write_report(report, checks=lines)
        click.echo(f"written to {report}: {', '.join(names)}")
    missing = [one for one in found if one.state == "missing"]
    things = "1 thing is" if len(missing) == 1 else f"{len(missing)} things are"
    click.echo(f"{things} missing" if missing else "all well")
    return 1 if any(one.name in NEEDED for one in missing) else 0


#: Without these nothing works; the rest narrows what does.
NEEDED = frozenset({"models", "onnxruntime", "numpy", "state folder"})


def look() -> Iterator[Finding]:
    """Yield what was found, one look after the other."""
    from .. import __version__

    yield Finding("tmstream", "fact", f"{__version__} on Python {platform.python_version()}")
    yield Finding("system", "fact", f"{platform.platform()}, {platform.machine()}")
    for name in ("numpy", "onnxruntime", "mediapipe", "soundfile", "sounddevice", "websockets"):
        try:
            yield Finding(name, "ok", metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Finding(name, "missing", f"pip install {name}")
    checks: dict[str, Callable[[], str]] = {
        "models": _models,
        "libsndfile": _soundfile,
        "PortAudio": _portaudio,
        "microphone": _microphone,
        "OpenCV": _opencv,
        "state folder": _state,
        "disk": _disk,
        "port 8765": _port,
        "p5": _p5,
    }
    for name, check in checks.items():
        try:
            yield Finding(name, "ok", check())
        except Exception as error:  # noqa: BLE001 - whatever is wrong is what was asked for
            yield Finding(name, "missing", " ".join(str(error).split()) or type(error).__name__)


def _models() -> str:
    from ..backends.models import catalogue, find_model

    names = sorted(catalogue())
    for name in names:
        find_model(name)
    return f"{', '.join(names)}: as models.toml says"


def _soundfile() -> str:
    import soundfile

    return f"{soundfile.__libsndfile_version__}"


def _portaudio() -> str:
    from .devices import portaudio

    return portaudio()


def _microphone() -> str:
    from ..capture.microphone import WITHOUT
    from .devices import microphones, portaudio

    try:
        portaudio()
    except DeviceError as error:
        raise DeviceError("none can be looked for without PortAudio") from error
    if not (found := microphones()):
        raise DeviceError(
            "PortAudio finds no input device; plug one in, and see `tmstream devices` "
            f"(Linux: a user without a desktop must be in the group audio); {WITHOUT}"
        )
    return f"{len(found)} found" if len(found) > 1 else found[0].partition(": ")[2]


def _opencv() -> str:
    try:
        import cv2
    except ImportError as error:
        if sys.platform == "linux":
            raise ImportError(f"{error}; apt-get install libgl1 libglib2.0-0") from error
        raise
    return str(cv2.__version__)


def _state() -> str:
    from ..server.state import state_folder

    folder = state_folder()
    with tempfile.TemporaryFile(dir=folder):
        return str(folder)


def _disk() -> str:
    from ..server.state import state_folder
    from ..store.records import MIN_FREE_BYTES

    free = shutil.disk_usage(state_folder()).free
    if free < MIN_FREE_BYTES:
        raise OSError(f"only {free / 1e6:.0f} MB are free; recording needs more")
    return f"{free / 1e9:.1f} GB free"


def _port() -> str:
    import socket

    from ..server.state import find_running, state_folder

    with socket.socket() as probe:
        taken = probe.connect_ex(("127.0.0.1", 8765)) == 0
    if not taken:
        return "free"
    if find_running(state_folder()) is not None:
        return "an engine of yours runs there"
    raise OSError("taken by another program; choose another with --port")


def _p5() -> str:
    from ..core.resources import resource

    if (resource("demos") / "node_modules" / "p5").is_dir():
        return "on this machine"
    return "not on this machine: sketches load it from one pinned address"
