"""Recording, replay, kiosk and sign from the command line, as a person types them."""

from __future__ import annotations

import html
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest
from click.testing import CliRunner, Result
from websockets.sync.client import connect

from tmstream.cli import cli
from tmstream.engine.registry import Registry
from tmstream.engine.spec import parse
from tmstream.lab import kiosk as lab
from tmstream.lab.sign import sign
from tmstream.server.state import find_running, state_folder
from tmstream.store import logs
from tmstream.store.project import NewExample, Project

TAPE = """
server: {port: 0}
project: p.tms
nodes:
  mic:    {type: synthetic, seconds: 6}
  sound:  {type: audio_embedding, from: mic}
  head:   {type: knn, from: sound}
  events: {type: events, from: head}
  tape:   {type: recorder, from: [mic, events], path: takes}
  out:    {type: websocket, from: [head, events]}
"""


def tmstream(*arguments: Any) -> Result:
    return CliRunner().invoke(cli, [str(one) for one in arguments])


def messages(out: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in out.splitlines()]
    return [
        {k: v for k, v in one.items() if k != "latency"} for one in found if one["type"] != "status"
    ]


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    (tmp_path / "p.yaml").write_text(TAPE)
    return tmp_path


def test_a_recording_replays_what_was_printed(tape: Path, tmstream: Callable) -> None:
    # By the fixture: what is printed goes to a descriptor, which click's runner has none of.
    ran = tmstream("run", tape / "p.yaml", "--print", "--no-browser")
    assert ran.status == 0, ran.err
    again = [tmstream("replay", tape / "takes", "--print", "--no-browser") for _ in range(2)]
    assert messages(again[0].out) == messages(again[1].out) == messages(ran.out)
    assert len(messages(ran.out)) > 10
    assert len(list((tape / "takes").iterdir())) == 1  # a replay records nothing


def test_what_other_settings_would_have_done(tape: Path) -> None:
    assert tmstream("run", tape / "p.yaml", "--no-browser").exit_code == 0
    told = tmstream("replay", tape / "takes", "--pipeline", tape / "p.yaml")
    assert told.exit_code == 0, told.output
    assert "0 events as before" in told.output
    missing = tmstream("replay", tape, "--print")
    assert missing.exit_code == 1


def test_tune_keeps_a_recorded_room_quiet(tape: Path) -> None:
    assert tmstream("run", tape / "p.yaml", "--no-browser").exit_code == 0
    rng = np.random.default_rng(0)
    with Project.open(tape / "p.tms") as project:
        vectors = rng.normal(0, 1, (6, 134)).astype(np.float32)
        space = next(iter(project.spaces()), "audio")
        project.add(
            [NewExample("a" if i % 2 else "b", space, v, f"t{i}") for i, v in enumerate(vectors)]
        )
    told = tmstream(
        "tune",
        tape / "p.tms",
        "--pipeline",
        tape / "p.yaml",
        "--ambient",
        tape / "takes",
        "--max-per-hour",
        1,
    )
    if "dimension" in told.output:
        pytest.fail(told.output)
    assert "false alarms an hour" in told.output
    assert "only 0.00 hours were recorded" in told.output


def test_kiosk_installs_units_that_systemd_understands(
    tape: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tape / "config"))
    monkeypatch.setattr(sys, "platform", "linux")
    exhibit = tape / "p.yaml"
    refused = tmstream("kiosk", exhibit, "--install")
    assert "private: true, but tape" in str(refused.exception), "it keeps raw sound"
    exhibit.write_text(exhibit.read_text() + "private: false\n")
    told = tmstream(
        "kiosk",
        exhibit,
        "--install",
        "--health-listen",
        "0.0.0.0:8766",
        "--page",
        "demos/hello/",
    )
    assert told.exit_code == 0, told.output
    unit = tape / "config/systemd/user/tmstream.service"
    text = unit.read_text()
    assert "IPAddressDeny" not in text, "monitors ask from another machine"
    for line in ("Type=notify", "WatchdogSec=30", "Restart=always", "MemoryMax=2G",
                 "StartLimitIntervalSec=0", "NoNewPrivileges=yes"):  # fmt: skip
        assert line in text.splitlines()
    assert f'"{tape / "p.yaml"}" "--health-listen" "0.0.0.0:8766"' in text
    assert (
        '"--show" "--page" "demos/hello/"' in (unit.parent / "tmstream-browser.service").read_text()
    )
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("no systemd-analyze on this machine")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tape))
    for name in ("tmstream.service", "tmstream-browser.service"):
        done = subprocess.run(
            [verify, "verify", "--user", unit.parent / name],
            capture_output=True,
            text=True,
            check=False,
        )
        if "Failed to initialize manager" in done.stderr:
            pytest.skip(f"systemd-analyze cannot run here: {done.stderr.strip()}")
        assert (done.returncode, done.stderr) == (0, "")
    broken = unit.with_name("broken.service")
    broken.write_text(text.replace("Type=notify", "Type=notified"))  # the check can fail
    done = subprocess.run(
        [verify, "verify", "--user", broken], capture_output=True, text=True, check=False
    )
    assert "notified" in done.stderr


@pytest.mark.parametrize(
    ("node", "says"),
    [
        ("{type: synthetic, rate_hz: 16 kHz}", "wrong.yaml:2: nodes.mic.rate_hz"),
        ("{type: microfone}", "wrong.yaml:2: nodes.mic.type: no node type 'microfone'"),
    ],
)
def test_kiosk_installs_nothing_for_a_wrong_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, node: str, says: str
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(f"nodes:\n  mic: {node}\n")
    line = [sys.executable, "-m", "tmstream", "kiosk", str(wrong), "--install"]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 2
    assert says in done.stderr
    assert not list((tmp_path / "config").rglob("*.service"))


@pytest.mark.parametrize("corner", ["12", "left,top", "1920,0 --no-sandbox"])
def test_a_corner_that_is_none_is_said(corner: str) -> None:
    refused = tmstream("kiosk", "sound", "--show", "--position", corner)
    assert refused.exit_code == 2
    assert "is no corner in pixels, as in 1920,0" in refused.output


def test_paths_with_odd_signs_reach_the_unit_whole() -> None:
    units = lab.systemd_units(Path('/srv/100% "odd" $x/p.yaml'), [])
    assert r'"/srv/100%% \"odd\" $$x/p.yaml"' in units["tmstream.service"]
    assert "tmstream-browser.service" not in units


def test_other_systems_get_text_that_parses(tmp_path: Path) -> None:
    import plistlib
    from xml.etree import ElementTree

    task = lab.windows_task(Path("C:/a & b/p.yaml"), ["--port", "1"])
    arguments = ElementTree.fromstring(task.encode()).findtext(".//{*}Arguments")
    assert arguments == '"-P" "-m" "tmstream" "kiosk" "C:/a & b/p.yaml" "--port" "1"'
    agent = plistlib.loads(lab.launch_agent(Path("/a & b/p.yaml"), ["--port", "1"]).encode())
    assert agent["ProgramArguments"][4:] == ["kiosk", "/a & b/p.yaml", "--port", "1"]
    assert agent["KeepAlive"] is True


def test_an_exhibit_is_private_and_looked_after_unless_it_says_otherwise() -> None:
    registry = Registry.installed()
    text = "nodes: {mic: {type: microphone}, s: {type: audio_embedding, from: mic}, h: {type: knn, from: s}, o: {type: websocket, from: h}}"
    made = lab.guarded(parse(text), registry)
    assert made.private
    care = made.nodes[-1]
    assert (care.type, care.sources, care.params["chains"]) == (
        "caretaker",
        ("mic", "h"),
        {"mic": ["s"]},
    )
    assert not lab.guarded(parse(text + "\nprivate: false"), registry).private
    assert lab.guarded(made, registry) == made


@pytest.mark.parametrize(("change", "words", "absent"), [
    ("", ["Microphone in use", "Sound is turned into a few numbers", "No sound and no picture is ever written", "Nothing leaves this machine."], "building"),
    ("private: false\n", ["kept with a short sound or picture", "last 20 seconds"], "ever written"),
    ("server: {host: 0.0.0.0, insecure_lan: true}\n", ["in this building's network", "No sound and no picture leaves"], "Nothing leaves"),
])  # fmt: skip
def test_the_sign_says_what_the_pipeline_does(change: str, words: list[str], absent: str) -> None:
    text = change + (
        "project: p.tms\nnodes: {mic: {type: microphone}, s: {type: audio_embedding, from: mic},"
        " h: {type: knn, from: s}, e: {type: events, from: h},"
        " t: {type: recorder, from: [e], path: x, max_hours: 48}, o: {type: websocket, from: h}}"
    )
    registry = Registry.installed()
    page = html.unescape(
        re.sub(
            r"<style>.*?</style>|<[^>]+>",
            " ",
            sign(lab.guarded(parse(text), registry), registry),
            flags=re.DOTALL,
        )
    )
    for one in [*words, "last 48 hours"]:
        assert one in page
    assert absent not in page


def test_the_sign_names_raw_recording_and_escapes_what_it_is_told() -> None:
    registry = Registry.installed()
    text = "private: false\nnodes: {mic: {type: microphone}, t: {type: recorder, from: mic, path: x}, o: {type: osc, from: h, host: '<b>'}, s: {type: audio_embedding, from: mic}, h: {type: knn, from: s}}"
    page = sign(parse(text), registry)
    assert "Sound of the last 3 days." in page
    assert "is sent to &lt;b&gt;" in page


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="systemd is for Linux")
def test_kiosk_tells_systemd_and_ends_when_told(
    tape: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole exhibit as systemd would start it: READY, fed, locked, seen from afar, ended."""
    text = TAPE.replace("seconds: 6", "every_s: 2.0").replace("server", "realtime: true\nserver")
    (tape / "p.yaml").write_text(re.sub(r"\n  tape:.*", "", text))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tape / "notify"))
        systemd.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tape / "notify"))
        line = lab.command("kiosk", str(tape / "p.yaml"), "--health-listen", "127.0.0.1:0")
        with subprocess.Popen(
            line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as engine:
            try:
                began = time.monotonic()
                assert systemd.recv(1000).startswith(b"READY=1\nWATCHDOG=1")
                assert time.monotonic() - began < 30
                assert systemd.recv(1000).startswith(b"WATCHDOG=1")
                running = find_running(state_folder())
                assert running is not None
                with connect(f"ws://127.0.0.1:{running.port}/ws", proxy=None) as socket_:
                    assert json.loads(socket_.recv(5))["private"] is True
                told = tmstream("kiosk", tape / "p.yaml", "--status")
                assert (told.exit_code, "all is well" in told.output) == (0, True), told.output
                port = re.search(
                    r"health on port (\d+)", (logs.log_folder() / "tmstream.jsonl").read_text()
                )
                assert port is not None
                with urlopen(f"http://127.0.0.1:{port[1]}/health", timeout=5) as answer:
                    assert json.load(answer)["ok"] is True
                engine.send_signal(signal.SIGTERM)
                out, err = engine.communicate(timeout=15)
                assert engine.returncode == 0, err
                assert "#c=" not in out + err  # no one-time code ends in the journal
            finally:
                engine.kill()
        last = b""
        systemd.settimeout(0.1)
        while last != b"STOPPING=1":
            last = systemd.recv(1000)
    with Project.open(tape / "p.tms") as project:
        assert project.setting("locked") is True
    assert tmstream("doctor", "--report", tape / "r.zip").exit_code in (0, 1)
    with zipfile.ZipFile(tape / "r.zip") as pack:
        assert "every_s" in pack.read("pipeline.yaml").decode()
        assert "kiosk starts" in pack.read("logs/tmstream.jsonl").decode()
    assert tmstream("kiosk", tape / "p.yaml", "--status").exit_code == 1


#: Asks for its page, writes down what it was told and how it was called, and dies at once.
BROWSER = """
import sys, urllib.request
try:
    told = urllib.request.urlopen(sys.argv[-1], timeout=5).status
except OSError as error:
    told = error
with open({shown!r}, "a") as file:
    print(told, *sys.argv[1:], file=file)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for a browser is a script")
def test_the_page_waits_for_the_engine_and_comes_back_when_the_browser_dies(
    tape: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = tape / "shown"
    browser = tape / "bin" / "chromium"
    browser.parent.mkdir()
    browser.write_text(f"#!{sys.executable}\n" + BROWSER.format(shown=str(shown)))
    browser.chmod(0o755)
    monkeypatch.setenv("PATH", str(browser.parent), prepend=":")
    (tape / "p.yaml").write_text(
        "server: {port: 0}\nrealtime: true\nnodes: {mic: {type: synthetic},"
        " bars: {type: spectrum, from: mic}, out: {type: websocket, from: bars}}\n"
    )
    name = str(tape / "p.yaml")
    line = lab.command("kiosk", name, "--show", "--page", "demos/hello/", "--position", "1920,0")
    with subprocess.Popen(line, stderr=subprocess.DEVNULL) as show:
        try:
            with subprocess.Popen(lab.command("kiosk", name), stdout=subprocess.DEVNULL) as engine:
                try:
                    until = time.monotonic() + 40
                    while not shown.exists() or len(shown.read_text().splitlines()) < 2:
                        assert time.monotonic() < until
                        time.sleep(0.05)
                finally:
                    engine.terminate()
        finally:
            show.terminate()
    first, second = shown.read_text().splitlines()[:2]
    assert first == second
    assert first.startswith("200 "), "shown before the engine could answer"
    assert re.search(r"--kiosk .*--autoplay-policy=no-user-gesture-required", first)
    assert re.search(
        r"--window-position=1920,0 (--ozone-platform=x11 )?http://localhost:\d+/demos/hello/$",
        first,
    )
