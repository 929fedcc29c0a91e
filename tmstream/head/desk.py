"""The desk beside the head: teaching, scenes, journal, receipts and judging, while the show runs.

Order of a change: checked here, committed by the project, told to the head's memory, which applies
it between two packets; only then the reply.
"""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from ..core import messages
from ..core.errors import InputError
from ..core.packet import Neighbour
from ..core.services import Embedders, Services
from ..core.words import nearest
from ..server.jobs import Job, Jobs
from ..store.history import History
from ..store.project import Example, Project
from ..store.records import checked_text
from .aside import judge_aside
from .booth import Booth
from .judge import Progress, judge
from .memory import Memory
from .scratch import Scratch
from .state import fingerprint

#: So many examples are judged before a child process would have begun.
FEW = 200

Receipts = Mapping[int, tuple[Neighbour, ...]]
Handler = Callable[["Desk", Any], Awaitable[Any]]


class Desk:
    """Answers the head's commands; what is heard and seen goes to its `booth`."""

    def __init__(self, book: Project | Scratch, memory: Memory, history: History | None,
                 services: Services, receipts: Receipts) -> None:  # fmt: skip
        self.booth = Booth(book, history, services.clock, services.find(Embedders))
        self._book, self._memory, self._receipts = book, memory, receipts
        self._k, self._strictness = 5, 0.5
        self._services = services

    async def handle(self, command: Any, *, k: int, strictness: float) -> Any:
        """Return the result of a command, plain data; `InputError` when it is refused."""
        self._k, self._strictness = k, strictness
        return await HANDLERS[type(command)](self, command)

    # Teaching

    async def record_start(self, command: messages.RecordStart) -> dict[str, Any]:
        """Teach what comes; with ``seconds`` the reply names the examples, else it is immediate."""
        self._must_be_unlocked()
        return await self.booth.record_start(command)

    async def record_stop(self, command: messages.RecordStop) -> dict[str, Any]:
        """End the recording; the reply names the examples."""
        return await self.booth.record_stop()

    async def mark(self, command: messages.Mark) -> dict[str, Any]:
        """Teach the last seconds as a label; with null: what was said of them was wrong.

        An attendant may say so during a locked show: it is kept, and learned once unlocked.
        """
        if command.label is not None:
            self._must_be_unlocked()
        return await self.booth.mark(command)

    async def delete_examples(self, command: messages.DeleteExamples) -> dict[str, Any]:
        """Forget examples."""
        self._must_be_unlocked()
        await asyncio.to_thread(self._book.delete, command.ids)
        return {"deleted": len(command.ids)}

    async def relabel(self, command: messages.Relabel) -> dict[str, Any]:
        """Move examples to another label."""
        self._must_be_unlocked()
        await asyncio.to_thread(self._book.relabel, command.ids, command.label)
        return {"moved": len(command.ids)}

    async def rename_label(self, command: messages.RenameLabel) -> dict[str, Any]:
        """Give a label another name."""
        self._must_be_unlocked()
        (label,) = await self._known(command.label)
        await asyncio.to_thread(self._book.rename_label, label, command.to)
        return {"labels": await asyncio.to_thread(self._book.labels)}

    async def delete_label(self, command: messages.DeleteLabel) -> dict[str, Any]:
        """Forget a label."""
        self._must_be_unlocked()
        (label,) = await self._known(command.label)
        await asyncio.to_thread(self._book.delete_label, label)
        return {"labels": await asyncio.to_thread(self._book.labels)}

    # Scenes, lock, journal

    async def active_labels(self, command: messages.ActiveLabels) -> dict[str, Any]:
        """Let only these labels answer."""
        labels = await self._known(*command.labels)
        await asyncio.to_thread(self._book.set_settings, {"active_labels": labels})
        return {"active_labels": labels}

    async def lock(self, command: messages.Lock) -> dict[str, Any]:
        """Freeze teaching, refits and limits."""
        await asyncio.to_thread(self._book.set_settings, {"locked": True})
        return {"locked": True}

    async def unlock(self, command: messages.Unlock) -> dict[str, Any]:
        """End the lock; what changed meanwhile is learned."""
        await asyncio.to_thread(self._book.set_settings, {"locked": False})
        return {"locked": False}

    async def undo(self, command: messages.Undo) -> dict[str, Any]:
        """Take back the last change."""
        self._must_be_unlocked()
        return {"undone": await asyncio.to_thread(self._book.undo)}

    async def redo(self, command: messages.Redo) -> dict[str, Any]:
        """Make it again."""
        self._must_be_unlocked()
        return {"redone": await asyncio.to_thread(self._book.redo)}

    async def snapshot(self, command: messages.Snapshot) -> dict[str, Any]:
        """Name the present state."""
        await asyncio.to_thread(self._book.snapshot, command.name)
        return {"snapshot": command.name}

    async def restore(self, command: messages.Restore) -> dict[str, Any]:
        """Return to a named state."""
        self._must_be_unlocked()
        await asyncio.to_thread(self._book.restore, command.name)
        return {"restored": command.name}

    async def list_snapshots(self, command: messages.ListSnapshots) -> list[Any]:
        """Return the named states."""
        found = await asyncio.to_thread(self._book.snapshots)
        return [msgspec.to_builtins(one) for one in found]

    # Looking

    async def evaluate(self, command: messages.Evaluate) -> dict[str, Any]:
        """Judge the project by examples of groups that did not teach, as strictly as it answers."""
        k, strictness = self._k, self._strictness
        examples = await asyncio.to_thread(self._book.examples)
        work = partial(_judge, examples, k, command.group, strictness)
        if not command.background:
            return await work(lambda done, total: None)

        async def tell(job: Job) -> dict[str, Any]:
            return await work(job.step)

        key = await asyncio.to_thread(fingerprint, examples, k)
        key += f" {strictness} {command.group}"
        return self._services.get(Jobs).look("judging", tell, key)

    async def neighbours(self, command: messages.Neighbours) -> list[dict[str, Any]]:
        """Return the examples that voted for an answer, nearest first."""
        found = self._receipts.get(command.seq)
        if found is None:
            raise InputError(f"the receipts of answer {command.seq} are gone, or it never was")
        known = [(one, self._memory.examples.get(one.id)) for one in found]
        return [
            {**msgspec.to_builtins(one), **({} if example is None else _plain(example))}
            for one, example in known
        ]

    async def examples(self, command: messages.Examples) -> list[dict[str, Any]]:
        """Return the examples without their vectors."""

        def listed() -> list[dict[str, Any]]:
            return [_plain(one) for one in self._book.examples(None, command.label)]

        return await asyncio.to_thread(listed)

    async def clip(self, command: messages.Clip) -> dict[str, Any]:
        """Return what was heard or seen with an example, base64."""
        clip = await asyncio.to_thread(self._book.clip, command.example)
        if clip is None:
            raise InputError(f"no clip is kept with example {command.example!r}")
        data = base64.b64encode(clip.data).decode("ascii")
        return {"example": command.example, "media_type": clip.media_type, "data": data}

    def _must_be_unlocked(self) -> None:
        # The project knows at once; the lane hears of it with the next packet, if one comes.
        if self._book.setting("locked", False):
            raise InputError("teaching is locked for the show; unlock first")

    async def _known(self, *labels: str) -> list[str]:
        """Return labels as they are written in the project, which must hold examples of them."""
        wanted = [checked_text(label, "label") for label in labels]
        there = set(await asyncio.to_thread(self._book.labels))
        if not there.issuperset(wanted):  # one may be known by what it is not
            there |= {one.label for one in await asyncio.to_thread(self._book.examples)}
        for label in wanted:
            if label not in there:
                raise InputError(f"there is no label {label!r}{nearest(label, there)}")
        return wanted


class _Stopped(Exception):
    """Ends a judgement that nobody waits for."""


async def _judge(
    examples: list[Example], k: int, group: str | None, strictness: float, progress: Progress
) -> dict[str, Any]:
    """Judge aside, or in a thread, which ends soon after this is cancelled."""
    if len(examples) > FEW:
        return await judge_aside(examples, k, group, strictness, progress)
    stopped = threading.Event()

    def step(done: int, total: int) -> None:
        if stopped.is_set():
            raise _Stopped
        progress(done, total)

    try:
        return await asyncio.to_thread(judge, examples, k, group, strictness, progress=step)
    finally:
        stopped.set()


def _plain(one: Example) -> dict[str, Any]:
    fields = {name: getattr(one, name) for name in Example.__struct_fields__ if name != "vector"}
    return msgspec.to_builtins(fields)  # type: ignore[no-any-return]


HANDLERS: dict[type, Handler] = {
    messages.RecordStart: Desk.record_start,
    messages.RecordStop: Desk.record_stop,
    messages.Mark: Desk.mark,
    messages.DeleteExamples: Desk.delete_examples,
    messages.RenameLabel: Desk.rename_label,
    messages.DeleteLabel: Desk.delete_label,
    messages.Relabel: Desk.relabel,
    messages.ActiveLabels: Desk.active_labels,
    messages.Lock: Desk.lock,
    messages.Unlock: Desk.unlock,
    messages.Undo: Desk.undo,
    messages.Redo: Desk.redo,
    messages.Snapshot: Desk.snapshot,
    messages.Restore: Desk.restore,
    messages.ListSnapshots: Desk.list_snapshots,
    messages.Evaluate: Desk.evaluate,
    messages.Neighbours: Desk.neighbours,
    messages.Examples: Desk.examples,
    messages.Clip: Desk.clip,
}
COMMANDS: tuple[type, ...] = tuple(HANDLERS)
