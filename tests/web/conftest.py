"""One Chromium for all browser tests, and pages that remember what they complained of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FLAGS = [
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
RATE_HZ = 16000
#: Of the injected microphone's take, which goes round: claps, then whistles.
PART_S = 5.0
ARTEFACTS = Path(__file__).resolve().parents[2] / "artefacts"


@pytest.fixture(scope="package")
def take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five seconds of claps, then five of whistles: what the injected microphone plays round and round."""
    import soundfile

    from tmstream.capture.synthetic import MAKERS

    rng = np.random.default_rng(3)
    heard = rng.normal(0, 1e-3, round(2 * PART_S * RATE_HZ))
    for part, name in enumerate(("clap", "whistle")):
        for at_s in np.arange(0.6, PART_S - 1, 1.0):
            made = MAKERS[name](rng, RATE_HZ)[: round(0.6 * RATE_HZ)]
            start = round((part * PART_S + at_s) * RATE_HZ)
            heard[start : start + len(made)] += made
    path = tmp_path_factory.mktemp("take") / "take.wav"
    soundfile.write(path, np.clip(heard, -1, 1), RATE_HZ, subtype="PCM_16")
    return path


@pytest.fixture(scope="package")
def chromium(needs_chromium: str, take: Path) -> Iterator[Any]:
    """Not for the whole session: while it lives, playwright's loop runs in the main thread."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=needs_chromium,
            args=[*FLAGS, f"--use-file-for-fake-audio-capture={take}"],
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Return a function that opens an address; ``page.complaints`` holds console errors and exceptions."""
    contexts = []

    def opened(address: str, *, width: int = 800, height: int = 500, **options: Any) -> Any:
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.complaints = []
        page.outside = []  # requests that would have left this machine
        page.on("console", lambda m: page.complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: page.complaints.append(str(error)))

        def keep_home(route: Any) -> None:
            if "//localhost" in route.request.url or "//127.0.0.1" in route.request.url:
                route.continue_()
            else:
                page.outside.append(route.request.url)
                route.abort()

        page.route("**/*", keep_home)
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def visitor(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Return a function that opens a page by itself; in the end none may have complained."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def opened(address: str, **options: Any) -> Any:
        contexts.append(chromium.new_context(**options))
        page = contexts[-1].new_page()
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        return page

    yield opened
    for one in contexts:
        one.close()
    assert complaints == []


@pytest.fixture(scope="session")
def artefacts() -> Path:
    """Return the folder for screenshots that people look at."""
    ARTEFACTS.mkdir(exist_ok=True)
    return ARTEFACTS
