"""What is wrong with a pipeline is said with file, line, field and the nearest name."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmstream.core.errors import ContractError, SpecError, TmstreamError, UnknownNode
from tmstream.engine import graph, params, spec
from tmstream.engine.registry import Registry

from .conftest import REGISTRY, build


def test_yaml_1_2_words_stay_words() -> None:
    made = spec.parse("nodes:\n  a: {type: x, labels: [yes, no, on, off, y], f: 1e-3, b: true}")
    params = made.nodes[0].params
    assert params == {"labels": ["yes", "no", "on", "off", "y"], "f": 0.001, "b": True}


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("nodes: {a: {type: tciks}}", UnknownNode, "p.yaml:1: nodes.a.type: no node type 'tciks'; did you mean 'ticks'?"),
        ("nodes:\n  a: {type: ticks}\n  a: {type: ticks}", SpecError, "p.yaml:3: nodes.a: appears twice"),
        ("nodes:\n  a:\n    type: ticks\n    m: 3", SpecError, "p.yaml:4: nodes.a.m: unknown parameter"),
        ("nodes:\n  a:\n    type: ticks\n    n: many", SpecError, "p.yaml:4: nodes.a.n: expected int, got str 'many'"),
        ("nodes:\n  a: {type: ticks, step_us: 10 us}", SpecError, "write a plain number, in us"),
        ("nodes: {a: {type: ticks}, b: {type: add, from: a, amount: .nan}}", SpecError, "nodes.b.amount: must be a finite number"),
        ("nodes: {a: {type: ticks}, b: {type: add, from: a, amount: -1}}", SpecError, "nodes.b.amount: amount must not be negative"),
        ("nodes: {a: {type: ticks}, b: {type: add, from: x}}", SpecError, "nodes.b.from: no node named 'x'"),
        ("nodes: {b: {type: add, from: c}, c: {type: add, from: b}}", SpecError, "circle: b -> c -> b"),
        ("nodes: {b: {type: add, from: b}}", SpecError, "circle"),
        ("nodes: {a: {type: ticks}, b: {type: add}}", SpecError, "nodes.b: add needs 'from:'"),
        ("nodes: {a: {type: ticks}, b: {type: ticks, from: a}}", SpecError, "reads no node"),
        ("nodes: {a: {type: ticks}, b: {type: embed, from: a}, c: {type: add, from: b}}", ContractError, "nodes.c.from: b (embed) gives Embedding, but c (add) takes Audio or Gap"),
        ("nodes: {a: {type: ticks}, b: {type: keep, from: a}, c: {type: add, from: b}}", ContractError, "b is a sink"),
        ("nodes: {}", SpecError, "p.yaml:1: nodes: no node in it"),
        ("nodez: {}", SpecError, "p.yaml:1: nodez: unknown; did you mean 'nodes'?"),
        ("nodes: &x {a: *x}", SpecError, "alias"),
        ("nodes: {a: {<<: {type: ticks}}}", SpecError, "p.yaml:1: nodes.a.?: merging (<<)"),
        ("nodes: !!python/name:os.system {}", SpecError, "p.yaml:1"),
        ("%YAML 1.1\n---\nnodes: {}", SpecError, "directives"),
        ("nodes: [", SpecError, "p.yaml:1: not readable as YAML"),
        ("nodes:\n\ta: {type: ticks}", SpecError, "; indent with spaces"),
        ("nodes: {a: {type: ticks}}\nrealtime: yes", SpecError, "p.yaml:2: realtime: expected true or false, got 'yes'"),
        ("", SpecError, "expected a mapping"),
    ],
)  # fmt: skip
def test_bad_pipelines_say_where(text: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as caught:
        graph.build(spec.parse(text, Path("p.yaml")), REGISTRY)
    assert words in str(caught.value)
    assert str(caught.value).startswith("p.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("node", "values", "words"),
    [
        ("knn", {"rule": "al"}, "must be one of any, all, mean, got 'al'; did you mean 'all'?"),
        ("knn", {"rule": "xyz"}, "must be one of any, all, mean, got 'xyz'"),
        ("knn", {"rule": ["any"]}, "expected str, got array"),
        ("synthetic", {"sounds": ["hum", "clip"]}, "silence, got 'clip'; did you mean 'clap'?"),
        ("synthetic", {"sounds": "hum"}, "expected array, got str 'hum'"),
    ],
)  # fmt: skip
def test_a_wrong_word_is_told_the_right_ones(node: str, values: Any, words: str) -> None:
    with pytest.raises(params.ParamError) as caught:
        params.build(Registry.installed()[node], values)
    assert str(caught.value).endswith(words)


@dataclass
class Dimmer:
    level: Literal["auto", "off"] | float = "auto"
    mood: Literal["calm", "wild"] | None = None


def test_a_parameter_that_may_also_be_a_number_is_not_told_to_be_a_word() -> None:
    with pytest.raises(params.ParamError, match="must be one of calm, wild, got 'mild'"):
        params.build(Dimmer, {"mood": "mild"})
    with pytest.raises(params.ParamError) as caught:
        params.build(Dimmer, {"level": [1]})
    assert "must be one of" not in str(caught.value)
    assert params.build(Dimmer, {"level": 0.5}) == Dimmer(0.5)


def test_an_alias_bomb_is_refused_quickly() -> None:
    layers = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    layers += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    with pytest.raises(SpecError, match="alias"):
        spec.parse("\n".join(layers))


def test_a_missing_or_binary_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot read the pipeline"):
        spec.read(tmp_path / "none.yaml")
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00nodes")
    with pytest.raises(SpecError, match="not UTF-8"):
        spec.read(tmp_path / "b.yaml")


@given(st.text(max_size=200))
def test_any_text_gives_a_pipeline_or_a_spec_error(text: str) -> None:
    with contextlib.suppress(TmstreamError):
        spec.parse(text)


def test_a_source_is_replaced_by_a_file_of_its_kind() -> None:
    made = spec.parse("nodes: {mic: {type: ticks, n: 3}, out: {type: keep, from: mic}}")
    changed = graph.with_sources(made, REGISTRY, {"mic": "take.wav"})
    assert changed.node("mic") == spec.NodeSpec("mic", "audio_file", (), {"path": "take.wav"})
    with pytest.raises(SpecError, match="not a source"):
        graph.with_sources(made, REGISTRY, {"out": "take.wav"})
    with pytest.raises(SpecError, match="did you mean 'mic'"):
        graph.with_sources(made, REGISTRY, {"mik": "take.wav"})


def test_walking_order_puts_givers_first() -> None:
    made = build(
        "nodes: {z: {type: keep, from: [b, a]}, b: {type: add, from: a}, a: {type: ticks}}"
    )
    assert list(made.slots) == ["a", "b", "z"]
    assert made.readers["a"] == ("b", "z")


def test_a_private_pipeline_keeps_no_raw_sound() -> None:
    text = "nodes: {a: {type: ticks}, e: {type: embed, from: a}, out: {type: diary, from: [e, a]}}"
    build(text)
    with pytest.raises(
        ContractError, match=r"private: true, but out \(diary\) would keep the Audio of a"
    ):
        build(text + "\nprivate: true")
    build(text.replace("[e, a]", "e") + "\nprivate: true")


def test_a_file_too_large_for_a_pipeline_is_not_read(tmp_path: Path) -> None:
    large = tmp_path / "p.yaml"
    large.write_text("nodes: {a: {type: ticks}}\n" + "#" * 1_000_000)
    with pytest.raises(SpecError, match=r"p.yaml: 1000026 bytes is too large"):
        spec.read(large)
