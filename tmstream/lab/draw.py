"""A judgement as a picture: one confusion matrix a space."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..core.errors import InputError


def confusion(report: dict[str, Any], path: Path) -> None:
    """Draw the confusion matrices of a judgement to ``path`` (png, pdf or svg).

    Raises:
        InputError: matplotlib is not installed, or the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError("drawing needs matplotlib: pip install matplotlib") from error

    spaces = report["spaces"]
    figure = Figure(figsize=(max(1, len(spaces)) * 6.0, 5.5), layout="constrained")
    for place, (space, found) in enumerate(spaces.items(), start=1):
        axes = figure.add_subplot(1, len(spaces), place)
        rows, labels = found["confusion"]["matrix"], found["confusion"]["labels"]
        shares = [[count / max(1, sum(row)) for count in row] for row in rows]
        axes.imshow(shares, vmin=0.0, vmax=1.0, cmap="Blues", aspect="auto")
        axes.set_xticks(range(len(rows[0])), found["confusion"]["answers"], rotation=90)
        axes.set_yticks(range(len(labels)), labels)
        axes.set_xlabel("answered")
        axes.set_ylabel("was")
        right = found["accuracy"]
        axes.set_title(space if right is None else f"{space}: {right:.0%} right")
        for y, row in enumerate(rows):
            for x, count in enumerate(row):
                if count:
                    dark = shares[y][x] > 0.5
                    axes.text(x, y, str(count), ha="center", va="center", fontsize=7,
                              color="white" if dark else "black")  # fmt: skip
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be drawn ({error})") from error
