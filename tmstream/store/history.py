"""The last seconds of every source: what was heard and seen.

Bounds, whatever arrives: a source keeps at most `SECONDS`, and of that at most 8 MB of sound
(16 bit), 48 MB of pictures (raw, five a second), or 4096 landmarks (about 4 MB). With ``private``
no sound and no picture is kept at all. Nothing is encoded before somebody asks for a clip.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

import numpy as np

from ..core.packet import Audio, Image, Landmarks, Packet
from . import clips
from .records import Clip

SECONDS = 20.0
PICTURE_EVERY_US = 200_000
MAX_AUDIO_BYTES = 8 * 10**6
MAX_PICTURE_BYTES = 48 * 10**6
MAX_ITEMS = 4096
#: A picture or pose this far from the end of the span still shows it.
NEAR_US = 500_000


class Ring:
    """Packets in order of time, bounded by age, number and bytes."""

    def __init__(self, seconds: float, max_bytes: int) -> None:
        self._keep_us = round(seconds * 1e6)
        self._max_bytes = max_bytes
        self._packets: deque[tuple[Packet[Any], int]] = deque()
        self._bytes = 0

    def push(self, packet: Packet[Any], size: int) -> None:
        """Keep ``packet``, forgetting what is too old or too much; time turned back starts anew."""
        if self._packets and packet.t_us < self.last_us - self._keep_us:
            self._packets.clear()
            self._bytes = 0
        self._packets.append((packet, size))
        self._bytes += size
        while (
            self._bytes > self._max_bytes
            or len(self._packets) > MAX_ITEMS
            or self._packets[0][0].t_us < packet.t_us - self._keep_us
        ):
            self._bytes -= self._packets.popleft()[1]
            if not self._packets:
                break

    def packets(self) -> list[Packet[Any]]:
        """Return what is kept, oldest first."""
        return [packet for packet, _ in self._packets]

    @property
    def last_us(self) -> int:
        """The time of the newest packet; far in the past when there is none."""
        return self._packets[-1][0].t_us if self._packets else -(2**62)


class History:
    """Rings per node, filled by the engine; safe to use from any thread."""

    def __init__(self, *, seconds: float = SECONDS, private: bool = False) -> None:
        self.private = private
        self._seconds = seconds
        self._lock = threading.Lock()
        self._audio: dict[str, Ring] = {}
        self._pictures: dict[str, Ring] = {}
        self._landmarks: dict[str, Ring] = {}

    def tap(self, node: str, packet: Packet[Any]) -> None:
        """Keep what ``node`` gave: `Audio`, `Image` or `Landmarks`; anything else passes by."""
        data = packet.data
        if isinstance(data, Landmarks):
            with self._lock:
                self._ring(self._landmarks, node, 2**62).push(packet, data.points.nbytes)
        elif self.private:
            return
        elif isinstance(data, Audio):
            # 16 bit, as the clip will be: half the memory, and no hold on the source's buffer.
            heard = np.nan_to_num(data.samples, nan=0.0, posinf=1.0, neginf=-1.0)
            samples = np.clip(heard * np.float32(32767), -32768, 32767).astype(np.int16)
            kept = packet.with_data(Audio(samples, data.rate_hz))
            with self._lock:
                self._ring(self._audio, node, MAX_AUDIO_BYTES).push(kept, samples.nbytes)
        elif isinstance(data, Image):
            with self._lock:
                ring = self._ring(self._pictures, node, MAX_PICTURE_BYTES)
                if not 0 <= packet.t_us - ring.last_us < PICTURE_EVERY_US:
                    ring.push(packet, data.pixels.nbytes)

    def clip(
        self, source: str, from_us: int, until_us: int, *, subject: str | None = None
    ) -> Clip | None:
        """Return what ``source`` gave in this span, or None when nothing of it is kept.

        Sound: FLAC of the span. Pictures: JPEG of the one nearest the span's end. Landmarks: those
        of the span, of one ``subject`` if given.
        """
        with self._lock:
            audio, pictures, landmarks = (
                ring.packets() if (ring := rings.get(source)) else []
                for rings in (self._audio, self._pictures, self._landmarks)
            )
        if audio and (samples := _span(audio, from_us, until_us)) is not None:
            return clips.from_audio(samples, audio[-1].data.rate_hz)
        if pictures:
            nearest = min(pictures, key=lambda packet: abs(packet.t_us - until_us))
            if from_us - NEAR_US <= nearest.t_us <= until_us + NEAR_US:
                return clips.from_picture(nearest.data.pixels)
        seen = [
            packet
            for packet in landmarks
            if from_us <= packet.t_us <= until_us and subject in (None, packet.data.subject)
        ]
        return clips.from_landmarks(seen) if seen else None

    def _ring(self, rings: dict[str, Ring], node: str, max_bytes: int) -> Ring:
        ring = rings.get(node)
        if ring is None:
            ring = rings[node] = Ring(self._seconds, max_bytes)
        return ring


def _span(packets: list[Packet[Any]], from_us: int, until_us: int) -> np.ndarray[Any, Any] | None:
    """Return int16 ``(n, channels)`` from ``from_us`` to ``until_us``; zeros where a gap was."""
    newest = packets[-1].data
    rate_hz, channels = newest.rate_hz, newest.samples.shape[1]
    found = [
        packet
        for packet in packets
        if packet.data.rate_hz == rate_hz
        and packet.data.samples.shape[1] == channels
        and packet.t_us < until_us
        and packet.t_us + len(packet.data.samples) * 1e6 / rate_hz > from_us
    ]
    if not found:
        return None
    start_us = max(from_us, found[0].t_us)
    last = found[-1]
    end_us = min(until_us, last.t_us + round(len(last.data.samples) * 1e6 / rate_hz))
    samples = np.zeros((max(1, round((end_us - start_us) * rate_hz / 1e6)), channels), np.int16)
    for packet in found:
        at = round((packet.t_us - start_us) * rate_hz / 1e6)
        block = packet.data.samples[max(0, -at) :][: len(samples) - max(0, at)]
        samples[max(0, at) : max(0, at) + len(block)] = block
    return samples
