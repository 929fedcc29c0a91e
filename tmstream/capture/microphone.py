"""A microphone, through PortAudio: any rate and number of channels in, 16 kHz mono out."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from ..backends.resample import Mono
from ..core.errors import DeviceError
from ..core.node import Types
from ..core.packet import Audio, Gap, Packet
from ..core.services import Services
from ._timeline import Timeline

T = TypeVar("T")

WITHOUT = "or go on without a microphone: --source mic=FILE, or mic=browser (the studio's)"
#: A lost device raises nothing: PortAudio just stops calling.
SILENT_S = 2.0
OPEN_S, CLOSE_S = 8.0, 2.0
FIRST_S = 0.7  #: a device that gave nothing by then is asked again, with
PATIENT_S = 0.1  #: this latency
MOST_BLOCKS = 3000  #: about 30 s of a device that gives 10 ms at a time

#: PortAudio is one per process and lists devices once, when it starts; it may start anew only
#: while nobody listens, and while nobody else is inside it: an opening given up may still be.
_listening: set[int] = set()
_inside = threading.Lock()


@dataclass
class Microphone:
    """Sound of a device, chosen by number or a part of its name; without, the system's choice.

    A microphone that gives nothing for two seconds is closed and opened again by the engine.

        mic: {type: microphone, device: "USB"}
    """

    gives: ClassVar[Types] = (Audio, Gap)
    live: ClassVar[bool] = True

    device: int | str | None = None
    rate_hz: int = 16000

    _services: Services = field(init=False, repr=False)
    _loop: asyncio.AbstractEventLoop = field(init=False, repr=False)
    _stream: Any = field(default=None, init=False, repr=False)
    _name: str = field(default="microphone", init=False, repr=False)
    _arrived: deque[tuple[npt.NDArray[np.float32], int, bool]] = field(init=False, repr=False)
    _wake: asyncio.Event = field(init=False, repr=False)
    _woken: bool = field(default=False, init=False, repr=False)
    _given_up: bool = field(default=False, init=False, repr=False)
    _settling: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        if not 4000 <= self.rate_hz <= 192_000:
            raise ValueError("rate_hz must lie between 4000 and 192000")

    async def open(self, services: Services) -> None:
        """Start the device.

        Raises:
            DeviceError: PortAudio is not installed, or there is no such microphone.
        """
        self._services, self._loop = services, asyncio.get_running_loop()
        # Bounded, so that a loop that hangs costs half a minute of sound and not the memory.
        self._arrived, self._wake = deque(maxlen=MOST_BLOCKS), asyncio.Event()
        try:
            await _aside(lambda: self._start("low"), OPEN_S)
            if not await self._heard_within(FIRST_S):
                # Some sources (the monitor of a PulseAudio sink) stay mute at low latency.
                hasty, self._stream = self._stream, None
                await _aside(lambda: self._shut(hasty), CLOSE_S)
                await _aside(lambda: self._start(PATIENT_S), OPEN_S)
        except TimeoutError:
            with self._settling:
                self._given_up = True
            await self.close()
            raise DeviceError(f"{self._name}: did not open within {OPEN_S:.0f} s") from None

    async def close(self) -> None:
        """Let go of the device; one that hangs is left behind."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with contextlib.suppress(TimeoutError):
                await _aside(lambda: self._shut(stream), CLOSE_S)

    def _shut(self, stream: Any) -> None:
        """Close a stream; while that hangs, PortAudio is neither ended nor entered."""
        with _inside:
            stream.close(ignore_errors=True)
            _listening.discard(id(self))

    async def packets(self) -> AsyncIterator[Packet[Audio | Gap]]:
        """Yield what was heard, as it comes in."""
        stream = self._stream
        timeline = Timeline(stream.samplerate, stream.latency * 1e6)
        mono, taken, given, zeros = Mono(round(stream.samplerate), self.rate_hz), 0, 0, 0
        while True:
            for samples, now_us, lost in await self._next():
                t_us, gap = timeline.stamp(len(samples), now_us, lost=lost)
                zeros = self._heed_zeros(samples, zeros)
                if gap:
                    mono, taken, given = Mono(mono.in_hz, self.rate_hz), 0, 0
                    yield Packet(t_us, Gap("sound was lost"))
                made = mono.push(samples)
                # The resampler holds some samples back: what comes out began a little earlier.
                lag_us = (taken / mono.in_hz - given / self.rate_hz) * 1e6
                taken, given = taken + len(samples), given + len(made)
                if len(made):
                    yield Packet(round(t_us - lag_us), Audio(made.reshape(-1, 1), self.rate_hz))

    async def _next(self) -> list[tuple[npt.NDArray[np.float32], int, bool]]:
        """Return the blocks that came in, at least one."""
        if not await self._heard_within(SILENT_S):
            raise DeviceError(f"{self._name}: gave no sound for {SILENT_S:.0f} s")
        return [self._arrived.popleft() for _ in range(len(self._arrived))]

    async def _heard_within(self, seconds: float) -> bool:
        """Wait until a block is there; return whether one came."""
        try:
            async with asyncio.timeout(seconds):
                while not self._arrived:
                    await self._wake.wait()
                    self._wake.clear()
                    self._woken = False
        except TimeoutError:
            return False
        return True

    def _heed_zeros(self, samples: npt.NDArray[np.float32], before: int) -> int:
        """Return how many exact zeros came in a row; two seconds of them are a fault to be told."""
        limit = SILENT_S * self._stream.samplerate
        zeros = 0 if samples.any() else before + len(samples)
        if zeros >= limit > before:
            self._services.notice(
                f"{self._name}: gives only zeros; is it muted, unplugged, or not permitted "
                "(system settings, privacy, microphone)?"
            )
        elif before >= limit > zeros:
            self._services.notice(None)
        return zeros

    def _start(self, latency: float | str) -> None:
        """Start the device's stream; one that nobody waits for any more is closed again."""
        # One that hangs in there would crash if PortAudio were ended or entered beside it.
        if not _inside.acquire(timeout=OPEN_S):
            raise DeviceError(f"{self._name}: the attempt to open it before this one still hangs")
        try:
            if self._given_up:
                return
            stream = self._opened(latency)
            with self._settling:
                if not self._given_up:
                    self._stream = stream
                    _listening.add(id(self))
                    return
            stream.close(ignore_errors=True)
        finally:
            _inside.release()

    def _opened(self, latency: float | str) -> Any:
        """Open the device and return its running stream."""
        try:
            # Imported here: without PortAudio the import itself fails.
            import sounddevice
        except OSError as error:
            raise DeviceError(
                "PortAudio is not installed (on Debian: apt-get install libportaudio2); " + WITHOUT
            ) from error
        try:
            if not _listening:
                sounddevice._terminate()
                sounddevice._initialize()
            found = self._found(sounddevice)
            self._name = found["name"]
            rate_hz, channels = self._capability(sounddevice, found)
            stream = sounddevice.InputStream(
                device=found["index"],
                samplerate=rate_hz,
                channels=channels,
                dtype="float32",
                blocksize=0,  # as the device likes: a fixed size gives nothing through PulseAudio
                latency=latency,
                callback=self._heard,
            )
            try:
                stream.start()
            except sounddevice.PortAudioError:
                stream.close(ignore_errors=True)
                raise
        except sounddevice.PortAudioError as error:
            raise DeviceError(f"{self._name}: cannot be opened ({error})") from error
        return stream

    def _found(self, sounddevice: Any) -> dict[str, Any]:
        """Return what PortAudio says of the wanted device, or say which there are."""
        try:
            found: dict[str, Any] = sounddevice.query_devices(self.device, "input")
        except (ValueError, sounddevice.PortAudioError) as error:
            inputs = [d for d in sounddevice.query_devices() if d["max_input_channels"] > 0]
            names = ", ".join(f"{d['index']} {d['name']!r}" for d in inputs) or "none"
            wanted = "no microphone" if self.device is None else f"no microphone {self.device!r}"
            raise DeviceError(f"{wanted}; there are: {names}; {WITHOUT}") from error
        return found

    def _capability(self, sounddevice: Any, found: dict[str, Any]) -> tuple[float, int]:
        """Return our rate and one channel when the device can give them, else what it prefers."""
        try:
            sounddevice.check_input_settings(
                found["index"], channels=1, dtype="float32", samplerate=self.rate_hz
            )
        except sounddevice.PortAudioError:
            return found["default_samplerate"], min(2, found["max_input_channels"])
        return float(self.rate_hz), 1

    def _heard(self, samples: Any, frames: int, time: Any, status: Any) -> None:
        """Take a block on PortAudio's thread: keep it, and wake the loop once."""
        now_us = self._services.clock.now_us()
        self._arrived.append((samples.copy(), now_us, bool(status.input_overflow)))
        if not self._woken:
            self._woken = True
            try:
                self._loop.call_soon_threadsafe(self._wake.set)
            except RuntimeError:
                return  # the loop has ended before the device


async def _aside(work: Callable[[], T], deadline_s: float) -> T:
    """Return ``work()``, done on a daemon thread: one that hangs must not hold the house.

    Raises:
        TimeoutError: it is not done within ``deadline_s``.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: Exception | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type] # without an error there is a result

    def run() -> None:
        result: T | None = None
        failed: Exception | None = None
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - raised again on the loop
            failed = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, failed)

    threading.Thread(target=run, name="portaudio", daemon=True).start()
    async with asyncio.timeout(deadline_s):
        return await done
