"""Running, and every way in which an input can be wrong: one clear line, the right status."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.lab.conftest import RATE_HZ, sound
from tmstream.store.project import NewExample, Project

PIPELINE = """\
project: p.tms
nodes:
  mic:    {type: audio_file, path: take.wav}
  sound:  {type: audio_embedding, from: mic}
  head:   {type: knn, from: sound}
  events: {type: events, from: head}
  out:    {type: websocket, from: [head, events]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pipe.yaml").write_text(PIPELINE)
    soundfile.write(
        tmp_path / "take.wav", np.concatenate([sound("clap", 1), sound("hum", 2)]), RATE_HZ
    )
    return tmp_path


def taught(tmstream: Callable, sounds: Path, project: str = "p.tms") -> None:
    assert tmstream("teach", project, sounds, "--pipeline", "demo").status == 0


def messages(out: str) -> list[dict]:
    return [json.loads(line) for line in out.splitlines()]


def test_a_file_is_answered_and_stdout_holds_messages_only(
    tmstream: Callable, folder: Path, sounds: Path
) -> None:
    taught(tmstream, sounds)
    ran = tmstream("run", "pipe.yaml", "--print", "--port", 0)
    assert ran.status == 0, ran.err
    said = messages(ran.out)
    assert [m["label"] for m in said if m["type"] == "event" and m["event"] == "trigger"] == [
        "clap",
        "hum",
    ]
    assert str(folder / "p.tms") in ran.err
    assert "opened" in ran.err


def test_a_project_is_made_beside_the_pipeline(
    tmstream: Callable, folder: Path, tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    take = folder / "take.wav"
    ran = tmstream("run", folder / "pipe.yaml", "--set", f"mic.path={take}", "--port", 0)
    assert ran.status == 0, ran.err
    assert (folder / "p.tms").is_file()
    assert "just created" in ran.out


def test_the_command_line_wins_over_the_project_over_the_yaml(
    tmstream: Callable, folder: Path, sounds: Path
) -> None:
    taught(tmstream, sounds)

    def labels(*options: str) -> set[str]:
        ran = tmstream("run", "pipe.yaml", "--print", "--port", 0, *options)
        assert ran.status == 0, ran.err
        return {m["label"] for m in messages(ran.out) if m["type"] == "event"}

    assert labels() == {"clap", "hum"}
    with Project.open(folder / "p.tms") as project:
        project.set_settings({"nodes.events.only": None, "nodes.head.strictness": 1.0})
    strict = labels()
    assert labels("--set", "head.strictness=0.5") == {"clap", "hum"}
    assert strict <= {"clap", "hum"}


def wav(content: bytes) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        (folder / "take.wav").write_bytes(content)
        return ["pipe.yaml"]

    return make


def yaml(old: str, new: str) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        text = PIPELINE.replace(old, new)
        assert text != PIPELINE
        (folder / "pipe.yaml").write_text(text)
        return ["pipe.yaml"]

    return make


def gone(folder: Path) -> list[str]:
    return ["pipe.yaml", "--source", "mic=gone.wav"]


def truncated(folder: Path) -> list[str]:
    whole = (folder / "take.wav").read_bytes()
    soundfile.write(folder / "take.flac", sound("hum", 1), RATE_HZ)
    (folder / "take.flac").write_bytes((folder / "take.flac").read_bytes()[:60])
    assert whole
    return ["pipe.yaml", "--source", "mic=take.flac"]


def not_a_project(folder: Path) -> list[str]:
    (folder / "p.tms").write_bytes(b"this is not a project at all" * 100)
    return ["pipe.yaml"]


@pytest.mark.parametrize(
    ("make", "status", "says"),
    [
        pytest.param(lambda _: ["nowhere.yaml"], 2, "nowhere.yaml", id="no pipeline"),
        pytest.param(lambda _: ["soud"], 2, "did you mean 'sound'", id="typo in a shipped name"),
        pytest.param(gone, 1, "gone.wav", id="missing file"),
        pytest.param(wav(b""), 1, "take.wav", id="empty file"),
        pytest.param(truncated, 1, "take.flac", id="truncated file"),
        pytest.param(wav(b"RIFF1234WAVEjunk"), 1, "take.wav", id="broken file"),
        pytest.param(yaml("from: mic", "from: head"), 2, "circle", id="circle"),
        pytest.param(yaml("type: knn", "type: kn"), 2, "'knn'", id="typo in a type"),
        pytest.param(
            yaml("from: mic", "form: mic"), 2, "pipe.yaml:4: nodes.sound", id="typo in a key"
        ),
        pytest.param(yaml("from: mic}", "from: mic, steady_s: 240ms}"), 2, "in s", id="unit"),
        pytest.param(yaml("  out:", "  head:"), 2, "appears twice", id="duplicate name"),
        pytest.param(yaml("from: sound", "from: mic"), 2, "gives Audio", id="wrong neighbour"),
        pytest.param(yaml("project: p.tms", "projct: p.tms"), 2, "'project'", id="typo at the top"),
        pytest.param(yaml("nodes:", "server: {port: 99999}\nnodes:"), 2, "server.port", id="port"),
        pytest.param(yaml("nodes:", "server: {prot: 1}\nnodes:"), 2, "prot", id="server typo"),
        pytest.param(lambda _: ["pipe.yaml", "--set", "head.kk=3"], 2, "kk", id="--set a typo"),
        pytest.param(lambda _: ["pipe.yaml", "--set", "hed.k=3"], 2, "'head'", id="--set no node"),
        pytest.param(not_a_project, 1, "p.tms", id="not a project"),
        pytest.param(
            lambda _: ["pipe.yaml", "--sketch", "nowhere"], 1, "nowhere", id="no sketch folder"
        ),
    ],
)
def test_bad_input_is_one_line(
    tmstream: Callable, folder: Path, make: Callable, status: int, says: str
) -> None:
    ran = tmstream("run", *make(folder), "--port", 0)
    assert ran.status == status, ran
    assert says in ran.err
    errors = [line for line in ran.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "Traceback" not in ran.err


def test_a_port_in_use_is_said_and_a_run_of_files_goes_on(tmstream: Callable, folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        asked_for = tmstream("run", "pipe.yaml", "--port", port)
        (folder / "pipe.yaml").write_text(f"server: {{port: {port}}}\n{PIPELINE}")
        by_the_way = tmstream("run", "pipe.yaml", "--print")
        live = tmstream("run", "pipe.yaml", "--realtime")
    for ran in (asked_for, live):
        assert ran.status == 1
        assert f"error: port {port} on 127.0.0.1 is in use" in ran.err
        assert "--port" in ran.err
    assert by_the_way.status == 0
    assert "not served" in by_the_way.err


# What a NaN becomes in the 16 bit clip of the history does not matter: it is never taught.
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
@pytest.mark.parametrize(
    ("samples", "rate_hz"),
    [
        (np.repeat(sound("clap", 1), 12)[:, None].repeat(8, axis=1), 192_000),
        (np.where(np.arange(RATE_HZ) > 8000, np.nan, 0.1), RATE_HZ),
        (np.zeros(10), RATE_HZ),
    ],
    ids=["8 channels at 192 kHz", "NaN", "a millisecond"],
)
def test_odd_sounds_are_survived(
    tmstream: Callable, folder: Path, samples: np.ndarray, rate_hz: int
) -> None:
    soundfile.write(folder / "odd.wav", samples, rate_hz, subtype="FLOAT")
    ran = tmstream("run", "pipe.yaml", "--source", "mic=odd.wav", "--print", "--port", 0)
    assert ran.status == 0, ran.err
    assert all("label" not in m or m["label"] is None for m in messages(ran.out))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_project_answers(tmstream: Callable, folder: Path, sounds: Path) -> None:
    taught(tmstream, sounds)
    (folder / "p.tms").chmod(0o444)
    folder.chmod(0o555)
    try:
        ran = tmstream("run", "pipe.yaml", "--print", "--port", 0)
        teaching = tmstream("teach", "p.tms", sounds / "clap")
    finally:
        folder.chmod(0o755)
    assert ran.status == 0, ran.err
    assert any(m.get("label") == "clap" for m in messages(ran.out))
    assert teaching.status == 1


def test_a_model_that_is_not_the_shipped_one_is_not_loaded(
    tmstream: Callable, folder: Path, sounds: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from tmstream.backends import models

    taught(tmstream, sounds)
    before = (folder / "p.tms").read_bytes()
    other = tmp_path / "models"
    other.mkdir()
    for file in models.resource("models").glob("*.toml"):
        (other / file.name).write_bytes(file.read_bytes())
    for entry in models.catalogue().values():
        (other / entry.file).write_bytes(b"damaged")
    monkeypatch.setattr(models, "resource", lambda name: other)
    ran = tmstream("run", "pipe.yaml", "--port", 0)
    assert ran.status == 1
    assert "speech_embedding" in ran.err
    assert (folder / "p.tms").read_bytes() == before


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_signals_end_a_run_in_order(folder: Path, number: signal.Signals, status: int) -> None:
    command = [sys.executable, "-m", "tmstream", "run", "demo", "--port", "0", "--no-browser",
               "--project", "demo.tms"]  # fmt: skip
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if line.startswith("studio"):
                break
        time.sleep(0.3)  # into the middle of it: there is nothing to wait for
        run.send_signal(number)
        _, err = run.communicate(timeout=20)
    assert run.returncode == status, err
    assert "Traceback" not in err
    assert not (folder / "demo.tms-wal").exists(), "one plain file is left behind"


def test_a_source_may_be_the_browsers_own() -> None:
    from tmstream.cli._pipeline import load, with_files
    from tmstream.core.errors import SpecError
    from tmstream.engine.graph import build
    from tmstream.engine.registry import Registry

    registry = Registry.installed()
    duet = with_files(load("duet"), registry, {"mic": "browser", "cam": "browser"})
    assert duet.node("mic").type == "browser_microphone"
    assert duet.node("cam").type == "browser_camera"
    assert build(duet, registry).live
    with pytest.raises(SpecError, match="not a source"):
        with_files(load("sound"), registry, {"head": "browser"})


def test_the_demo_listens_again_to_what_other_models_heard(
    folder: Path, tmstream: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMSTREAM_STATE", str(folder))
    monkeypatch.setattr("tmstream.lab.performer.OTHERS", 2)  # a few takes are listened to as well
    monkeypatch.setattr("tmstream.cli.demo._with_visitor", lambda one: one)  # nobody is looked for
    line = ("demo", "--no-browser", "--port", 0, "--for", 0.1)
    assert "first start: teaching" in tmstream(*line).out
    for maker in ("another", None):  # None: as the first demos were, that did not keep it
        with Project.open(folder / "demo.tms") as project:
            heard = project.examples()
            old = [
                NewExample(
                    one.label, one.space, np.ones(3, np.float32), one.take,
                    clip=project.clip(one.id), t_us=one.t_us, end_us=one.end_us, phase=one.phase,
                )
                for one in heard
            ]  # fmt: skip
            project.replace("audio", old)
            project.set_settings({"space:audio": maker})
        again = tmstream(*line)
        assert "listening to the examples again" in again.out
        assert "first start" not in again.out
        with Project.open(folder / "demo.tms") as project:
            assert {one.vector.shape for one in project.examples()} == {heard[0].vector.shape}
            assert len(project.examples()) == len(heard)
    assert "listening to the examples" not in tmstream(*line).out
