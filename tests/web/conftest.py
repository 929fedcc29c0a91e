"""One Chromium for all browser tests, and pages that remember what they complained of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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
ARTEFACTS = Path(__file__).resolve().parents[2] / "artefacts"


@pytest.fixture(scope="package")
def chromium(needs_chromium: str) -> Iterator[Any]:
    """Not for the whole session: while it lives, playwright's loop runs in the main thread."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=needs_chromium, args=FLAGS)
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


@pytest.fixture(scope="session")
def artefacts() -> Path:
    """Return the folder for screenshots that people look at."""
    ARTEFACTS.mkdir(exist_ok=True)
    return ARTEFACTS
