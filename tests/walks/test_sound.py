"""From taught files through the whole house to messages: real words, and the demo on a socket."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import soundfile
from websockets.sync.client import connect


def tmstream(*arguments: object, timeout_s: float = 100) -> str:
    command = [sys.executable, "-m", "tmstream", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def messages(out: str) -> list[dict[str, Any]]:
    """Return what was printed, without what belongs to the clock on the wall."""
    said = [json.loads(line) for line in out.splitlines()]
    return [
        {name: one for name, one in message.items() if name != "latency"}
        for message in said
        if message["type"] != "status"
    ]


def triggers(said: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in said if one["type"] == "event" and one["event"] == "trigger"]


@pytest.fixture(scope="module")
def words(needs_data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project taught by the command line from real speakers' words."""
    folder = needs_data("speech_commands_mini")
    project = tmp_path_factory.mktemp("words") / "words.tms"
    wanted = ("yes", "no", "left", "right", "stop", "go", "unknown")
    with (folder / "labels.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["label"] in wanted]
    table = project.with_name("labels.csv")
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    tmstream("teach", project, folder, "--labels", table, "--pipeline", "sound")
    return project


def run(project: Path, take: Path, *options: object) -> list[dict[str, Any]]:
    return messages(
        tmstream("run", "sound", "--project", project, "--source", f"mic={take}", "--print",
                 "--port", 0, "--no-browser", *options)
    )  # fmt: skip


@pytest.fixture(scope="module")
def stream(needs_data: Callable[[str], Path]) -> Path:
    return needs_data("mic_sessions") / "words.flac"


@pytest.fixture(scope="module")
def heard(words: Path, stream: Path) -> list[dict[str, Any]]:
    return run(words, stream)


@pytest.mark.parametrize("noise", ["typing", "jazz_guitar"])
def test_noise_beside_taught_words_is_not_answered(
    words: Path, noise: str, needs_data: Callable[[str], Path]
) -> None:
    said = run(words, needs_data("background_recordings") / f"{noise}.flac")
    assert any(one["type"] == "prediction" for one in said)
    assert not triggers(said)


def spans(stream: Path) -> list[tuple[float, float, str]]:
    with (stream.parent / "labels.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["file"] == stream.name]
    return [(float(row["start"]), float(row["end"]), row["label"]) for row in rows]


def test_words_are_recognised_in_their_spans_and_nothing_between(
    heard: list[dict[str, Any]], stream: Path
) -> None:
    told = [(one["onset_us"] / 1e6, one["label"]) for one in triggers(heard)]
    right = [
        any(start - 0.1 <= at <= end + 0.1 and label == said for at, said in told)
        for start, end, label in spans(stream)
        if label != "unknown"
    ]
    assert len(right) > 10
    assert sum(right) / len(right) >= 0.7
    between = [
        (at, said)
        for at, said in told
        if not any(start - 0.1 <= at <= end + 0.1 for start, end, _ in spans(stream))
    ]
    assert between == []


def test_the_same_file_gives_the_same_messages(
    words: Path, stream: Path, heard: list[dict[str, Any]]
) -> None:
    assert run(words, stream) == heard


def test_pace_and_chunks_change_no_label_and_no_onset(
    words: Path, stream: Path, tmp_path: Path
) -> None:
    samples, rate_hz = soundfile.read(stream, frames=8 * 16000)
    cut = tmp_path / "cut.wav"
    soundfile.write(cut, samples, rate_hz)

    def told(*options: object) -> list[tuple[str, int]]:
        found = triggers(run(words, cut, *options))
        return [(one["label"], one["onset_us"]) for one in found]

    with ThreadPoolExecutor(1) as beside:  # it mostly waits
        live = beside.submit(told, "--realtime")
        fast = told()
        assert fast
        for block_s in (0.011, 0.5):
            assert told("--set", f"mic.block_s={block_s}") == fast
        paced = live.result()
    assert [label for label, _ in paced] == [label for label, _ in fast]
    # Live, times count from the machine's clock: onsets keep their distances.
    offsets = [live - file for (_, live), (_, file) in zip(paced, fast, strict=True)]
    assert max(offsets) - min(offsets) < 20_000


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the demo on a machine that has never run it; give it and its socket's address."""
    command = [
        sys.executable,
        "-m",
        "tmstream",
        "demo",
        "--for",
        "12",
        "--no-browser",
        "--port",
        "0",
    ]
    env = {**os.environ, "TMSTREAM_STATE": str(tmp_path / "fresh")}
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        address = ""
        for line in process.stdout:
            if line.startswith("sketch "):
                address = line.split()[1]
                break
        yield process, address.partition("://")[2].partition("/")[0]
        if process.poll() is None:
            process.kill()


def test_the_demo_greets_predicts_triggers_and_ends(
    demo: tuple[subprocess.Popen[str], str],
) -> None:
    process, authority = demo
    seen: dict[str, dict[str, Any]] = {}
    labels = set()
    with connect(f"ws://{authority}/ws", proxy=None) as socket:
        first = json.loads(socket.recv(timeout=10))
        for text in socket:
            message = json.loads(text)
            seen.setdefault(message["type"], message)
            if message["type"] == "event" and message["event"] == "trigger":
                labels.add(message["label"])
    assert first["type"] == "hello"
    assert first["protocol"] == 1
    assert first["labels"] == ["clap", "hum", "whistle"]
    assert first["project"]["examples"] > 0
    assert {"prediction", "event", "spectrum", "status"} <= seen.keys()
    assert labels == {"clap", "hum", "whistle"}
    _, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert "Traceback" not in err
