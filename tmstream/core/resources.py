"""Where files are: those that ship with tmstream, and those that outlive its runs."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def resource(name: str) -> Path:
    """Return the folder ``name`` ("models", "pipelines" or "demos") of this installation.

    It is inside the package, or in the checkout.
    """
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / name


def state_folder() -> Path:
    """Return ``TMSTREAM_STATE``, or the platform's own folder for state; it may not exist yet."""
    import platformdirs

    named = os.environ.get("TMSTREAM_STATE")
    return Path(named) if named else platformdirs.user_state_path("tmstream", appauthor=False)
