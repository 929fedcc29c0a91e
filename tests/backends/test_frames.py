"""A child that works aside speaks in frames, ends with its owner, and says why it ended first."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tmstream.backends import frames

BEGIN = "import os, sys, time\nfrom tmstream.backends.frames import Owner\nowner = Owner()\n"
ENGINE = """
import asyncio, sys
from tmstream.backends import frames

async def go():
    async with frames.aside(sys.argv[1]) as child:
        print((await child.read()).decode(), flush=True)
        await child.read()

asyncio.run(go())
"""

Write = Callable[[str], str]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Return a function that makes a child's module of its text, and returns its name."""
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")

    def write(text: str) -> str:
        (tmp_path / "a_child.py").write_text(BEGIN + text, "utf-8")
        return "a_child"

    return write


async def asked(name: str, *questions: bytes) -> list[bytes]:
    async with frames.aside(name) as child:
        answers = []
        for question in questions:
            await child.send(question)
            answers.append(await child.read())
        return answers


def test_frames_of_any_size_go_both_ways_whatever_is_printed(module: Write) -> None:
    name = module("while True:\n    print('noise')\n    owner.write(owner.read()[::-1])\n")
    sent = [b"", b"abc", os.urandom(300_000)]
    assert asyncio.run(asked(name, *sent)) == [one[::-1] for one in sent]


def test_what_ended_by_itself_says_why_in_the_log(
    module: Write, caplog: pytest.LogCaptureFixture
) -> None:
    name = module("os.write(2, b'x' * 1_000_000)\nraise ValueError('no such thing as a wav')\n")
    with pytest.raises(EOFError):
        asyncio.run(asked(name, b"go"))
    (said,) = [one.getMessage() for one in caplog.records if one.name == frames.log.name]
    assert "ended by itself (status 1)" in said
    assert "ValueError: no such thing as a wav" in said
    assert len(said) < 5000


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone says whom it ends")
def test_where_memory_runs_out_it_goes_before_the_engine(module: Write) -> None:
    score = Path("/proc/self/oom_score_adj")
    name = module("owner.read()\nowner.write(open('/proc/self/oom_score_adj', 'rb').read())\n")
    (told,) = asyncio.run(asked(name, b"go"))
    assert int(told) == max(500, int(score.read_text("ascii")))


def test_what_is_ended_here_is_no_fault(module: Write, caplog: pytest.LogCaptureFixture) -> None:
    name = module("owner.write(b'here')\ntime.sleep(60)\n")

    async def go() -> None:
        async with frames.aside(name) as child:
            await child.read()
            async with asyncio.timeout(0.1):
                await child.read()

    with pytest.raises(TimeoutError):
        asyncio.run(go())
    assert not caplog.records


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_ctrl_c_is_for_the_engine_to_obey(module: Write) -> None:
    name = module("owner.write(str(os.getpid()).encode())\nowner.write(owner.read())\n")

    async def go() -> bytes:
        async with frames.aside(name) as child:
            os.kill(int(await child.read()), signal.SIGINT)
            await child.send(b"still here")
            return await child.read()

    assert asyncio.run(go()) == b"still here"


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
def test_it_ends_with_an_engine_that_is_killed(module: Write) -> None:
    name = module("owner.write(str(os.getpid()).encode())\ntime.sleep(60)\n")
    with subprocess.Popen([sys.executable, "-c", ENGINE, name], stdout=subprocess.PIPE) as engine:
        assert engine.stdout is not None
        child = int(engine.stdout.readline())
        os.kill(child, 0)  # it lives
        engine.kill()
    deadline = time.monotonic() + 10
    with suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.kill(child, 0)
            time.sleep(0.01)
        os.kill(child, 9)
        pytest.fail("the child outlived its engine")
