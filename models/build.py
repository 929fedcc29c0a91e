"""Remakes every model file from pinned packages: ``python models/build.py [NAME ...]``.

Each of the `recipes` runs in its own throw-away virtual environment and writes one file of
models.toml. A file whose sha256 differs from models.toml is an error, unless ``--accept`` writes
the new hash.

To add a model: write one function decorated with ``@recipe``, and its table in models.toml.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

from recipes import RECIPES

HERE = Path(__file__).resolve().parent


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
