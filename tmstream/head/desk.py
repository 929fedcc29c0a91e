"""The desk beside the head: teaching, scenes, journal, receipts and judging, while the show runs.

Order of a change: checked here, committed by the project, told to the head's memory, which applies
it between two packets; only then the reply.
"""

from __future__ import annotations

import asyncio
import base64
import difflib
import threading
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from tmstream.core import messages
from tmstream.core.errors import InputError
from tmstream.core.packet import Embedding, Neighbour, Packet
from tmstream.core.services import Services
from tmstream.store.history import History
from tmstream.store.project import Example, Project
from tmstream.store.records import checked_text

from .judge import judge
from .memory import Memory
from .recording import FRAME_EVERY_US, Recording, Said, taught
from .scratch import Scratch

#: How far back `mark` may reach, and how many embeddings are kept for it.
MARK_S = 30.0
MARK_MOST = 4000
LONGEST_S = 600.0
#: After a recording stops: a sound may have begun that has no embedding yet, or not have ended.
UNHEARD_US = 350_000
UNENDED_US = 2_000_000
POLL_S = 0.02

Receipts = Mapping[int, tuple[Neighbour, ...]]
Handler = Callable[["Desk", Any], Awaitable[Any]]


class Desk:
    """Answers the head's commands; `saw` and `gap` are told by the head's lane."""

    def __init__(self, book: Project | Scratch, memory: Memory, history: History | None,
                 services: Services, receipts: Receipts) -> None:  # fmt: skip
        self._book, self._memory, self._history = book, memory, history
        self._services, self._receipts = services, receipts
        self._lock = threading.Lock()  # guards what the lane and the loop share
        self._said: deque[Said] = deque(maxlen=MARK_MOST)
        self._recording: Recording | None = None
        self._kinds: set[str] = set()
        self._k = 5

    # Told by the lane

    def saw(self, packet: Packet[Embedding], label: str | None) -> None:
        """Remember an embedding and the answer to it; take it when recording."""
        with self._lock:
            self._said.append(Said(packet, label))
            if packet.data.phase != "frame":
                self._kinds.add(packet.data.space)
            if self._recording is not None:
                self._recording.see(packet)

    def gap(self) -> None:
        """Forget the last seconds: what was interrupted cannot be marked."""
        with self._lock:
            self._said.clear()

    def close(self) -> None:
        """Drop a recording that is under way."""
        with self._lock:
            self._recording = None

    async def handle(self, command: Any, *, k: int) -> Any:
        """Return the result of a command, plain data; `InputError` when it is refused."""
        self._k = k
        return await HANDLERS[type(command)](self, command)

    # Teaching

    async def record_start(self, command: messages.RecordStart) -> dict[str, Any]:
        """Teach what comes; with ``seconds`` the reply names the examples, else it is immediate."""
        self._must_be_unlocked()
        label = checked_text(command.label, "label")
        seconds = command.seconds
        if seconds is not None and not 0 < seconds <= LONGEST_S:
            raise InputError(f"seconds must be more than 0 and at most {LONGEST_S:g}")
        if not 0 <= command.delay_s <= 60:
            raise InputError("delay_s must be between 0 and 60")
        name = (
            checked_text(command.take, "take") if command.take else f"take-{uuid.uuid4().hex[:8]}"
        )
        from_us = self._services.clock.now_us() + round(command.delay_s * 1e6)
        recording = Recording(
            label, name, from_us, spaces=command.spaces, person=command.person or None
        )
        with self._lock:
            if self._recording is not None:
                raise InputError(f"{self._recording.label!r} is being recorded; stop that first")
            self._recording = recording
        if seconds is None:
            return {"label": label, "take": name, "recording": True}
        recording.until_us = from_us + round(seconds * 1e6)
        return await self._finish(recording)

    async def record_stop(self, command: messages.RecordStop) -> dict[str, Any]:
        """End the recording; the reply names the examples."""
        with self._lock:
            recording = self._recording
        if recording is None:
            raise InputError("nothing is being recorded")
        now_us = self._services.clock.now_us()
        recording.until_us = min(now_us, recording.until_us or now_us)
        return await self._finish(recording)

    async def _finish(self, recording: Recording) -> dict[str, Any]:
        """Wait for the end of the recording and of its sounds, then keep what was taken."""
        # The engine's clock decides, which no event can wait for: it may be a virtual one.
        while self._recording is recording and not self._done(recording):  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)
        with self._lock:
            if self._recording is not recording:
                raise InputError("this recording was already stopped")
            self._recording = None
        new = await asyncio.to_thread(recording.examples, self._history)
        ids = await asyncio.to_thread(self._book.add, new) if new else []
        spaces: dict[str, int] = {}
        for one in new:
            spaces[one.space] = spaces.get(one.space, 0) + 1
        result = {"label": recording.label, "take": recording.name, "ids": ids, "spaces": spaces}
        if not ids:
            result["note"] = "nothing was heard or seen while recording"
        return result

    def _done(self, recording: Recording) -> bool:
        if recording.until_us is None:
            return False
        since_us = self._services.clock.now_us() - recording.until_us
        with self._lock:
            if since_us < (UNHEARD_US if self._kinds else 0):
                return False
            return since_us >= UNENDED_US or not recording.under_way

    async def mark(self, command: messages.Mark) -> dict[str, Any]:
        """Teach the last seconds as a label; with null: what was said of them was wrong.

        An attendant may say so during a locked show: it is kept, and learned once unlocked.
        """
        if command.label is not None:
            self._must_be_unlocked()
        if not 0 < command.seconds <= MARK_S:
            raise InputError(f"seconds must be more than 0 and at most {MARK_S:g}")
        label = None if command.label is None else checked_text(command.label, "label")
        from_us = self._services.clock.now_us() - round(command.seconds * 1e6)
        with self._lock:
            said = list(self._said)
        name = f"mark-{uuid.uuid4().hex[:8]}"
        meant = [one for one in _thinned(said) if _meant(one, command, from_us)]
        if label is None:
            meant = [one for one in meant if one.label is not None]
        if not meant:
            what = "said about" if label is None else "heard or seen in"
            raise InputError(f"nothing was {what} the last {command.seconds:g} seconds")

        def keep() -> list[str]:
            return self._book.add(
                [
                    taught(one.packet, label or one.label or "", name, self._history,
                           negative=label is None)
                    for one in meant
                ]
            )  # fmt: skip

        ids = await asyncio.to_thread(keep)
        return {"ids": ids, "take": name, "labels": sorted({label or str(m.label) for m in meant})}

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
        self._known(command.label)
        await asyncio.to_thread(self._book.rename_label, command.label, command.to)
        return {"labels": self._book.labels()}

    async def delete_label(self, command: messages.DeleteLabel) -> dict[str, Any]:
        """Forget a label."""
        self._must_be_unlocked()
        self._known(command.label)
        await asyncio.to_thread(self._book.delete_label, command.label)
        return {"labels": self._book.labels()}

    # Scenes, lock, journal

    async def active_labels(self, command: messages.ActiveLabels) -> dict[str, Any]:
        """Let only these labels answer."""
        labels = [checked_text(label, "label") for label in command.labels]
        for label in labels:
            self._known(label)
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
        """Judge the project by examples of groups that did not teach."""
        examples = await asyncio.to_thread(self._book.examples)
        return await asyncio.to_thread(judge, examples, self._k, command.group)

    async def neighbours(self, command: messages.Neighbours) -> list[dict[str, Any]]:
        """Return the examples that voted for an answer, nearest first."""
        found = self._receipts.get(command.seq)
        if found is None:
            raise InputError(f"the receipts of answer {command.seq} are gone, or it never was")
        every = {one.id: one for one in await asyncio.to_thread(self._book.examples)}
        return [
            {**msgspec.to_builtins(one), **(_plain(every[one.id]) if one.id in every else {})}
            for one in found
        ]

    async def examples(self, command: messages.Examples) -> list[dict[str, Any]]:
        """Return the examples without their vectors."""
        found = await asyncio.to_thread(self._book.examples, None, command.label)
        return [_plain(one) for one in found]

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

    def _known(self, label: str) -> None:
        labels = {one.label for one in self._book.examples()}
        if label not in labels:
            near = difflib.get_close_matches(label, sorted(labels), 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise InputError(f"there is no label {label!r}{hint}")


def _meant(one: Said, command: messages.Mark, from_us: int) -> bool:
    seen = one.packet.data
    return (
        seen.end_us >= from_us
        and command.space in (None, seen.space)
        and command.subject in (None, seen.subject)
    )


def _thinned(said: list[Said]) -> list[Said]:
    """Return the embeddings without frames that follow one another too closely."""
    last: dict[tuple[str, str | None], int] = {}
    kept = []
    for one in said:
        seen = one.packet.data
        who = (seen.space, seen.subject)
        if seen.phase == "frame":
            if seen.end_us - last.get(who, -FRAME_EVERY_US) < FRAME_EVERY_US:
                continue
            last[who] = seen.end_us
        kept.append(one)
    return kept


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
