"""The screen of an exhibit: a browser that is looked after."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import click

from ..core.errors import InputError

ASK_S = 5.0
PATIENCE_S = 1.0
LOOKS, LOOK_S = 6, 5.0
GONE_LOOKS, END_S = 12, 10.0  #: a minute; a busy machine's page may lose its connection for a while


def health() -> dict[str, object] | None:
    """Return what the running engine says of itself, or None.

    Raises:
        TimeoutError: something listens there, and says nothing.
    """
    from ..server.state import find_running, state_folder

    running = find_running(state_folder())
    if running is None:
        return None
    scheme = "https" if running.tls else "http"
    # Never by way of a proxy: this is our own machine.
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(f"{scheme}://127.0.0.1:{running.port}/health", timeout=ASK_S) as answer:
            facts: dict[str, object] = json.loads(answer.read(100_000))
    except (URLError, OSError, ValueError) as error:
        if isinstance(getattr(error, "reason", error), TimeoutError):
            raise TimeoutError from error
        return None
    return {**facts, "port": running.port, "scheme": scheme}


def show(page: str, position: str | None) -> int:
    """Keep a full-screen browser open; it is started again whenever it ends."""
    from ..lab.kiosk import browser_command, show_windows
    from ..server.state import state_folder

    while True:
        facts = None
        with contextlib.suppress(TimeoutError):
            facts = health()
        if facts is None:
            time.sleep(PATIENCE_S)
            continue
        url = f"{facts['scheme']}://localhost:{facts['port']}/{page.lstrip('/')}"
        line = browser_command(url, state_folder() / "browser", position=position)
        if line is None:
            raise InputError("no browser found; install chromium")
        click.echo(" ".join(line), err=True)
        with subprocess.Popen(line) as browser:
            # A desktop that is still starting may open its overview over the window.
            for _ in range(LOOKS):
                show_windows()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    browser.wait(LOOK_S)
                    break
            attend(browser)
        time.sleep(PATIENCE_S)


def attend(browser: subprocess.Popen[bytes]) -> None:
    """Wait for the browser's end, and end it when only its page has crashed: it would stay so."""
    from ..lab.kiosk import PageWatch

    watch = PageWatch(GONE_LOOKS)
    while browser.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            browser.wait(LOOK_S)
            return
        pages = None
        with contextlib.suppress(TimeoutError):
            facts = health()
            pages = None if facts is None else int(str(facts.get("clients", 0)))
        if watch.gone(pages):
            click.echo("the page is gone; starting the browser again", err=True)
            browser.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                browser.wait(END_S)
            browser.kill()
