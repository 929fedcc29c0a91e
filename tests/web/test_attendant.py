"""The attendant's page in a real browser, at a real engine that runs as an exhibit."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tmstream.lab.kiosk import command

PIPELINE = """
server: {port: 0}
project: p.tms
realtime: true
nodes:
  mic:    {type: synthetic, sounds: [clap], every_s: 1.0}
  sound:  {type: audio_embedding, from: mic}
  head:   {type: knn, from: sound}
  events: {type: events, from: head}
  out:    {type: websocket, from: [head, events]}
"""


@pytest.fixture
def exhibit(tmp_path: Path) -> Iterator[tuple[Path, Any]]:
    path = tmp_path / "p.yaml"
    path.write_text(PIPELINE)
    line = command("kiosk", str(path))
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as engine:
        try:
            assert engine.stdout is not None
            for text in engine.stdout:
                if text.startswith("studio"):
                    break
            yield path, engine
        finally:
            engine.send_signal(signal.SIGTERM)
            engine.communicate(timeout=15)


def invitation(path: Path) -> str:
    # Another process: Playwright runs a loop in this one.
    line = command("kiosk", str(path), "--invite")
    told = subprocess.run(line, capture_output=True, text=True, check=True, timeout=30)
    found = re.search(r"http://localhost:\d+/attendant/#c=\S+", told.stdout)
    assert found is not None, told.stdout
    return found[0]


def shows(page: Any, what: str, text: str | re.Pattern[str]) -> None:
    """Wait until the element shows this text."""
    from playwright.sync_api import expect

    expect(page.locator(what)).to_have_text(text, timeout=15_000)


def test_an_attendant_comes_in_once_sees_how_it_is_and_does_what_attendants_may(
    exhibit: tuple[Path, Any], visit: Callable[..., Any], artefacts: Path
) -> None:
    link = invitation(exhibit[0])
    page = visit(link, width=390, height=844)
    page.wait_for_selector("#inside:not([hidden])", timeout=15_000)
    shows(page, "#state", "All is well")
    assert "#c=" not in page.url  # the code is not left to be seen
    shows(page, "#reasons", "Nothing has been taught yet.")
    page.screenshot(path=artefacts / "attendant.png")
    page.locator("#strictness").fill("0.8")
    shows(page, "#said", "Changed.")
    page.click("#wrong")  # nothing was said that could be wrong
    shows(page, "#said", re.compile("^Not noted"))
    page.on("dialog", lambda dialog: dialog.accept())
    page.click("#restart")  # systemd is not there to start it again
    shows(page, "#said", re.compile("nobody would start it again"))
    assert page.complaints == []
    assert page.outside == []
    again = visit(link)
    shows(again, "#said", re.compile("^Not let in"))
    assert again.locator("#inside").is_hidden()
    assert again.locator("#strictness").input_value() == "0.8"  # as it was set on the other phone


def test_when_the_engine_goes_the_page_says_so(
    exhibit: tuple[Path, Any], visit: Callable[..., Any]
) -> None:
    path, engine = exhibit
    page = visit(invitation(path))
    shows(page, "#state", "All is well")
    engine.send_signal(signal.SIGTERM)
    engine.wait(timeout=15)
    shows(page, "#state", "The engine is not running")
    assert page.locator("#state").get_attribute("data-well") == "no"
