from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tmstream.cli import doctor
from tmstream.core.resources import resource

SHIPPED = sorted(path.stem for path in resource("pipelines").glob("*.yaml"))


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_pipelines_are_right(tmstream: Callable, name: str) -> None:
    ran = tmstream("check", name)
    assert ran.status == 0, ran.err
    assert "right" in ran.out


@pytest.mark.parametrize(
    ("server", "said"),
    [
        ("port: 99999", "server.port: Expected"),
        ("prt: 1", "server.prt: unknown; did you mean 'port'?"),
        ("host: 0.0.0.0", "server.host: 0.0.0.0 lets the network in"),
        ("limits: {clients: 0}", "server.limits.clients: Expected"),
    ],
)
def test_a_wrong_server_line_is_found_before_the_show(
    tmstream: Callable, tmp_path: Path, server: str, said: str
) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(f"server: {{{server}}}\nnodes:\n  mic: {{type: synthetic}}\n")
    ran = tmstream("check", str(wrong))
    assert ran.status == 2
    assert f"wrong.yaml:1: {said}" in ran.err


def test_nodes_are_listed_and_explained(tmstream: Callable) -> None:
    listed = tmstream("nodes")
    assert listed.status == 0
    assert "not installed" not in listed.out
    assert "cannot be read" not in listed.out
    assert all(len(line.split(maxsplit=1)) == 2 for line in listed.out.splitlines())
    one = tmstream("nodes", "knn")
    assert "strictness" in one.out
    assert "may be changed while running" in one.out
    wrong = tmstream("nodes", "kn")
    assert wrong.status == 2
    assert "'knn'" in wrong.err


def test_schemas_are_json(tmstream: Callable) -> None:
    messages = json.loads(tmstream("schema", "messages").out)
    assert "prediction" in json.dumps(messages["$defs"])
    pipeline = json.loads(tmstream("schema", "pipeline").out)
    nodes = pipeline["properties"]["nodes"]["additionalProperties"]["oneOf"]
    assert {"knn", "websocket", "microphone"} <= {one["title"] for one in nodes}


def test_a_new_sketch_can_be_served_and_nothing_is_written_over(
    tmstream: Callable, tmp_path: Path
) -> None:
    folder = tmp_path / "my sketch"
    assert tmstream("new", folder).status == 0
    assert "tmstream.connect()" in (folder / "sketch.js").read_text()
    assert '<script src="/tmstream.js">' in (folder / "index.html").read_text()
    (folder / "sketch.js").write_text("mine")
    again = tmstream("new", folder)
    assert again.status == 1
    assert (folder / "sketch.js").read_text() == "mine"


def test_the_doctor_reports(tmstream: Callable, tmp_path: Path) -> None:
    ran = tmstream("doctor", "--report", tmp_path / "report.zip")
    assert ran.status == 0, ran.out
    with zipfile.ZipFile(tmp_path / "report.zip") as pack:
        assert "models.toml says" in pack.read("doctor.txt").decode()


@pytest.mark.parametrize(
    ("missing", "said"), [(0, "all well"), (1, "1 thing is missing"), (2, "2 things are missing")]
)
def test_the_doctor_counts(
    tmstream: Callable, monkeypatch: pytest.MonkeyPatch, missing: int, said: str
) -> None:
    found = [doctor.Finding(f"thing {i}", "missing", "get it") for i in range(missing)]
    monkeypatch.setattr(doctor, "look", lambda: iter(found))
    assert tmstream("doctor").out.splitlines()[-1] == said


class FakeSounds(ModuleType):
    """sounddevice on a machine with these devices."""

    PortAudioError = OSError

    def __init__(self, *inputs: int) -> None:
        super().__init__("sounddevice")
        self._inputs = inputs

    def get_portaudio_version(self) -> tuple[int, str]:
        return 1246720, "PortAudio V19.6, revision 1"

    def query_devices(self) -> list[dict]:
        return [
            {"name": f"device {i}", "max_input_channels": count, "default_samplerate": 48000.0}
            for i, count in enumerate(self._inputs)
        ]


class NoPortAudio:
    """Where the library is missing, importing sounddevice raises `OSError`."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")


@pytest.mark.parametrize(
    ("inputs", "library", "microphone"),
    [
        (None, "missing  PortAudio: the library is not here", "missing  microphone: none can be"),
        (
            (),
            "ok       PortAudio: V19.6",
            "missing  microphone: PortAudio finds no input",
        ),
        (
            (0,),
            "ok       PortAudio: V19.6",
            "missing  microphone: PortAudio finds no input",
        ),
        (
            (0, 2),
            "ok       PortAudio: V19.6",
            "ok       microphone: device 1 (2 channels",
        ),
        ((1, 2), "ok       PortAudio: V19.6", "ok       microphone: 2 found"),
    ],
    ids=["no library", "no device", "only a loudspeaker", "one", "two"],
)
def test_the_doctor_tells_a_missing_library_from_a_missing_microphone(
    tmstream: Callable,
    monkeypatch: pytest.MonkeyPatch,
    inputs: tuple[int, ...] | None,
    library: str,
    microphone: str,
) -> None:
    if inputs is None:
        monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
        monkeypatch.setattr(sys, "meta_path", [NoPortAudio(), *sys.meta_path])
    else:
        monkeypatch.setitem(sys.modules, "sounddevice", FakeSounds(*inputs))
    said = tmstream("doctor").out
    assert library in said
    assert microphone in said
    assert ("apt-get install libportaudio2" in said) == (inputs is None)
    assert ("mic=browser" in said) == (inputs in ((), (0,)))
    listed = tmstream("devices").out
    assert listed.count("microphone ") == sum(count > 0 for count in inputs or ())
    assert ("microphones: none found" in listed) == (inputs in ((), (0,)))
    assert ("microphones: the library is not here" in listed) == (inputs is None)


def test_devices_never_fail(tmstream: Callable) -> None:
    ran = tmstream("devices")
    assert ran.status == 0
    assert ran.out.strip()


def test_origins(tmstream: Callable) -> None:
    assert tmstream("allow-origin", "https://preview.p5js.org/").status == 0
    assert tmstream("allow-origin", "not an address").status == 1


def test_there_is_no_studio_without_an_engine(tmstream: Callable) -> None:
    ran = tmstream("open", "--no-browser")
    assert ran.status == 1
    assert "tmstream run" in ran.err
