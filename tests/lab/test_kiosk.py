"""What an exhibit's units refuse, what is looked at before they are written, and GNOME's overview."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tmstream.cli import _screen, cli
from tmstream.engine.spec import parse
from tmstream.lab import kiosk as lab
from tmstream.server.state import Running, note_running

PIECE = """
nodes:
  mic:  {type: synthetic}
  bars: {type: spectrum, from: mic}
  out:  {type: websocket, from: bars}
"""


def install(pipeline: Path, sketch: Path) -> Result:
    line = ["kiosk", str(pipeline), "--sketch", str(sketch), "--install"]
    return CliRunner().invoke(cli, line)


@pytest.mark.parametrize(("change", "health", "home"), [
    ("", None, True),
    ("server: {host: '::1'}\n", "localhost:8766", True),
    ("server: {host: 0.0.0.0, insecure_lan: true}\n", None, False),
    ("", "0.0.0.0:8766", False),
    ("", "[::]:8766", False),
    ("  far: {type: osc, from: s, host: 192.168.0.9}\n", None, False),
    ("  near: {type: osc, from: s}\n", None, True),
])  # fmt: skip
def test_only_an_exhibit_that_answers_nobody_else_refuses_everybody_else(
    change: str, health: str | None, home: bool
) -> None:
    nodes = "nodes:\n  mic: {type: synthetic}\n  s: {type: spectrum, from: mic}\n"
    pipeline = parse(nodes + change if change.startswith(" ") else change + nodes)
    assert lab.stays_home(pipeline, health_listen=health) is home
    text = lab.systemd_units(Path("/p.yaml"), [], home=home)["tmstream.service"]
    assert ("IPAddressDeny=any\nIPAddressAllow=localhost\n" in text) is home


def test_kiosk_looks_at_the_sketch_before_it_installs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(sys, "platform", "linux")
    exhibit, sketch = tmp_path / "p.yaml", tmp_path / "sketch"
    exhibit.write_text(PIECE)
    refused = install(exhibit, sketch)
    assert "no index.html there" in str(refused.exception)
    assert not (tmp_path / "config").exists()
    sketch.mkdir()
    page = '<script src="https://a.example/p5.min.js"></script><script src="sketch.js"></script>'
    (sketch / "index.html").write_text(page)
    told = install(exhibit, sketch)
    assert "note: the sketch loads https://a.example/p5.min.js: without the network" in told.output
    (sketch / "index.html").write_text(page.replace("https://a.example/", ""))
    told = install(exhibit, sketch)
    assert (told.exit_code, "note:" in told.output) == (0, False), told.output


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for gdbus is a shell script")
def test_gnome_is_asked_to_leave_its_overview(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = tmp_path / "asked"
    gdbus = tmp_path / "gdbus"
    gdbus.write_text(f'#!/bin/sh\necho "$@" >> "{asked}"\nexit 1\n')
    gdbus.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("XDG_CURRENT_DESKTOP", "KDE")
    lab.show_windows()
    assert not asked.exists()
    monkeypatch.setenv("XDG_CURRENT_DESKTOP", "ubuntu:GNOME")
    lab.show_windows()
    assert asked.read_text().endswith("Properties.Set org.gnome.Shell OverviewActive <false>\n")


def test_a_file_in_the_home_folder_stands_in_for_no_module(tmp_path: Path) -> None:
    (tmp_path / "random.py").write_text("raise RuntimeError('not the one')")
    line = lab.command("--version")
    subprocess.run(line, cwd=tmp_path, check=True, capture_output=True)


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for Chromium is a shell script")
def test_nothing_asks_the_visitors_for_a_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Seen on Debian 12: GNOME's "Choose password for new keyring" stood over the sketch.
    chromium = tmp_path / "chromium"
    chromium.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    chromium.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    line = lab.browser_command("http://localhost:1/sketch/", tmp_path / "profile")
    assert line is not None
    given = subprocess.run(line, check=True, capture_output=True, text=True).stdout.splitlines()
    assert "--password-store=basic" in given
    assert given[-1] == "http://localhost:1/sketch/"


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for Chromium is a shell script")
def test_a_place_is_asked_for_where_it_can_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Seen on Debian 12: under Wayland the sketch stood on the first display, whatever was asked.
    (tmp_path / "chromium").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    second = lab.browser_command("http://localhost:1/", tmp_path, position="1920,0") or []
    assert [w for w in second if w.startswith(("--window", "--ozone"))] == [
        "--window-position=1920,0", "--ozone-platform=x11",
    ]  # fmt: skip
    first = lab.browser_command("http://localhost:1/", tmp_path) or [""]
    assert not any(word.startswith("--ozone") for word in first)
    monkeypatch.setattr(sys, "platform", "darwin")
    mac = lab.browser_command("http://localhost:1/", tmp_path, position="1920,0") or [""]
    assert not any(word.startswith("--ozone") for word in mac)


def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def gone() -> socket.socket:
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))
    return closed


@pytest.mark.parametrize(("there", "said"), [
    (listening, "the engine gave no answer within 0.05 s: it is busy, or it hangs\n"),
    (gone, "the exhibit is not running\n"),
])  # fmt: skip
def test_an_engine_that_is_silent_is_told_from_one_that_is_not_there(
    there: Callable[[], socket.socket], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMSTREAM_STATE", str(tmp_path))
    monkeypatch.setattr(_screen, "ASK_S", 0.05)
    (tmp_path / "p.yaml").write_text(PIECE)
    with there() as engine:
        note_running(tmp_path, Running(engine.getsockname()[1]))
        told = CliRunner().invoke(cli, ["kiosk", str(tmp_path / "p.yaml"), "--status"])
    assert (told.exit_code, told.output) == (1, said)


@pytest.mark.parametrize(("looks", "gone"), [
    ([0, 0, 0, 0], False),  # a page that never connects is no sketch of ours: left alone
    ([1, 0, 0, 0], True),  # Chromium stays on "Aw, Snap!" when only its page has crashed
    ([1, 0, 0, 1, 0, 0], False),
    ([1, 0, 0, None, 0, 0], False),  # the engine was away, and the page with it
])  # fmt: skip
def test_a_page_that_crashed_is_told_from_one_that_waits(
    looks: list[int | None], gone: bool
) -> None:
    watch = lab.PageWatch(patience=3)
    assert [watch.gone(pages) for pages in looks][-1] is gone


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for Chromium is a Unix program")
def test_a_browser_whose_page_is_gone_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_screen, "LOOK_S", 0.01)
    pages = iter([1] + [0] * 100)
    monkeypatch.setattr(_screen, "health", lambda: {"clients": next(pages)})
    with subprocess.Popen(["sleep", "60"]) as browser:
        _screen.attend(browser)
        assert browser.wait(5) != 0
    assert next(pages) == 0
