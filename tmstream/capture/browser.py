"""The microphone and camera of a browser that has the studio open; the engine needs no device then.

What a page sends is described in `server.uplink`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..core.errors import InputError
from ..core.packet import Audio, Float32, Gap, Image, Packet, UInt8
from ..core.services import Services
from ..server.hub import Hub
from ..server.uplink import FLOAT32, Block, Kind, Mailbox
from .synthetic import Sound, Synthetic

STALL_S = 2.0  #: without a block for so long, the stream was interrupted
MOST_PIXELS = 1920 * 1080  #: decoding runs on the loop: this many take about 10 ms


@dataclass
class _Browser:
    """What both have in common: a mailbox, and a status line while nobody sends."""

    channel: int = 0

    _kind: ClassVar[Kind]
    live: ClassVar[bool] = True

    _hub: Hub | None = field(init=False, default=None, repr=False)
    _box: Mailbox | None = field(init=False, default=None, repr=False)
    _services: Services | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        _check_channel(self.channel)

    async def open(self, services: Services) -> None:
        """Tell the hub that blocks of this kind are wanted."""
        self._services = services
        self._hub = services.get(Hub)
        self._box = self._hub.uplink.attach(self._kind, self.channel)

    async def close(self) -> None:
        """Want no more."""
        if self._hub is not None and self._box is not None:
            self._hub.uplink.detach(self._kind, self.channel, self._box)
        self._box = None

    async def _blocks(self) -> AsyncIterator[Block | None]:
        """Yield blocks, and None once when they stop coming."""
        assert self._box is not None
        assert self._services is not None
        flowing = True
        while True:
            block = await self._box.get(STALL_S)
            if block is None:
                self._services.notice(
                    f"no browser sends its {self._kind}: open the studio and switch it on there"
                )
                if flowing:
                    yield None
                flowing = False
                continue
            if not flowing:
                self._services.notice(None)
            flowing = True
            yield block

    def _now_us(self) -> int:
        assert self._services is not None
        return self._services.clock.now_us()


@dataclass
class BrowserMicrophone(_Browser):
    """Sound of a browser, mono: ``mic: {type: browser_microphone}``.

    Gives float32 at ``rate_hz``; what a browser delivers at another rate is resampled. Time is
    counted in samples from the first block on, and anchored anew after an interruption, a lost
    block, or when it has drifted ``reanchor_s`` away from the clock.

    ``stand_in`` names sounds for a performer (see `Synthetic`) to make while no browser sends, so
    that there is something to hear before a visitor clicks, and again after they left.
    """

    rate_hz: int = 16000
    reanchor_s: float = 0.2
    stand_in: list[Sound] = field(default_factory=list)

    gives: ClassVar[tuple[type, ...]] = (Audio,)
    _kind: ClassVar[Kind] = "microphone"

    _performance: asyncio.Task[None] | None = field(init=False, default=None, repr=False)
    _heard_s: float = field(init=False, default=float("-inf"), repr=False)

    def __post_init__(self) -> None:
        _check_channel(self.channel)
        if not 8000 <= self.rate_hz <= 96_000:
            raise ValueError(f"rate_hz: {self.rate_hz} is outside 8000 to 96000")
        if not self.reanchor_s > 0:
            raise ValueError(f"reanchor_s: {self.reanchor_s} is not above 0")

    async def open(self, services: Services) -> None:
        """Tell the hub that sound is wanted, and let the performer begin."""
        await super().open(services)
        if self.stand_in:
            self._performance = asyncio.create_task(self._perform(Synthetic(self.stand_in)))

    async def close(self) -> None:
        """Want no more."""
        if self._performance is not None:
            self._performance.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._performance
            self._performance = None
        await super().close()

    async def _perform(self, performer: Synthetic) -> None:
        """Put the performer's blocks where a browser's would lie, whenever no browser sends."""
        loop = asyncio.get_running_loop()
        seq, due_s = 0, loop.time()
        async for packet in performer.packets():
            await asyncio.sleep(due_s - loop.time())
            while loop.time() - self._heard_s < STALL_S:
                await asyncio.sleep(STALL_S / 10)
                due_s = loop.time()
            samples = packet.data.samples
            due_s += len(samples) / performer.rate_hz
            assert self._box is not None
            block = Block(
                "microphone", FLOAT32, self.channel, seq, performer.rate_hz, self._now_us(),
                memoryview(samples.tobytes()), performer, _nobody_waits,
            )  # fmt: skip
            self._box.put(block)
            seq += 1

    async def packets(self) -> AsyncIterator[Packet[Any]]:
        """Yield blocks of sound, and a `Gap` wherever samples are missing."""
        last: Block | None = None
        resampler: Any = None
        start_us = samples = 0
        latest_us = -1
        async for block in self._blocks():
            if block is None:
                last = None
                continue
            if not isinstance(block.sender, Synthetic):
                self._heard_s = asyncio.get_running_loop().time()
            heard = decode_sound(block)
            now_us = block.captured_us - round(1e6 * len(heard) / block.rate_hz)
            due_us = start_us + round(1e6 * samples / self.rate_hz)
            if not follows(last, block) or abs(now_us - due_us) > self.reanchor_s * 1e6:
                if latest_us >= 0:
                    latest_us = max(now_us, latest_us + 1)
                    yield Packet(latest_us, Gap("the browser's sound was interrupted"))
                resampler = self._resampler(block.rate_hz)
                start_us, samples = max(now_us, latest_us + 1), 0
            last = block
            if resampler is not None:
                heard = resampler.resample_chunk(heard)
            block.done(None)
            if len(heard):
                latest_us = start_us + round(1e6 * samples / self.rate_hz)
                samples += len(heard)
                yield Packet(latest_us, Audio(heard[:, None], self.rate_hz))

    def _resampler(self, rate_hz: int) -> Any:
        if rate_hz == self.rate_hz:
            return None
        import soxr

        return soxr.ResampleStream(rate_hz, self.rate_hz, 1, dtype="float32")


@dataclass
class BrowserCamera(_Browser):
    """Pictures of a browser, never mirrored: ``cam: {type: browser_camera}``."""

    gives: ClassVar[tuple[type, ...]] = (Image,)
    latest_only: ClassVar[bool] = True
    _kind: ClassVar[Kind] = "camera"

    async def packets(self) -> AsyncIterator[Packet[Any]]:
        """Yield the newest picture each time, and a `Gap` when they stop coming."""
        latest_us = -1
        async for block in self._blocks():
            if block is None:
                if latest_us >= 0:
                    latest_us = max(self._now_us(), latest_us + 1)
                    yield Packet(latest_us, Gap("the browser's pictures stopped"))
                continue
            try:
                pixels = decode_picture(bytes(block.payload))
            except InputError as error:
                block.done(str(error))
                continue
            block.done(None)
            latest_us = max(block.captured_us, latest_us + 1)
            yield Packet(latest_us, Image(pixels))


def _nobody_waits(error: str | None) -> None:
    """Acknowledge a block that nobody sent."""


def _check_channel(channel: int) -> None:
    if not 0 <= channel <= 255:
        raise ValueError(f"channel: {channel} is outside 0 to 255")


def follows(last: Block | None, block: Block) -> bool:
    """Return whether ``block`` continues ``last`` without a hole."""
    return (
        last is not None
        and last.sender is block.sender
        and last.rate_hz == block.rate_hz
        and block.seq == (last.seq + 1) % 2**32
    )


def decode_sound(block: Block) -> Float32:
    """Return mono samples, float32 ``(n,)`` in [-1, 1]; what is not a finite number becomes 0."""
    if block.format == FLOAT32:
        heard = np.frombuffer(block.payload, "<f4")
        finite = np.nan_to_num(heard, nan=0.0, posinf=0.0, neginf=0.0)
        clipped: Float32 = np.clip(finite, -1.0, 1.0).astype(np.float32)
        return clipped
    return (np.frombuffer(block.payload, "<i2") / np.float32(32768)).astype(np.float32)


def decode_picture(data: bytes) -> UInt8:
    """Return a JPEG as uint8 ``(h, w, 3)`` RGB.

    Raises:
        InputError: it is no JPEG, or a larger one than is decoded here; its header is read first,
            for 49 kB of picture can unfold to gigabytes.
    """
    width, height = jpeg_size(data)
    if min(width, height) < 16 or width * height > MOST_PIXELS:
        raise InputError(
            f"a picture of {width} x {height}; at least 16 pixels a side, at most {MOST_PIXELS}"
        )
    import cv2

    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if decoded is None:
        raise InputError("the picture is damaged")
    pixels: UInt8 = np.ascontiguousarray(decoded[:, :, ::-1])
    return pixels


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Return width and height from a JPEG's frame header (ITU-T T.81, B.2.2).

    Raises:
        InputError: there is none.
    """
    at = 2
    while data[:2] == b"\xff\xd8" and at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 7 : at + 9]), int.from_bytes(data[at + 5 : at + 7])
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    raise InputError("not a JPEG")
