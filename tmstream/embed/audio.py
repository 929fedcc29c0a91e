"""Sound in, vectors out: words and other sounds alike, one segmenter for teaching and listening."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ..backends.onnx import BATCH_THREADS, LIVE_THREADS
from ..backends.resample import Mono
from ..core.packet import Absent, Audio, Embedding, Gap, Packet
from ..core.services import Services
from ..maths.mel import ABSURD, PowerStream, decibels, hann, mel_filters
from ..maths.ring import Rows
from ..maths.segment import PAUSE, Mark, Segmenter
from ..maths.timbre import COEFFICIENTS, cosines, timbre
from .listeners import CONSTANTS, EXCERPT, HOP, RATE_HZ, Events, Listener, Phones, Words

Float32 = npt.NDArray[np.float32]

N_FFT, WINDOW = 512, 400
HOP_US = 10_000
#: Samples before the Hann window of a frame begins: the instant that frame stands for.
LEAD = (N_FFT - WINDOW) // 2 + (WINDOW - HOP) // 2
#: Level counts from here up: below it rooms rumble and people bump into tables.
LEVEL_FROM_HZ = 125.0
TIMBRE_BANDS = 40
#: The speech embedding (Google's speech_embedding) was trained on this very filter bank, fed with
#: samples in int16 range, in dB / 10 + 2.
SPEECH_BANDS, SPEECH_LOW_HZ, SPEECH_HIGH_HZ = 32, 60.0, 3800.0
INT16_DB = 20.0 * np.log10(32768.0)
SPEECH_FLOOR_DB = float(Words.SILENCE - 2.0) * 10.0
#: Vectors of a long sound look back this far (frames) for its timbre; its end at all of the ring.
RING = 1000
#: Weights of words, phones, events and timbre in the one vector, once each has unit spread.
WEIGHTS = (1.0, 0.7, 0.5, 0.5)

SCALE = Path(__file__).with_name("audio_scale.npy")


@cache
def filters() -> Float32:
    """Return what turns a power spectrum into level, timbre and speech bands, ``(257, 73)``."""
    hz = np.arange(N_FFT // 2 + 1) * (RATE_HZ / N_FFT)
    # A sine of full scale has the level -3 dB, as its RMS.
    level = (hz >= LEVEL_FROM_HZ) * (2.0 / (N_FFT * float((hann(WINDOW, N_FFT) ** 2).sum())))
    timbre_bands = mel_filters(RATE_HZ, N_FFT, TIMBRE_BANDS, 0.0, RATE_HZ / 2)
    speech_bands = mel_filters(RATE_HZ, N_FFT, SPEECH_BANDS, SPEECH_LOW_HZ, SPEECH_HIGH_HZ)
    return np.hstack([level[:, None].astype(np.float32), timbre_bands, speech_bands])


class Ear:
    """Everything about one unbroken stream: frames heard so far, and the present sound."""

    def __init__(self, steady: int, prominence_db: float) -> None:
        """``steady``: hop in frames while a sound lasts."""
        self.power = PowerStream(hann(WINDOW, N_FFT), HOP, filters())
        self.log_mel = Rows(RING, TIMBRE_BANDS)
        self.speech = Rows(RING, SPEECH_BANDS)
        self.segmenter = Segmenter(steady, prominence_db)
        self.wave = Rows(RING, HOP)
        self._waiting = np.zeros(0, np.float32)  #: samples of frames that are not complete
        self.take = 0

    def push(self, samples: Float32) -> Iterator[Mark | None]:
        """Take mono samples at 16 kHz; yield for each new frame what is to be looked at."""
        rows = self.power.push(samples)
        waiting = np.concatenate([self._waiting, samples])
        self._waiting = waiting[len(rows) * HOP :]
        for row, wave in zip(rows, waiting[: len(rows) * HOP].reshape(-1, HOP), strict=True):
            self.wave.push(wave)
            db = decibels(row)
            self.log_mel.push(db[1 : 1 + TIMBRE_BANDS])
            speech = np.maximum(db[1 + TIMBRE_BANDS :] + INT16_DB, SPEECH_FLOOR_DB)
            self.speech.push((speech / 10.0 + 2.0).astype(np.float32))
            yield self.segmenter.push(float(db[0]))


@dataclass
class AudioEmbedding:
    """Finds sounds in a stream and describes each: early, while it lasts, and whole.

    A vector (space ``audio``, float32 ``(1503,)``) joins what four listeners say: two that know
    words, one that knows the sounds of the world, and the timbre, which knows taps and drums; each
    alone is nearly deaf to the others' sounds. A sound gives one about 250 ms after its onset, one
    every ``steady_s`` while it lasts, and one at each pause of 40 ms, which is its end unless it
    goes on at once. Between sounds there is `Absent` ("silence") every ``silence_s``. Any rate and
    number of channels is taken.

    ``{type: audio_embedding, from: mic}``
    """

    takes: ClassVar = (Audio, Gap)
    gives: ClassVar = (Embedding, Absent, Gap)
    space: ClassVar[str] = "audio"

    steady_s: float = 0.24
    silence_s: float = 0.25
    prominence_db: float = 15.0  #: a sound rises at least this far above the noise of the room
    batch: bool = False  #: use a second core, for files in a hurry

    _listeners: list[Listener] = field(default_factory=list, init=False, repr=False)
    _scale: Float32 = field(init=False, repr=False)
    _cosines: Float32 = field(init=False, repr=False)
    _source: str = field(default="", init=False, repr=False)
    _fingerprint: str = field(default="", init=False, repr=False)
    _ear: Ear | None = field(default=None, init=False, repr=False)
    _mono: Mono | None = field(default=None, init=False, repr=False)
    _start_us: float = field(default=0.0, init=False, repr=False)
    _taken: int = field(default=0, init=False, repr=False)
    _takes: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0.05 <= self.steady_s <= 10.0:
            raise ValueError("steady_s must lie between 0.05 and 10 seconds")
        if not 10.0 <= self.prominence_db <= 60.0:
            raise ValueError("prominence_db must lie between 10 and 60")
        if not 0.05 <= self.silence_s <= 10.0:
            raise ValueError("silence_s must lie between 0.05 and 10 seconds")

    def open(self, services: Services) -> None:
        """Load the listeners' models.

        Raises:
            ModelError: a file is missing or damaged.
        """
        threads = BATCH_THREADS if self.batch else LIVE_THREADS
        self._listeners = [Words(threads), Phones(threads), Events(threads)]
        self._scale = np.load(SCALE)
        self._cosines = cosines(TIMBRE_BANDS, COEFFICIENTS)
        self._source = services.sources[0] if services.sources else ""
        made_of = hashlib.sha256(SCALE.read_bytes() + filters().tobytes() + CONSTANTS)
        for listener in self._listeners:
            made_of.update(listener.sha256.encode())
        self._fingerprint = made_of.hexdigest()[:16]

    @property
    def fingerprint(self) -> str:
        """Return a hash of model and constants: vectors of two of them must not be compared."""
        return self._fingerprint

    def process(self, packet: Packet[Any]) -> Iterable[Packet[Any]]:
        """Yield what the new samples make known."""
        if isinstance(packet.data, Gap):
            yield from self._end(packet)
            yield packet
            return
        audio: Audio = packet.data
        if not audio.samples.size:
            return
        # NaN compares false too; and whatever is a thousand times full scale is no sound.
        if not np.abs(audio.samples).max() <= ABSURD:
            self._ear = None
            end_us = packet.t_us + round(len(audio.samples) * 1e6 / audio.rate_hz)
            yield packet.with_data(Absent("audio", "not_finite", end_us))
            return
        ear = self._listen_on(packet.t_us, audio)
        assert self._mono is not None
        silence = max(1, round(self.silence_s * 1e6 / HOP_US))
        self._taken += len(audio.samples)
        for mark in ear.push(self._mono.push(audio.samples)):
            frame = ear.segmenter.frame
            if mark is not None:
                yield Packet(self._time_us(mark.onset), self._look(ear, mark), packet.ledger)
            elif ear.segmenter.state == "room" and frame % silence == 0:
                absent = Absent("audio", "silence", self._time_us(frame))
                quiet_from = max(frame - silence, ear.segmenter.end)  # not over the last sound
                yield Packet(self._time_us(quiet_from), absent, packet.ledger)

    def _end(self, gap: Packet[Gap]) -> Iterator[Packet[Any]]:
        """Forget the stream; a sound that goes on to the end of a file ends there."""
        ear, self._ear = self._ear, None
        if ear is None or gap.data.reason != "end":
            return
        assert self._mono is not None
        silence = np.zeros((0, 1), np.float32)
        marks = [*ear.push(self._mono.push(silence, last=True)), ear.segmenter.finish()]
        for mark in marks:
            if mark is not None:
                yield Packet(self._time_us(mark.onset), self._look(ear, mark), gap.ledger)

    def _listen_on(self, t_us: int, audio: Audio) -> Ear:
        """Return the ear for this stream: a new one at the start and after any break in it."""
        ear, mono = self._ear, self._mono
        if ear is None or mono is None or mono.in_hz != audio.rate_hz:
            ear = self._ear = Ear(max(1, round(self.steady_s * 1e6 / HOP_US)), self.prominence_db)
            self._mono = Mono(audio.rate_hz, RATE_HZ)
            self._start_us, self._taken = float(t_us), 0
        # Samples are counted; only a source that was slewed by a whole millisecond moves the count.
        expected_us = self._start_us + self._taken * 1e6 / audio.rate_hz
        if abs(t_us - expected_us) >= 1000.0:
            self._start_us += t_us - expected_us
        return ear

    def _time_us(self, frame: int) -> int:
        """Return the instant at which a frame begins."""
        return round(self._start_us + (frame * HOP + LEAD) * 1e6 / RATE_HZ)

    def _look(self, ear: Ear, mark: Mark) -> Embedding:
        """Describe the sound of a mark."""
        if ear.take != mark.take:
            ear.take = mark.take
            self._takes += 1
            for listener in self._listeners:
                listener.begin()
        onset = mark.onset if mark.phase == "final" else max(mark.onset, mark.end - EXCERPT)
        onset = max(onset, ear.log_mel.oldest)
        end = min(mark.end + PAUSE, ear.log_mel.count)
        heard = ear.log_mel.span(onset, min(mark.end + 2, ear.log_mel.count))
        said = [listener.hear(ear, mark, end) for listener in self._listeners]
        mean, spread = self._scale
        return Embedding(
            (np.concatenate([*said, timbre(heard, self._cosines)]) - mean) / spread,
            "audio",
            self._time_us(mark.end),
            source=self._source,
            phase=mark.phase,
            take=self._takes,
        )
