"""The one head every modality shares: nearest examples vote, strangers are told so."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import msgspec
import numpy as np

from ..core.clock import VirtualClock
from ..core.packet import Absent, Embedding, Float32, Gap, Neighbour, Packet, Scores
from ..core.services import Services
from ..store.history import History
from ..store.project import Project
from .desk import COMMANDS, Desk
from .fuse import Answer, Recent, Rule, fuse
from .memory import Memory
from .scratch import Scratch
from .verdict import Verdict, verdict

#: Answers whose receipts can still be asked for: half a minute of two people at 30 Hz.
KEPT_RECEIPTS = 2000
#: Larger numbers overflow float32 when squared; no embedder means them.
EXTREME = 1e15


@dataclass
class Knn:
    """Exact k-nearest-neighbour vote over the project's examples, in every space that speaks.

    ``strictness`` 0 lets every stranger in, 1 turns half of the members away. ``rule`` says how
    spaces agree, ``within_s`` how far apart their evidence may lie.

    Example: ``head: {type: knn, from: [sound, pose], k: 5}``
    """

    takes: ClassVar[tuple[type, ...]] = (Embedding, Absent, Gap)
    gives: ClassVar[tuple[type, ...]] = (Scores, Absent, Gap)
    handles: ClassVar[tuple[type, ...]] = COMMANDS

    k: int = 5
    strictness: float = field(default=0.5, metadata={"live": True})
    rule: Rule = "any"
    within_s: float = 1.0
    _memory: Memory = field(init=False, repr=False)
    _desk: Desk = field(init=False, repr=False)
    _recent: Recent = field(init=False, repr=False)
    _deaf: Callable[[], None] = field(init=False, repr=False)  #: hear of changes no more
    _services: Services | None = field(default=None, init=False, repr=False)
    _receipts: OrderedDict[int, tuple[Neighbour, ...]] = field(init=False, repr=False)
    _ends: dict[str | None, int] = field(default_factory=dict, init=False, repr=False)
    _seq: int = field(default=0, init=False, repr=False)
    _mismatched: set[str] = field(default_factory=set, init=False, repr=False)
    _project: Project | None = field(default=None, init=False, repr=False)
    _noticed: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        if not 1 <= self.k <= 1000:
            raise ValueError(f"k must be between 1 and 1000, not {self.k}")
        if not 0 <= self.strictness <= 1:
            raise ValueError(f"strictness must be between 0 and 1, not {self.strictness}")
        if not 0 <= self.within_s <= 60:
            raise ValueError(f"within_s must be between 0 and 60, not {self.within_s}")

    def open(self, services: Services, book: Project | Scratch | None = None) -> None:
        """Fetch the examples (of ``book``, else of the project), and hear of every change."""
        self._project = project = services.find(Project)
        if book is None:
            book = project if project is not None else Scratch()
        self._services = services
        self._recent, self._receipts = Recent(self.within_s), OrderedDict()
        self._memory = Memory(self.k, project, steady=isinstance(services.clock, VirtualClock))
        # Before reading: what changes in between is told twice.
        self._deaf = book.subscribe(self._memory.tell)
        self._memory.open(
            book.examples(),
            book.setting("active_labels", []) or [],
            locked=bool(book.setting("locked", False)),
        )
        self._desk = Desk(book, self._memory, services.find(History), services, self._receipts)
        self._noticed = 0
        self._pass_on()

    def close(self) -> None:
        """End the background learning."""
        if self._services is not None:
            self._deaf()
            self._desk.booth.close()
            self._memory.close()

    async def handle(self, command: Any) -> Any:
        """Carry out a command: teaching, scenes, the journal, receipts, judging."""
        return await self._desk.handle(command, k=self.k, strictness=self.strictness)

    def process(self, packet: Packet[Any]) -> Iterable[Packet[Any]]:
        """Yield the answer to an embedding; `Absent` and `Gap` are handed on."""
        self._memory.settle()
        self._pass_on()
        if isinstance(packet.data, Embedding):
            yield from self._heard(packet)
            return
        if isinstance(packet.data, Absent):
            self._recent.silence(packet.data)  # it abstains from now on
        else:
            self._recent.cut(packet.data)
            self._desk.booth.gap(packet.data)
        yield packet

    def _pass_on(self) -> None:
        """Show what happened to the project last: damage, a backup restored."""
        notices = [] if self._project is None else self._project.notices
        if len(notices) > self._noticed:
            self._notice(notices[-1])
        self._noticed = len(notices)

    def _notice(self, message: str | None) -> None:
        if self._services is not None:
            self._services.notice(message)

    def _heard(self, packet: Packet[Embedding]) -> Iterator[Packet[Scores]]:
        heard = packet.data
        if not usable(heard.vector):
            unsure = Answer(None, 0.0, "not_finite", (), (heard.space,), ())
            yield self._scores(packet, heard.subject, unsure)
            return
        said = msgspec.structs.replace(self._verdict(packet), source=heard.source)
        self._desk.booth.saw(packet, said.label)
        self._recent.keep(said)
        for subject, verdicts in self._recent.companies(said):
            yield self._scores(packet, subject, fuse(verdicts, self.rule))

    def _verdict(self, packet: Packet[Embedding]) -> Verdict:
        heard = packet.data
        found = self._memory.ask(heard.space, heard.vector)
        where = (heard.space, heard.subject, packet.t_us, heard.end_us)
        if found is None:
            self._say_mismatch(heard)
            return Verdict(*where, (), None, "too_few_examples", 0.5)
        if heard.space in self._mismatched:
            self._mismatched.clear()
            self._notice(None)
        bank, opinions = found
        return verdict(opinions, bank.fit, where, k=self.k, strictness=self.strictness)

    def _say_mismatch(self, heard: Embedding) -> None:
        """Tell the user, once, when examples are of another length than what is heard now."""
        taught = self._memory.dimension(heard.space)
        if taught is not None and heard.space not in self._mismatched:
            self._mismatched.add(heard.space)
            self._notice(
                f"{heard.space!r} was taught with {taught} numbers, this pipeline makes "
                f"{len(heard.vector)}; run `tmstream reembed`"
            )

    def _scores(
        self, packet: Packet[Embedding], subject: str | None, answer: Answer
    ) -> Packet[Scores]:
        """Number an answer, keep its receipts, and keep each subject's answers in order."""
        self._seq += 1
        self._receipts[self._seq] = answer.neighbours
        if len(self._receipts) > KEPT_RECEIPTS:
            self._receipts.popitem(last=False)
        data = packet.data
        end_us = max(data.end_us, self._ends.get(subject, data.end_us))
        self._ends[subject] = end_us
        if len(self._ends) > 64:  # ids are never used again: drop those long gone
            self._ends = {who: end for who, end in self._ends.items() if end > end_us - 5_000_000}
        return packet.with_data(
            Scores(
                answer.label,
                answer.confidence,
                answer.rejected,
                answer.results,
                end_us,
                self._seq,
                subject,
                answer.spaces,
                data.phase,
                data.take,
                answer.neighbours,
                self._services.node if self._services is not None else "",
                data.source,
            )
        )


def usable(vector: Float32) -> bool:
    """Return whether a vector can be compared: finite, and small enough to be squared."""
    return bool(np.isfinite(vector).all()) and bool(np.abs(vector).max(initial=0) < EXTREME)
