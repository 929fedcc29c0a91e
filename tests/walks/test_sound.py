"""From taught files through the whole house to messages: real words, and the demo on a socket.

The commands are run beside the other walks (`begin`); here is what must come of them.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import soundfile
from websockets.sync.client import connect

from tests.conftest import data_folder
from tests.walks.beside import Beside

Message = dict[str, Any]
Started = dict[str, Future[Any]]

WORDS = ("yes", "no", "left", "right", "stop", "go", "unknown")
NOISES = ("typing", "jazz_guitar")


class Shell:
    """Runs commands as a person would."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env

    def tmstream(self, *arguments: object) -> str:
        """Return what a command printed."""
        command = [sys.executable, "-m", "tmstream", *map(str, arguments)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=100, check=False, env=self._env
        )
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    def teach(self, project: Path) -> Path:
        """Teach real speakers' words; returns the project."""
        folder = data_folder() / "speech_commands_mini"
        with (folder / "labels.csv").open() as file:
            rows = [row for row in csv.DictReader(file) if row["label"] in WORDS]
        table = project.with_name("labels.csv")
        with table.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
        self.tmstream("teach", project, folder, "--labels", table, "--pipeline", "sound")
        return project

    def run(self, project: Path, take: Path, *options: object) -> list[Message]:
        """Return what is said of a take."""
        return messages(
            self.tmstream("run", "sound", "--project", project, "--source", f"mic={take}",
                          "--print", "--port", 0, "--no-browser", *options)
        )  # fmt: skip

    def demo(self) -> tuple[list[Message], str]:
        """Return what the demo says to a client on a machine that never ran it, and complains of."""
        wanted = ("--for", "12", "--no-browser", "--port", "0")
        command = [sys.executable, "-m", "tmstream", "demo", *wanted]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self._env
        ) as process:
            try:
                assert process.stdout is not None
                address = ""
                for line in process.stdout:
                    if line.startswith("sketch "):
                        address = line.split()[1]
                        break
                authority = address.partition("://")[2].partition("/")[0]
                with connect(f"ws://{authority}/ws", proxy=None) as socket:
                    said = [json.loads(socket.recv(timeout=10))]
                    said += [json.loads(text) for text in socket]
                _, err = process.communicate(timeout=20)
                assert process.returncode == 0, err
                return said, err
            finally:
                process.kill()


def begin(queue: Beside) -> Started:
    """Teach words, ask about takes, and start the demo."""
    shell = Shell(queue.env)
    started = {}
    if data_folder().is_dir():
        project = queue.folder("words") / "words.tms"
        started["words"] = words = queue.submit(shell.teach, project)

        def ask(take: Path, *options: object) -> Future[list[Message]]:
            return queue.submit(lambda: shell.run(words.result(), take, *options))

        for noise in NOISES:
            started[noise] = ask(data_folder() / "background_recordings" / f"{noise}.flac")
        stream = data_folder() / "mic_sessions" / "words.flac"
        started["heard"], started["heard again"] = ask(stream), ask(stream)
        started["paced"] = queue.submit(paced, shell, words, stream, queue.folder("paced"))
    fresh = Shell({**queue.env, "TMSTREAM_STATE": str(queue.folder("fresh"))})
    started["demo"] = queue.submit(fresh.demo)
    return started


def paced(
    shell: Shell, words: Future[Path], stream: Path, folder: Path
) -> dict[str, list[tuple[str, int]]]:
    """Return what triggers in eight seconds of words at different paces and in different blocks."""
    samples, rate_hz = soundfile.read(stream, frames=8 * 16000)
    cut = folder / "cut.wav"
    soundfile.write(cut, samples, rate_hz)

    def told(*options: object) -> list[tuple[str, int]]:
        found = triggers(shell.run(words.result(), cut, *options))
        return [(one["label"], one["onset_us"]) for one in found]

    with ThreadPoolExecutor(1) as beside:  # it mostly waits
        live = beside.submit(told, "--realtime")
        made = {"fast": told()}
        for block_s in ("0.011", "0.5"):
            made[block_s] = told("--set", f"mic.block_s={block_s}")
        return made | {"live": live.result()}


def messages(out: str) -> list[Message]:
    """Return what was printed, without what belongs to the clock on the wall."""
    said = [json.loads(line) for line in out.splitlines()]
    return [
        {name: one for name, one in message.items() if name != "latency"}
        for message in said
        if message["type"] != "status"
    ]


def triggers(said: list[Message]) -> list[Message]:
    return [one for one in said if one["type"] == "event" and one["event"] == "trigger"]


@pytest.fixture
def stream(needs_data: Callable[[str], Path]) -> Path:
    for name in ("speech_commands_mini", "background_recordings"):
        needs_data(name)
    return needs_data("mic_sessions") / "words.flac"


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.usefixtures("stream")
def test_noise_beside_taught_words_is_not_answered(beside: Started, noise: str) -> None:
    said = beside[noise].result()
    assert any(one["type"] == "prediction" for one in said)
    assert not triggers(said)


def spans(stream: Path) -> list[tuple[float, float, str]]:
    with (stream.parent / "labels.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["file"] == stream.name]
    return [(float(row["start"]), float(row["end"]), row["label"]) for row in rows]


def test_words_are_recognised_in_their_spans_and_nothing_between(
    beside: Started, stream: Path
) -> None:
    heard = triggers(beside["heard"].result())
    told = [(one["onset_us"] / 1e6, one["label"]) for one in heard]
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


@pytest.mark.usefixtures("stream")
def test_the_same_file_gives_the_same_messages(beside: Started) -> None:
    assert beside["heard again"].result() == beside["heard"].result()


@pytest.mark.usefixtures("stream")
def test_pace_and_chunks_change_no_label_and_no_onset(beside: Started) -> None:
    made = beside["paced"].result()
    fast, live = made.pop("fast"), made.pop("live")
    assert fast
    assert len(made) == 2
    assert all(told == fast for told in made.values())
    assert [label for label, _ in live] == [label for label, _ in fast]
    # Live, times count from the machine's clock: onsets keep their distances.
    offsets = [at - file for (_, at), (_, file) in zip(live, fast, strict=True)]
    assert max(offsets) - min(offsets) < 20_000


def test_the_demo_greets_predicts_triggers_and_ends(beside: Started) -> None:
    said, err = beside["demo"].result()
    first = said[0]
    assert first["type"] == "hello"
    assert first["protocol"] == 1
    assert first["labels"] == ["clap", "hum", "whistle"]
    assert first["project"]["examples"] > 0
    assert {"prediction", "event", "spectrum", "status"} <= {one["type"] for one in said[1:]}
    assert {one["label"] for one in triggers(said)} == {"clap", "hum", "whistle"}
    assert "Traceback" not in err
