"""Small things to teach: sounds made of arithmetic, drawn bodies, and a project to teach."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tmstream.capture.synthetic import MAKERS
from tmstream.engine.registry import Registry
from tmstream.engine.spec import Pipeline, parse
from tmstream.store.project import Project

RATE_HZ = 16000

SOUND = """
nodes:
  mic:   {type: synthetic}
  sound: {type: audio_embedding, from: mic}
  head:  {type: knn, from: sound}
"""


def sound(name: str, seed: int, *, lead_s: float = 0.4, tail_s: float = 0.4) -> np.ndarray:
    """Return one synthetic sound in a quiet room."""
    rng = np.random.default_rng(seed)
    made = MAKERS[name](rng, RATE_HZ)
    quiet = [np.zeros(round(seconds * RATE_HZ)) for seconds in (lead_s, tail_s)]
    whole = np.concatenate([quiet[0], made, quiet[1]])
    return (whole + rng.normal(0, 1e-3, len(whole))).clip(-1, 1).astype(np.float32)


def sounds_folder(
    folder: Path, count: int, labels: tuple[str, ...] = ("clap", "hum", "whistle")
) -> Path:
    """Write ``count`` takes of each label, one folder a label."""
    for label in labels:
        (folder / label).mkdir(parents=True, exist_ok=True)
        for take in range(count):
            soundfile.write(folder / label / f"{take}.wav", sound(label, take), RATE_HZ)
    return folder


@pytest.fixture
def pipeline() -> Pipeline:
    return parse(SOUND, Path("sound-test.yaml"))


@pytest.fixture(scope="session")
def registry() -> Registry:
    return Registry.installed()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.open(tmp_path / "lab.tms", create=True) as made:
        yield made
