"""What tests need beyond Python, and how they say that it is missing."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tmstream.backends import onnx

# How long an example takes says how busy the machine is, and nothing about the law.
settings.register_profile("laws", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("laws")

ROOT = Path(__file__).resolve().parents[1]
REQUIRED = {name for name in os.environ.get("TMSTREAM_REQUIRE", "").split(",") if name}


def _missing(what: str, reason: str) -> None:
    """Skip with the reason printed, or fail where this machine was said to have it."""
    if what in REQUIRED:
        pytest.fail(f"TMSTREAM_REQUIRE names {what}, but {reason}")
    pytest.skip(reason)


def data_folder() -> Path:
    """Return where the real labelled data would be."""
    return Path(os.environ.get("TMSTREAM_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def needs_data() -> Callable[[str], Path]:
    """Return a function from a set's name to its folder; it skips when the set is not here."""

    def folder(name: str) -> Path:
        path = data_folder() / name
        if not path.is_dir():
            _missing("data", f"no real data at {path} (set TMSTREAM_DATA)")
        return path

    return folder


@pytest.fixture(scope="session")
def needs() -> Callable[[str, str], None]:
    """Return ``needs(what, reason)``: skips, or fails where TMSTREAM_REQUIRE names ``what``."""
    return _missing


@pytest.fixture(scope="session")
def needs_portaudio() -> None:
    """Skip without PortAudio."""
    try:
        import sounddevice  # noqa: F401
    except OSError as error:
        _missing(
            "portaudio", f"PortAudio is not installed ({error}); apt-get install libportaudio2"
        )


@pytest.fixture(scope="session")
def needs_chromium() -> str:
    """Return the path of Chromium; skip without it."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or ""
    if not found:
        _missing("chromium", "no Chromium on the PATH; apt-get install chromium")
    return found


@pytest.fixture(scope="session", autouse=True)
def _models_stay_loaded() -> Iterator[None]:
    """Load a model once: what hears takes a tenth of a second, in hundreds of tests.

    Between two runs a session keeps nothing, and threads may share it. A model is known by its
    hash, and a failure to load is not remembered.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx, "_session", functools.cache(onnx._session))
        yield


@pytest.fixture(autouse=True)
def _state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep tokens, logs and backups of a test in its own folder."""
    monkeypatch.setenv("TMSTREAM_STATE", str(tmp_path / "state"))


@pytest.fixture(scope="session")
def needs_vision() -> Callable[[str], None]:
    """Return a function that skips a node whose libraries this machine cannot load (libGL ...)."""

    def check(name: str) -> None:
        if name in ("body_landmarks", "hand_landmarks", "camera", "video_file"):
            try:
                import cv2  # noqa: F401
            except ImportError as error:
                _missing("vision", f"opencv cannot be loaded ({error}); apt-get install libgl1")

    return check
