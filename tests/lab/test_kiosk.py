"""What an exhibit's units refuse, what is looked at before they are written, and GNOME's overview."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tmstream.cli import cli
from tmstream.engine.spec import parse
from tmstream.lab import kiosk as lab

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
