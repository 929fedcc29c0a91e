"""Several changes that are one: all of them are made, or none."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator

from ..core.errors import TmstreamError
from .project import Project


@contextlib.contextmanager
def one_step(project: Project) -> Iterator[str]:
    """Give the name of a batch for changes; those of one left unfinished are taken back.

    By Ctrl-C, for instance, or a full disk. Not where somebody else changed something since: that
    would have to be taken back first.
    """
    batch = uuid.uuid4().hex
    try:
        yield batch
    except BaseException:
        with contextlib.suppress(TmstreamError):
            project.undo(batch=batch)
        raise
