"""Progress bars, on stderr: stdout belongs to what a command answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager


@contextmanager
def progress(doing: str, total: int) -> Iterator[Callable[..., None]]:
    """Show a bar; call what it gives once for each of ``total`` things done.

    It ends full: what was passed over needs no doing.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        bar = bars.add_task(doing, total=total)

        def done(_: object = None) -> None:
            bars.advance(bar)

        yield done
        bars.update(bar, completed=total)


def busy(doing: str) -> AbstractContextManager[object]:
    """Show that something is ``doing`` whose end cannot be told."""
    from rich.console import Console

    return Console(stderr=True).status(f"{doing} ...")
