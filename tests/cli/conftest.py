"""Run commands as the shell would, and sounds to run them on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.lab.conftest import sounds_folder
from tmstream.cli import main


class Ran(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture
def tmstream(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Return a function that runs one command in this process."""

    def run(*arguments: object) -> Ran:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(one) for one in arguments])
        out, err = capfd.readouterr()
        return Ran(int(ended.value.code or 0), out, err)

    return run


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of label folders with synthetic sounds."""
    return sounds_folder(tmp_path_factory.mktemp("sounds"), count=4)
