"""What the demo was taught: it understands visitors who sound unlike its performer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tmstream.engine.registry import Registry
from tmstream.engine.spec import Pipeline
from tmstream.lab import performer
from tmstream.lab.classify import Head, combined
from tmstream.lab.embedder import Embedder
from tmstream.lab.part import graph_for
from tmstream.lab.performer import TAKES, not_performed, teach_performer
from tmstream.lab.sample import Sample, Sound
from tmstream.store.project import Project

RATE_HZ = 16000
SOUNDS = ("clap", "whistle", "hum")


def resonance(sound: np.ndarray, hz: float, width_hz: float) -> np.ndarray:
    """Return ``sound`` through a resonator of two poles: not how the cast is made."""
    radius = np.exp(-np.pi * width_hz / RATE_HZ)
    a1, a2 = 2 * radius * np.cos(2 * np.pi * hz / RATE_HZ), -(radius**2)
    out = [0.0, 0.0]
    for one in sound:
        out.append((1 - a1 - a2) * one + a1 * out[-1] + a2 * out[-2])
    return np.array(out[2:])


def hummed(pitch_hz: float, seed: int) -> np.ndarray:
    """Return a second of somebody's closed lips: uneven pulses through three resonators."""
    rng = np.random.default_rng(seed)
    pulses, at = np.zeros(RATE_HZ), 0.0
    while at < RATE_HZ - 1:
        pulses[int(at)] = rng.normal(1.0, 0.05)
        at += RATE_HZ / pitch_hz * rng.normal(1.0, 0.005)
    made = np.cumsum(pulses - pulses.mean()) + rng.normal(0, 0.02, RATE_HZ)
    for hz, width_hz in ((260.0, 80.0), (1100.0, 300.0), (2300.0, 500.0)):
        made = resonance(made, hz, width_hz)
    fade = np.minimum(1.0, np.minimum(np.arange(RATE_HZ), np.arange(RATE_HZ)[::-1]) / 1600)
    return made / np.abs(made).max() * fade * 0.3


def clapped(hollow_hz: float, seed: int) -> np.ndarray:
    """Return a slap of 3 ms in hollow hands, and its echoes from six walls."""
    rng = np.random.default_rng(seed)
    slap = rng.normal(0, 1, 4800) * np.exp(-np.arange(4800) / (0.003 * RATE_HZ))
    dry = resonance(slap, hollow_hz, 500.0) + 0.5 * resonance(slap, 2.2 * hollow_hz, 900.0)
    made = dry.copy()
    for bounce in range(1, 60):
        late = int(bounce * rng.uniform(0.004, 0.007) * RATE_HZ)
        if late < len(made):
            made[late:] += 0.4 * 0.93**bounce * rng.choice((-1, 1)) * dry[: len(made) - late]
    return made / np.abs(made).max() * 0.5


def heard_as(
    project: Project, pipeline: Pipeline, registry: Registry, visitors: list[np.ndarray]
) -> list[str | None]:
    """Return what a project makes of visitors in a quiet room."""
    answers = []
    head = Head(graph_for(pipeline, registry, "sound", head=True), project)
    with Embedder(graph_for(pipeline, registry, "sound")) as embedder, head:
        for i, made in enumerate(visitors):
            room = np.random.default_rng(i).normal(0, 1e-3, len(made) + RATE_HZ)
            room[RATE_HZ // 2 :][: len(made)] += made
            sound = Sound(room.astype(np.float32)[:, None], RATE_HZ, 0.0, 0.0, len(room) / RATE_HZ)
            heard = embedder.hear(Sample(Path("visitor"), "visitor", "sound"), sound)
            answers.append(combined(heard, head.answers(heard)).label)
    return answers


VISITORS = {
    "hum": [hummed(hz, seed) for seed, hz in enumerate((100, 150, 190, 240, 290, 330))],
    "clap": [clapped(hz, seed) for seed, hz in enumerate((700, 900, 1100, 1300, 1500, 1800))],
}


def test_visitors_are_understood_whom_one_performer_alone_would_not_know(
    project: Project, tmp_path: Path, pipeline: Pipeline, registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    teach_performer(project, pipeline, registry, SOUNDS)
    known = {
        label: heard_as(project, pipeline, registry, made).count(label)
        for label, made in VISITORS.items()
    }
    monkeypatch.setattr("tmstream.capture.cast.CAST", {})  # nobody else plays
    monkeypatch.setattr(performer, "OTHERS", 4)
    with Project.open(tmp_path / "alone.tms", create=True) as alone:
        teach_performer(alone, pipeline, registry, SOUNDS)
        before = {
            label: heard_as(alone, pipeline, registry, made).count(label)
            for label, made in VISITORS.items()
        }
    assert known["hum"] >= 5, known
    assert known["clap"] >= 5, known
    assert sum(before.values()) <= sum(known.values()) / 2, before


def test_what_an_older_demo_was_taught_is_completed_once(
    project: Project, pipeline: Pipeline, registry: Registry
) -> None:
    assert not_performed(project, ["clap", "clap"]) == ["clap"]
    teach_performer(project, pipeline, registry, ["clap"])
    assert not_performed(project, ["clap"]) == []
    assert len({one.take for one in project.examples(label="clap")}) == TAKES
    project.set_settings({"performed:clap": 6})
    assert not_performed(project, ["clap"]) == ["clap"]
    project.delete_label("clap")
    assert not_performed(project, ["clap"]) == ["clap"]
