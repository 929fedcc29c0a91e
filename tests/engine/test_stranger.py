"""A stranger's package adds a node with one entry point and without touching ours."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from tmstream.core.errors import UnknownNode
from tmstream.engine.graph import build
from tmstream.engine.registry import Registry
from tmstream.engine.spec import parse

PYPROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "shout"
version = "1.0"
[project.entry-points."tmstream.nodes"]
shout = "shout:Shout"
"""

MODULE = '''
from dataclasses import dataclass
from typing import ClassVar
from tmstream.core.packet import Audio

@dataclass
class Shout:
    """Makes everything louder."""
    takes: ClassVar[tuple[type, ...]] = (Audio,)
    gives: ClassVar[tuple[type, ...]] = (Audio,)
    gain: float = 2.0
    def process(self, packet):
        yield packet.with_data(Audio(packet.data.samples * self.gain, packet.data.rate_hz))
'''

USE = """
from tmstream.engine import graph, spec
from tmstream.engine.registry import Registry
made = graph.build(spec.parse("nodes: {mic: {type: synthetic}, loud: {type: shout, from: mic, gain: 3}}"), Registry.installed())
print(made.slots["loud"].make())
"""


def test_one_entry_point_is_enough(tmp_path: Path) -> None:
    package, site = tmp_path / "package", tmp_path / "site"
    (package / "shout").mkdir(parents=True)
    (package / "pyproject.toml").write_text(PYPROJECT)
    (package / "shout" / "__init__.py").write_text(MODULE)
    # Built by the backend itself, so the test needs no network; a wheel is what pip would unpack.
    subprocess.run(
        [sys.executable, "-c", f"import hatchling.build as b; b.build_wheel({str(tmp_path)!r})"],
        cwd=package,
        check=True,
        capture_output=True,
    )
    import zipfile

    with zipfile.ZipFile(next(tmp_path.glob("shout-*.whl"))) as wheel:
        wheel.extractall(site)
    out = subprocess.run(
        [sys.executable, "-c", USE],
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert out.stdout.strip() == "Shout(gain=3.0)"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def shout(:", "cannot be loaded: invalid syntax"),
        ("", "cannot be loaded: .* has no attribute 'Shout'"),
        ("import nowhere_to_be_found", "cannot be loaded: No module named 'nowhere_to_be_found'"),
        ("class Shout: pass", "cannot be used: faulty:Shout is no dataclass"),
    ],
)
def test_a_faulty_package_is_said_where_the_pipeline_names_it(
    text: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "faulty.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "faulty", raising=False)
    registry = Registry({"shout": EntryPoint("shout", "faulty:Shout", "tmstream.nodes")})
    with pytest.raises(UnknownNode, match=f"^p.yaml:1: nodes.mic.type: node type 'shout' {why}"):
        build(parse("nodes: {mic: {type: shout}}", Path("p.yaml")), registry)
