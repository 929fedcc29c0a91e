"""The house plan, kept by tests: imports flow downward, rooms never meet, files stay small."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HOUSE = ROOT / "tmstream"
FLOORS = [
    {"core", "web"},
    {"maths"},
    {"backends", "store", "server"},
    {"capture", "window", "features", "embed", "head", "decide", "broadcast"},
    {"engine"},
    {"lab", "testing"},
    {"cli", "__init__"},
    {"__main__"},
]
FLOOR = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
FILES = sorted(HOUSE.rglob("*.py"))


def rooms_used(path: Path) -> Iterator[str]:
    """Rooms of the house that ``path`` imports, also inside functions."""
    here = path.relative_to(HOUSE).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            module = (node.module or "").split(".") if node.module else []
            full = list(here[: len(here) - node.level]) + module
            yield from ([full[0]] if full else [alias.name for alias in node.names])
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tmstream."):
            yield str(node.module).split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (a.name.split(".")[1] for a in node.names if a.name.startswith("tmstream."))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(HOUSE)))
def test_imports_flow_downward(path: Path) -> None:
    room = path.relative_to(HOUSE).with_suffix("").parts[0]
    for used in rooms_used(path):
        if used.startswith("__"):  # the version number is nobody's room
            continue
        assert used == room or FLOOR[used] < FLOOR[room], f"{room} -> {used}"


def test_files_stay_small() -> None:
    long = {str(p.relative_to(HOUSE)): len(p.read_text("utf-8").splitlines()) for p in FILES}
    assert {name: lines for name, lines in long.items() if lines > 320} == {}


def test_every_entry_point_can_be_loaded() -> None:
    for point in entry_points(group="tmstream.nodes"):
        assert point.load().__doc__, point.name


def test_naming_the_nodes_imports_none_of_them() -> None:
    code = (
        "import sys; from tmstream.engine.registry import Registry; Registry.installed();"
        "print([m for m in sys.modules if m.startswith('tmstream.') and "
        "m.split('.')[1] not in ('core', 'engine')] + "
        "[m for m in ('mediapipe', 'cv2', 'onnxruntime', 'librosa', 'sounddevice') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
