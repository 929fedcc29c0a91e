"""One contract suite over every installed node type, without exemptions."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tmstream.core.node import Sink, Source, Transform
from tmstream.core.packet import (
    Absent,
    Audio,
    Embedding,
    Event,
    Features,
    Gap,
    Image,
    Landmarks,
    Packet,
    Presence,
    Result,
    Scores,
)
from tmstream.core.resources import resource
from tmstream.engine import params, spec
from tmstream.engine.registry import Registry
from tmstream.testing import FakeServices, check_declared, check_transform

REGISTRY = Registry.installed()
NAMES = sorted(REGISTRY.known)


def sound() -> list[Packet[Any]]:
    """Two seconds: room noise, a decaying burst, a tone, room noise."""
    rng = np.random.default_rng(1)
    wave = rng.normal(0, 0.001, 32000)
    wave[8000:10400] += rng.normal(0, 0.5, 2400) * np.exp(-np.arange(2400) / 400)
    wave[16000:24000] += 0.3 * np.sin(2 * np.pi * 440 * np.arange(8000) / 16000)
    blocks = wave.astype(np.float32).reshape(-1, 320, 1)
    return [Packet(i * 20_000, Audio(block, 16000)) for i, block in enumerate(blocks)]


def points(count: int, space: str, t: int) -> Landmarks:
    """A figure whose points sway."""
    rng = np.random.default_rng(2)
    xyzv = np.column_stack([rng.uniform(0.2, 0.8, (count, 3)), np.ones(count)])
    xyzv[:, 0] += 0.1 * np.sin(t / 3)
    return Landmarks(
        xyzv.astype(np.float32), space, "1", 4 / 3, "right" if space == "hand" else None
    )


def scores(i: int) -> Scores:
    high = 0.9 if 3 < i < 9 else 0.2
    results = (Result("clap", high, high), Result("snap", 1 - high, 1 - high))
    ranked = tuple(sorted(results, key=lambda r: -r.confidence))
    label = ranked[0].label
    return Scores(
        label, ranked[0].confidence, None, ranked, i * 40_000 + 40_000, i, spaces=("audio",)
    )


GRADIENT = np.indices((48, 64)).sum(0)[..., None].repeat(3, 2).astype(np.uint8)

SAMPLES: dict[type, list[Packet[Any]]] = {
    Audio: sound(),
    Image: [Packet(i * 33_000, Image(GRADIENT + np.uint8(i))) for i in range(4)],
    Landmarks: [
        Packet(i * 33_000 + j * 1000, points(n, space, i))
        for i in range(60)
        for j, (n, space) in enumerate([(33, "body"), (21, "hand"), (468, "face")])
    ],
    Features: [Packet(i * 10_000, Features(np.full((1, 8), i, np.float32), 0.01, -20.0)) for i in range(9)],
    Embedding: [
        Packet(i * 20_000, Embedding(np.eye(4, dtype=np.float32)[i % 4], "audio", i * 20_000 + 10_000))
        for i in range(9)
    ],
    Scores: [Packet(i * 40_000, scores(i)) for i in range(14)],
    Event: [Packet(i * 10_000, Event("trigger", "clap", i * 10_000, 0.9)) for i in range(3)],
    Presence: [Packet(0, Presence("1", "arrive", 0.5)), Packet(9000, Presence("1", "depart"))],
}  # fmt: skip


def samples(node: Any) -> list[Packet[Any]]:
    """What the node takes, then nothing, then a gap."""
    takes = type(node).takes
    kinds = [kind for kind in SAMPLES if issubclass(kind, takes)]
    assert kinds or issubclass(Gap, takes), f"no sample for {takes}"
    packets = SAMPLES[kinds[0]] if kinds else []
    end_us = packets[-1].t_us + 1_000_000
    absent = Absent("audio", "silence", end_us + 10)
    return [
        *packets,
        Packet(end_us, absent),
        Packet(end_us + 20, Gap("late")),
        *_later(packets, end_us),
    ]


def _later(packets: list[Packet[Any]], end_us: int) -> list[Packet[Any]]:
    """The same again after the gap, for payloads that carry no end of their own."""
    if not packets or hasattr(packets[0].data, "end_us"):
        return []
    return [Packet(p.t_us + end_us + 1_000_000, p.data) for p in packets]


def example(name: str) -> dict[str, Any]:
    """The parameters of the YAML example in the docstring, when a parameter is required."""
    factory = REGISTRY[name]
    try:
        params.build(factory, {})
    except params.ParamError:
        found = re.search(r"\{type: .*?\}", factory.__doc__ or "", re.DOTALL)
        assert found, f"{name} has a required parameter and no YAML example in its docstring"
        made = spec.parse(f"nodes: {{x: {' '.join(found[0].split())}}}").nodes[0]
        assert made.type == name
        return dict(made.params)
    return {}


def make(name: str) -> Any:
    return params.build(REGISTRY[name], example(name))


@pytest.mark.parametrize("name", NAMES)
def test_it_declares_itself_and_is_a_value(name: str) -> None:
    node = make(name)
    check_declared(node)
    assert repr(node) == repr(make(name))
    for parameter, field in params.parameters(REGISTRY[name]).items():
        value = getattr(node, parameter)
        if isinstance(value, float) and not isinstance(value, bool):
            with pytest.raises(params.ParamError, match="finite"):
                params.build(REGISTRY[name], {**example(name), parameter: float("nan")})
        assert field.init


@pytest.mark.parametrize("name", [n for n in NAMES if isinstance(make(n), Transform)])
def test_every_transform_keeps_its_word(
    name: str, needs_vision: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if "path" in example(name):  # of an example's own model: any picture model will do
        shutil.copy(resource("models") / "image.onnx", example(name)["path"])
    needs_vision(name)
    # Both at once, so that those with a process of their own start side by side.
    nodes = [make(name), make(name)]
    try:
        for node in nodes:
            if hasattr(node, "open"):
                node.open(FakeServices(node=name, sources=("mic",)))
        check_transform(iter(nodes).__next__, samples(nodes[0]))
    finally:
        for node in nodes:
            if hasattr(node, "close"):
                node.close()


@pytest.mark.parametrize("name", [n for n in NAMES if isinstance(make(n), Source)])
def test_every_source_says_what_it_gives(name: str) -> None:
    factory = REGISTRY[name]
    assert factory.gives
    assert isinstance(getattr(factory, "live", False), bool)


@pytest.mark.parametrize("name", [n for n in NAMES if isinstance(make(n), Sink)])
def test_every_sink_says_what_it_takes(name: str) -> None:
    assert REGISTRY[name].takes
