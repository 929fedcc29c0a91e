"""Small projects to test with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tmstream.store.project import NewExample, Project


def new(label: str = "clap", space: str = "audio", d: int = 4, **fields: Any) -> NewExample:
    """An example whose vector depends on its label only."""
    vector = np.full(d, sum(map(ord, label)) % 97, np.float32)
    return NewExample(
        label=label, space=space, vector=vector, take=fields.pop("take", "t"), **fields
    )


@pytest.fixture
def example() -> Callable[..., NewExample]:
    return new


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.open(tmp_path / "show.tms", create=True) as opened:
        yield opened
