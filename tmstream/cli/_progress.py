"""Progress bars, on stderr: stdout belongs to what a command answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


@contextmanager
def progress(doing: str, total: int) -> Iterator[Callable[..., None]]:
    """Show a bar; call what it gives once for each of ``total`` things done.

    It ends full: what was passed over needs no doing.
    """
    with _bars(doing) as bars:
        bar = bars.add_task(doing, total=total)

        def done(_: object = None) -> None:
            bars.advance(bar)

        yield done
        bars.update(bar, completed=total)


@contextmanager
def steps(doing: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar of what takes a yet unknown number of steps; tell it how many are done of all."""
    with _bars(doing) as bars:
        bar = bars.add_task(doing, total=None)
        yield lambda done, total: bars.update(bar, completed=done, total=total)


def _bars(doing: str) -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))
