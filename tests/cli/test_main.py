"""The front door: what it costs to open, and how every failure leaves by it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable

import pytest

from tmstream.cli import cli, explained, main
from tmstream.cli._lazy import SECTIONS
from tmstream.core.errors import ContractError, DeviceError, InputError, SpecError, StoreError

HEAVY = ("numpy", "onnxruntime", "mediapipe", "cv2", "sklearn", "librosa", "rich", "websockets")


def test_help_lists_every_command_and_imports_none_of_them() -> None:
    code = (
        "import sys; from tmstream.cli import main\n"
        "try: main(['--help'])\n"
        "finally: print([n for n in sys.modules if n.split('.')[0] in "
        f"{HEAVY!r} or n.startswith('tmstream.cli.') and not n.endswith('_lazy')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("[]")
    for section in SECTIONS.values():
        for name in section:
            assert f"\n  {name} " in done.stdout


@pytest.mark.parametrize("name", [name for section in SECTIONS.values() for name in section])
def test_every_command_explains_itself(tmstream: Callable, name: str) -> None:
    ran = tmstream(name, "--help")
    assert ran.status == 0
    assert ran.out.startswith(f"Usage: tmstream {name}")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["teech"], "did you mean 'teach'?"),
        (["run"], "Missing argument"),
        (["run", "sound", "--prot", "1"], "--port"),
        (["teach", "x.tms"], "FOLDER, --labels CSV, or --mic LABEL"),
        (["classify", "x.tms"], "PATH ..., or --labels CSV"),
        (["erase", "x.tms"], "one of --person, --label, --before"),
        (["run", "sound", "--set", "head=3"], "NODE.PARAM=VALUE"),
        (["run", "sound", "--source", "mic"], "NAME=VALUE"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(
    tmstream: Callable, arguments: list[str], says: str
) -> None:
    ran = tmstream(*arguments)
    assert ran.status == 2
    assert says in ran.err
    assert ran.err.count("\n") == 1
    assert ran.err.startswith("error: ")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SpecError("pipe.yaml:3: nodes.x"), 2),
        (ContractError("mic gives Audio"), 2),
        (InputError("no"), 1),
        (StoreError("no"), 1),
        (DeviceError("port 8765 is in use"), 1),
        (PermissionError(13, "Permission denied", "x.tms"), 1),
        (ZeroDivisionError("oops"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_error_has_its_status_also_in_a_group(error: BaseException, status: int) -> None:
    grouped = BaseExceptionGroup(
        "house", [BaseExceptionGroup("lane", [asyncio.CancelledError()]), error]
    )
    for one in (error, BaseExceptionGroup("house", [error])):
        line, given = explained(one)
        assert given == status
        assert "\n" not in line
    if isinstance(error, SpecError | ContractError | InputError | StoreError | DeviceError):
        assert explained(grouped)[1] == status


def test_a_surprise_is_a_line_and_with_debug_a_traceback(
    tmstream: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug of ours")

    monkeypatch.setattr(cli, "invoke", explode)
    quiet = tmstream("info", "x.tms")
    assert quiet.status == 1
    assert quiet.err.count("\n") == 1
    assert "ZeroDivisionError: a bug of ours" in quiet.err
    assert "--debug" in quiet.err
    assert "Traceback" in tmstream("--debug", "info", "x.tms").err


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_whoever_has_no_terminal_is_no_error(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, name, None)  # as Python does when it is started without it
    with pytest.raises(SystemExit) as end:
        main(["nodes"])
    getattr(sys, name).close()
    assert end.value.code == 0


def test_a_reader_that_leaves_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -m tmstream nodes | head -1", shell=True, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
