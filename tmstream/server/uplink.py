"""Sound and pictures of a browser: binary websocket frames for the `capture.browser` nodes.

A frame is a header of 16 bytes, little-endian, and its payload. Only control may send them.

====== ===== ===========================================================================
offset type  meaning
====== ===== ===========================================================================
0      u8    1 = sound, float32 samples; 2 = sound, int16 samples; 3 = picture, JPEG
1      u8    channel: which browser node of the pipeline (its ``channel``), usually 0
2      u16   0
4      u32   number of the frame, rising by one for each channel and kind (a jump is a gap)
8      u32   sound: its rate in Hz, best 16000; picture: 0
12     u32   age: microseconds between the capture of its *last* sample and sending
====== ===== ===========================================================================

Sound is mono. Each frame gets one ``media_ack {kind, seq, error?}`` once its node has taken it, or
at once with an ``error`` when it cannot be used. A page keeps at most two pictures unacknowledged
and 20 sound blocks (of 20 to 100 ms); beyond that it throws away its own oldest.

The other way, the engine's camera goes to whoever subscribed to ``video`` and may see it: u8 = 3,
u8 0, u16 0, u32 0, u64 ``t_us``, and a JPEG.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections import deque
from collections.abc import Callable
from typing import Literal, NamedTuple

from ..core.errors import InputError

HEADER = struct.Struct("<BBHIII")
PICTURE_HEADER = struct.Struct("<BBHIQ")
FLOAT32, INT16, JPEG = 1, 2, 3
MOST_WAITING = {"microphone": 50, "camera": 1}
PAUSE_S = 1.0  #: a page that sent nothing for so long begins anew

Kind = Literal["microphone", "camera"]
Acknowledge = Callable[[str | None], None]


class Block(NamedTuple):
    """One frame as it came; ``done`` must be called once, with what was wrong or None."""

    kind: Kind
    format: int
    channel: int
    seq: int
    rate_hz: int
    captured_us: int  #: the capture of its last sample, on the engine's clock
    payload: memoryview
    sender: object  #: another sender is another browser: its numbers start anew
    done: Acknowledge


def parse(
    frame: bytes,
    sender: object,
    acknowledge: Callable[[Kind, int, str | None], None],
    now_us: int,
) -> Block:
    """Return what a binary frame that arrived at ``now_us`` holds.

    Raises:
        InputError: its header is not one of ours.
    """
    if len(frame) <= HEADER.size:
        raise InputError(f"a media frame has a header of {HEADER.size} bytes and a payload")
    form, channel, zero, seq, rate_hz, age_us = HEADER.unpack_from(frame)
    if form not in (FLOAT32, INT16, JPEG) or zero:
        raise InputError(f"no media frames of kind {form}")
    kind: Kind = "camera" if form == JPEG else "microphone"
    if kind == "microphone" and not 8000 <= rate_hz <= 192_000:
        raise InputError(f"a rate of {rate_hz} Hz; sound has 8000 to 192000")
    payload = memoryview(frame)[HEADER.size :]
    if len(payload) % {FLOAT32: 4, INT16: 2, JPEG: 1}[form]:
        raise InputError("the sound ends within a sample")

    def done(error: str | None) -> None:
        acknowledge(kind, seq, error)

    captured_us = now_us - age_us
    return Block(kind, form, channel, seq, rate_hz, captured_us, payload, sender, done)


class Mailbox:
    """Blocks waiting for one node; when it is late the oldest are thrown away, and acknowledged."""

    def __init__(self, kind: Kind) -> None:
        self.dropped = 0
        self._blocks: deque[Block] = deque()
        self._most = MOST_WAITING[kind]
        self._arrived = asyncio.Event()

    def put(self, block: Block) -> None:
        """Add a block."""
        while len(self._blocks) >= self._most:
            self._blocks.popleft().done(None)
            self.dropped += 1
        self._blocks.append(block)
        self._arrived.set()

    async def get(self, patience_s: float) -> Block | None:
        """Return the next block, or None after ``patience_s`` without one."""
        if not self._blocks:
            self._arrived.clear()
            try:
                # Not wait_for: in Python 3.11 it swallows a cancellation that meets an arrival.
                async with asyncio.timeout(patience_s):
                    await self._arrived.wait()
            except TimeoutError:
                return None
        return self._blocks.popleft() if self._blocks else None


class Uplink:
    """Knows which node listens to which kind and channel, and to which page.

    The page that began last is heard. Two at once would be a gap at every block, and no sound.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._boxes: dict[tuple[Kind, int], Mailbox] = {}
        #: When each page was last heard of, the one that is listened to last.
        self._pages: dict[tuple[Kind, int], dict[object, float]] = {}

    def attach(self, kind: Kind, channel: int) -> Mailbox:
        """Return the mailbox of a node; a restarted node takes over from its predecessor."""
        box = self._boxes[kind, channel] = Mailbox(kind)
        return box

    def detach(self, kind: Kind, channel: int, box: Mailbox) -> None:
        """Take no more blocks for this mailbox."""
        if self._boxes.get((kind, channel)) is box:
            del self._boxes[kind, channel]

    def put(self, block: Block) -> None:
        """Hand a block to its node, or say that there is none, or that another page is heard."""
        box = self._boxes.get((block.kind, block.channel))
        if box is None:
            block.done(f"this pipeline has no browser_{block.kind} with channel {block.channel}")
        elif not self._heard(block):
            block.done(f"another page sends its {block.kind} now")
        else:
            box.put(block)

    def _heard(self, block: Block) -> bool:
        """Return whether this page began last; one that paused begins anew."""
        now_s = self._now_s()
        pages = self._pages.setdefault((block.kind, block.channel), {})
        for page in [page for page, at_s in pages.items() if now_s - at_s > PAUSE_S]:
            del pages[page]
        pages[block.sender] = now_s
        return next(reversed(pages)) is block.sender
