"""What a recipe is, and what recipes share. They run inside a throw-away environment."""

from __future__ import annotations

import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

#: What writes ONNX files.
ONNX = ("onnx==1.19.1", "numpy==2.4.6", "protobuf==7.36.2", "ml_dtypes==0.6.0")


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
