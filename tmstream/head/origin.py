"""Where taught vectors come from: which spaces can be taught now, and which embedder made each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..core.errors import InputError
from ..core.services import Embedders
from ..store.project import Project
from .scratch import Scratch


class Origin:
    """Compares what the pipeline embeds with what the project was taught."""

    def __init__(self, book: Project | Scratch, embedders: Embedders | None) -> None:
        self._book, self._embedders = book, embedders

    def check(self, wanted: Sequence[str] | None) -> None:
        """Refuse a space that nothing here embeds, or whose examples another embedder made.

        ``wanted``: the spaces to teach; None or none for all of them.
        """
        known = self.known(wanted or ())
        self.settings(wanted or known or ())

    def known(self, wanted: Sequence[str]) -> frozenset[str] | None:
        """Return what this pipeline embeds, if it says; refuse anything else of ``wanted``."""
        known = None if self._embedders is None else self._embedders.spaces
        for space in wanted:
            if known is not None and space not in known:
                raise InputError(
                    f"no node of this pipeline embeds {space!r}; known: {', '.join(sorted(known))}"
                )
        return known

    def settings(self, spaces: Iterable[str]) -> dict[str, str]:
        """Return the pipeline and what made each of ``spaces``, to be kept with first examples.

        Raises:
            InputError: its examples were made by another embedder; the two cannot be compared.
        """
        made = {}
        for space in spaces:
            maker = None if self._embedders is None else self._embedders.maker(space)
            before = self._book.setting(f"space:{space}")
            if maker in (None, before):
                continue
            if before is not None and self._book.examples(space):
                where = getattr(self._book, "path", "PROJECT")
                raise InputError(
                    f"the examples of {space!r} were made by another embedder, and nothing can be "
                    f"added to them; first run: tmstream reembed {where}"
                )
            made[f"space:{space}"] = str(maker)
        pipeline = None if self._embedders is None else self._embedders.pipeline
        if pipeline is not None and self._book.setting("pipeline") is None:
            made["pipeline"] = pipeline
        return made
