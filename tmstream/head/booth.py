"""The booth: what is heard and seen is recorded as examples, or marked after the fact."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections import deque
from typing import Any

from ..core import messages
from ..core.clock import Clock
from ..core.errors import InputError
from ..core.packet import Embedding, Gap, Packet, same_source
from ..core.services import Embedders
from ..store.history import History
from ..store.project import NewExample, Project
from ..store.records import checked_text
from .origin import Origin
from .recording import FRAME_EVERY_US, Recording, Said, clip_of, span_of, taught
from .scratch import Scratch

#: How far back `mark` may reach, and how many embeddings are kept for it.
MARK_S = 30.0
MARK_MOST = 4000
LONGEST_S = 600.0
#: After a recording stops: a sound may have begun that has no embedding yet, or not have ended.
UNHEARD_US = 350_000
UNENDED_US = 2_000_000
POLL_S = 0.02
#: While recording: how often clips are taken, and of what ended so long ago that no sound beside it
#: can still be unheard. The history forgets after 20 s, and pictures sooner.
CLIPS_EVERY_S = 1.0
SETTLED_US = 1_500_000


class Booth:
    """Records for the desk; the head's lane tells it what comes by `saw` and `gap`."""

    def __init__(self, book: Project | Scratch, history: History | None, clock: Clock,
                 embedders: Embedders | None = None) -> None:  # fmt: skip
        self._book, self._history, self._clock = book, history, clock
        self._origin = Origin(book, embedders)
        self._lock = threading.Lock()  # guards what the lane and the loop share
        self._said: deque[Said] = deque(maxlen=MARK_MOST)
        self._recording: Recording | None = None
        self._kinds: set[str] = set()
        self._clips: asyncio.Task[None] | None = None

    # Told by the lane

    def saw(self, packet: Packet[Embedding], label: str | None) -> None:
        """Remember an embedding and the answer to it; take it when recording."""
        with self._lock:
            self._said.append(Said(packet, label))
            if packet.data.phase != "frame":
                self._kinds.add(packet.data.space)
            if self._recording is not None:
                self._recording.see(packet)

    def gap(self, gap: Gap) -> None:
        """Forget the last seconds of what was interrupted: it cannot be marked."""
        with self._lock:
            kept = [s for s in self._said if not same_source(gap.source, s.packet.data.source)]
            self._said.clear()
            self._said.extend(kept)

    def close(self) -> None:
        """Drop a recording that is under way."""
        with self._lock:
            self._recording = None

    # Told by the desk

    async def record_start(self, command: messages.RecordStart) -> dict[str, Any]:
        """Teach what comes; with ``seconds`` the reply names the examples, else it is immediate."""
        label = checked_text(command.label, "label")
        seconds = command.seconds
        if seconds is not None and not 0 < seconds <= LONGEST_S:
            raise InputError(f"seconds must be more than 0 and at most {LONGEST_S:g}")
        if not 0 <= command.delay_s <= 60:
            raise InputError("delay_s must be between 0 and 60")
        name = (
            checked_text(command.take, "take") if command.take else f"take-{uuid.uuid4().hex[:8]}"
        )
        self._origin.check(command.spaces)
        from_us = self._clock.now_us() + round(command.delay_s * 1e6)
        recording = Recording(
            label, name, from_us, spaces=command.spaces, person=command.person or None,
            subject=command.subject,
        )  # fmt: skip
        with self._lock:
            if self._recording is not None:
                raise InputError(f"{self._recording.label!r} is being recorded; stop that first")
            self._recording = recording
        if self._history is not None:
            self._clips = asyncio.create_task(self._keep_clips(recording, self._history))
        if seconds is None:
            return {"label": label, "take": name, "recording": True}
        recording.until_us = from_us + round(seconds * 1e6)
        return await self._finish(recording)

    async def record_stop(self) -> dict[str, Any]:
        """End the recording; the reply names the examples."""
        with self._lock:
            recording = self._recording
        if recording is None:
            raise InputError("nothing is being recorded")
        now_us = self._clock.now_us()
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
        ids = await asyncio.to_thread(self._keep, new) if new else []
        spaces: dict[str, int] = {}
        for one in new:
            spaces[one.space] = spaces.get(one.space, 0) + 1
        result = {
            "label": recording.label, "take": recording.name, "ids": ids, "spaces": spaces,
            "subjects": sorted({one.data.subject for one in recording.taken if one.data.subject}),
        }  # fmt: skip
        if not ids:
            whose = f" of {recording.subject}" if recording.subject else ""
            result["note"] = f"nothing was heard or seen{whose} while recording"
        return result

    async def _keep_clips(self, recording: Recording, history: History) -> None:
        while self._recording is recording:
            await asyncio.sleep(CLIPS_EVERY_S)
            with self._lock:
                ended = recording.ended(self._clock.now_us() - SETTLED_US)
            await asyncio.to_thread(recording.keep_clips, history, ended)

    def _keep(self, new: list[NewExample]) -> list[str]:
        return self._book.add(new, settings=self._origin.settings({one.space for one in new}))

    def _done(self, recording: Recording) -> bool:
        if recording.until_us is None:
            return False
        since_us = self._clock.now_us() - recording.until_us
        with self._lock:
            if since_us < (UNHEARD_US if self._kinds else 0):
                return False
            return since_us >= UNENDED_US or not recording.under_way

    async def mark(self, command: messages.Mark) -> dict[str, Any]:
        """Teach the last seconds as a label; with null: what was said of them was wrong."""
        if not 0 < command.seconds <= MARK_S:
            raise InputError(f"seconds must be more than 0 and at most {MARK_S:g}")
        label = None if command.label is None else checked_text(command.label, "label")
        self._origin.known([command.space] if command.space else ())
        now_us = self._clock.now_us()
        until_us = now_us if command.until_us is None else command.until_us
        if now_us - until_us > MARK_S * 1e6:
            raise InputError(f"that is too long ago: the last {MARK_S:g} s can be marked")
        from_us = until_us - round(command.seconds * 1e6)
        with self._lock:
            said = list(self._said)
        name = f"mark-{uuid.uuid4().hex[:8]}"
        meant = [one for one in _thinned(said) if _meant(one, command, from_us)]
        if label is None:
            meant = [one for one in meant if one.label is not None]
        if not meant:
            what = "said about" if label is None else "heard or seen in"
            when = f"the last {command.seconds:g} s" if command.until_us is None else "that moment"
            raise InputError(f"nothing was {what} {when}")

        company = [one.packet for one in said]

        def example(one: Said) -> NewExample:
            clip = clip_of(span_of(one.packet, company), self._history)
            return taught(one.packet, label or one.label or "", name, clip, negative=label is None)

        def keep() -> list[str]:
            return self._keep([example(one) for one in meant])

        ids = await asyncio.to_thread(keep)
        return {"ids": ids, "take": name, "labels": sorted({label or str(m.label) for m in meant})}


def _meant(one: Said, command: messages.Mark, from_us: int) -> bool:
    seen = one.packet.data
    return (
        seen.end_us >= from_us
        and (command.until_us is None or seen.end_us <= command.until_us)
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
