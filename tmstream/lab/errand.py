"""A child process that embeds dropped files and variants, so that none can harm or slow the show.

Decoders of sound and film are large native programs, and the files may be anybody's. The child
reads the project and decodes; what it learns goes to the engine, and only the engine writes. Each
`Keep` waits for its `Kept`.

    python -m tmstream.lab.errand        # with an `Order` as the first frame on standard input
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ..backends import frames
from ..core.errors import StoreError, TmstreamError
from ..core.packet import Float32, Phase
from ..engine.registry import Registry
from ..engine.spec import NodeSpec, Pipeline
from ..store.project import Clip, NewExample, Project
from .embedder import Heard
from .part import kinds_of
from .pool import Pool
from .sample import Kind, Sample
from .teach import teach
from .vary import plan, vary, workload


class Piece(msgspec.Struct, frozen=True):
    """A file to embed."""

    file: str
    name: str
    kind: Kind
    label: str


class Spec(msgspec.Struct, frozen=True):
    """A node of the running pipeline."""

    name: str
    type: str
    sources: tuple[str, ...]
    params: dict[str, Any]


class Order(msgspec.Struct, frozen=True):
    """What to teach, by which nodes."""

    project: str
    pipeline: str  #: path, for messages
    nodes: list[Spec]
    pieces: list[Piece] = []
    person: str | None = None
    settings: dict[str, Any] = {}
    vary: list[str] = []  #: labels to teach variants of


class Row(msgspec.Struct, frozen=True):
    """A `NewExample` on its way; ``vector`` are little-endian float32."""

    label: str
    space: str
    vector: bytes
    take: str
    person: str | None
    groups: dict[str, str]
    source: str
    t_us: int
    end_us: int
    phase: Phase
    clip: tuple[bytes, str] | None
    augmented_from: str | None
    id: str | None


class Told(msgspec.Struct, frozen=True, tag="told"):
    """What became of one file."""

    name: str
    label: str
    examples: int
    why: str = ""  #: it was skipped for


class Step(msgspec.Struct, frozen=True, tag="step"):
    """One of ``total`` variants is made."""

    total: int


class Keep(msgspec.Struct, frozen=True, tag="keep"):
    """Examples and settings to be written, as one part of a batch."""

    rows: list[Row]
    settings: dict[str, Any]
    batch: str
    since: int | None = None


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """The last frame; ``error`` is for the person who dropped the files."""

    known: int = 0  #: files taught before
    varied: dict[str, Any] = {}  #: `Varied` by label
    error: str = ""


class Kept(msgspec.Struct, frozen=True):
    """The engine's answer to a `Keep`."""

    ids: list[str] = []  #: of the rows that were kept
    error: str = ""


Frame = Told | Step | Keep | Ended


def order(project: Project, pipeline: Pipeline, **wanted: Any) -> bytes:
    """Return the first frame for a child: an `Order` with the fields ``wanted``."""
    nodes = [Spec(n.name, n.type, n.sources, dict(n.params)) for n in pipeline.nodes]
    return msgspec.msgpack.encode(Order(str(project.path), str(pipeline.path), nodes, **wanted))


def examples_of(keep: Keep) -> list[NewExample]:
    """Return what is to be written."""
    return [
        NewExample(
            **{
                **msgspec.structs.asdict(row),
                "vector": np.frombuffer(row.vector, "<f4"),
                "clip": None if row.clip is None else Clip(*row.clip),
            }
        )
        for row in keep.rows
    ]


class _Book:
    """Stands for the project in `teach`: reads it, and lets the engine write."""

    def __init__(self, project: Project, owner: frames.Owner) -> None:
        self._project, self._owner = project, owner

    def __getattr__(self, reading: str) -> Any:
        return getattr(self._project, reading)

    def set_settings(self, settings: Mapping[str, Any], *, batch: str = "") -> None:
        self._ask(Keep([], dict(settings), batch))

    def add(
        self, examples: Sequence[NewExample], *, batch: str = "", since: int | None = None
    ) -> list[str]:
        return self._ask(Keep([_row(one) for one in examples], {}, batch, since))

    def _ask(self, keep: Keep) -> list[str]:
        tell(self._owner, keep)
        answer = msgspec.msgpack.decode(self._owner.read(), type=Kept)
        if answer.error:
            raise StoreError(answer.error)
        return answer.ids


def _row(one: NewExample) -> Row:
    vector: Float32 = np.ascontiguousarray(one.vector, "<f4")
    return Row(
        one.label, one.space, vector.tobytes(), one.take, one.person, dict(one.groups), one.source,
        one.t_us, one.end_us, one.phase,
        None if one.clip is None else (one.clip.data, one.clip.media_type), one.augmented_from,
        one.id,
    )  # fmt: skip


def tell(owner: frames.Owner, message: Frame) -> None:
    """Write one frame."""
    owner.write(msgspec.msgpack.encode(message))


def run(wanted: Order, owner: frames.Owner) -> Ended:
    """Embed and teach; returns how it ended."""
    nodes = tuple(NodeSpec(n.name, n.type, n.sources, n.params) for n in wanted.nodes)
    pipeline, registry = Pipeline(Path(wanted.pipeline), nodes), Registry.installed()
    with (
        Project.open(Path(wanted.project), read_only=True) as project,
        Pool(pipeline, registry, workers=1) as pool,
    ):
        book: Any = _Book(project, owner)
        if wanted.vary:
            return _vary(wanted, book, pool, kinds_of(pipeline, registry), owner)
        return _teach(wanted, book, pool, owner)


def _teach(wanted: Order, book: Any, pool: Pool, owner: frames.Owner) -> Ended:
    samples = [Sample(Path(one.file), one.name, one.kind, one.label) for one in wanted.pieces]

    def report(heard: Heard) -> None:
        found, sample = len(heard.embeddings), heard.sample
        tell(owner, Told(sample.name, sample.label or "", found, "" if found else heard.why))

    tallies = teach(
        book, pool, samples, person=wanted.person, settings=wanted.settings, report=report
    )
    return Ended(sum(tally.known for tally in tallies.values()))


def _vary(wanted: Order, book: Any, pool: Pool, able: list[Kind], owner: frames.Owner) -> Ended:
    pieces, told = plan(book, able, wanted.vary)
    total = workload(pieces)
    vary(book, pool, pieces, told, report=lambda heard: tell(owner, Step(total)))
    return Ended(varied={label: asdict(one) for label, one in told.items()})


def main() -> None:
    """Serve one order."""
    owner = frames.Owner()
    try:
        ended = run(msgspec.msgpack.decode(owner.read(), type=Order), owner)
    except TmstreamError as error:
        ended = Ended(error=str(error))
    tell(owner, ended)


if __name__ == "__main__":
    main()
