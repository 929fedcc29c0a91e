"""Three models that listen to one sound, each for what the others are deaf to.

`Words` knows a word by its course, `Phones` by its phones whoever speaks, `Events` what else there
is to hear: animals, machines, water, hands. All are asked only when something is worth a look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from ..backends.models import find_model
from ..backends.onnx import OnnxModel
from ..maths.mel import hann
from ..maths.ring import Rows
from ..maths.segment import Mark

Float32 = npt.NDArray[np.float32]

RATE_HZ, HOP = 16000, 160
#: The longest stretch that is looked at as one (frames of 10 ms); longer sounds are windowed.
EXCERPT = 124
BEFORE = 8  #: frames of pre-roll, for the breath of a consonant under the threshold
#: Loudness is the distance of the microphone: what minds it hears every sound at this RMS.
RMS = np.float32(0.05)


class Memory(Protocol):
    """What is kept of a stream, by number of frame."""

    speech: Rows  #: mel frames as `Words` wants them, float32 ``(32,)`` each
    wave: Rows  #: samples at 16 kHz, float32 ``(160,)`` a frame


class Listener(Protocol):
    """Describes a sound by one model."""

    size: ClassVar[int]  #: dimensions of what it says
    sha256: str  #: of its model

    def begin(self) -> None:
        """Forget the sound before."""
        ...

    def hear(self, memory: Memory, mark: Mark, end: int) -> Float32:
        """Return what the sound of a mark is, looked at up to frame ``end``: float32 ``(size,)``.

        For one sound, ``end`` never falls.
        """
        ...


class Windows:
    """What a model says of windows of a long sound, each asked once."""

    def __init__(self, embed: Callable[[Memory, int], Float32]) -> None:
        """``embed`` returns the vector of the window that begins at a frame."""
        self._embed, self._made = embed, dict[int, Float32]()

    def mean(self, memory: Memory, starts: Iterable[int]) -> Float32:
        """Return the mean over windows that begin at these frames."""
        for at in (starts := list(starts)):
            if at not in self._made:
                self._made[at] = self._embed(memory, at)
        return mean(np.stack([self._made[at] for at in starts]))

    def forget(self, before: int = 1 << 60) -> None:
        """Forget windows that begin before a frame."""
        self._made = {at: made for at, made in self._made.items() if at >= before}


class Words:
    """Google's speech_embedding, averaged over windows that shift across the sound.

    A window knows a word whose middle lies in its later half, best 160 ms after its own middle;
    where that is 240 ms before it, it hears little (digits and commands, five shots: .91 and .81,
    .27 and .36). So the windows over a short sound begin early: its middle lies from 400 ms after
    to 80 ms before theirs. As many on both sides cost 1 and 2 points; more windows gain nothing.
    """

    size: ClassVar = 96
    #: It was trained on mel frames of dB / 10 + 2, no quieter than this (samples in int16 range).
    SILENCE = np.float32(2.0)
    WINDOW, HOP = 76, 24  #: frames
    MIDDLE = 78  #: frame of an excerpt at which the middle of a short sound lies

    def __init__(self, threads: int) -> None:
        model = find_model("speech_embedding")
        self._model, self.sha256 = OnnxModel(model, threads=threads), model.sha256
        self._windows = Windows(self._window)

    def begin(self) -> None:
        """Forget the sound before."""
        self._windows.forget()

    def hear(self, memory: Memory, mark: Mark, end: int) -> Float32:
        """Return the mean speech embedding; while a sound is held, that of its last second."""
        first = max(mark.onset - BEFORE, memory.speech.oldest, 0)
        heard = memory.speech.span(first, end)
        if len(heard) < EXCERPT:
            # Whatever else was heard around it, a short sound is shown in the same quiet.
            excerpt = np.full((EXCERPT, heard.shape[1]), self.SILENCE, np.float32)
            at = min(self.MIDDLE - len(heard) // 2, EXCERPT - len(heard))
            excerpt[at : at + len(heard)] = heard
            starts = range(0, EXCERPT - self.WINDOW + 1, self.HOP)
            made = self._model.run(
                np.stack([excerpt[i : i + self.WINDOW] for i in starts])[..., None]
            )
            return mean(made.reshape(-1, self.size))
        begin, last = max(mark.onset - BEFORE, 0), end - self.WINDOW
        look_back = last - (EXCERPT - self.WINDOW) if mark.phase != "final" else begin
        self._windows.forget(before=first)
        grid = range(begin, last + 1, self.HOP)
        return self._windows.mean(memory, [i for i in grid if i >= max(first, look_back)])

    def _window(self, memory: Memory, at: int) -> Float32:
        window = memory.speech.span(at, at + self.WINDOW)[None, ..., None]
        return self._model.run(window).reshape(self.size)


class Phones:
    """The encoder of Moonshine (tiny), a speech recogniser, averaged over the sound.

    It hears how a sound begins, 1.24 s of it at most: no word of a command is longer, and its cost
    grows with the length. It is asked when a sound is first looked at, and again at its end.
    """

    size: ClassVar = 288
    FRAME = 384  #: samples that one of its steps stands for
    #: Samples of quiet on both sides, or more where a sound is short: it was trained on recordings
    #: of seconds, and says of a clap alone now this, now that (cosine .76 to itself at 44.1 kHz).
    PAD, LEAST = 2400, 11000

    def __init__(self, threads: int) -> None:
        model = find_model("speech_encoder")
        self._model, self.sha256 = OnnxModel(model, threads=threads), model.sha256
        self._heard, self._said = 0, np.zeros(self.size, np.float32)

    def begin(self) -> None:
        """Forget the sound before."""
        self._heard = 0

    def hear(self, memory: Memory, mark: Mark, end: int) -> Float32:
        """Return the mean of the encoder's steps, float32 ``(288,)``."""
        begin = max(mark.onset - BEFORE, 0)
        first = max(begin, memory.wave.oldest)  # it may have been too soft for a look before
        frames = min(end - first, EXCERPT)
        more = frames > self._heard and mark.phase == "final" and first == begin
        if more or not self._heard:
            self._heard = frames
            samples = levelled(memory.wave.span(first, first + frames).ravel())
            quiet = max(self.PAD, (self.LEAST - len(samples)) // 2)
            made = self._model.run(np.pad(samples, quiet)[None])[0]
            until = -(-(quiet + len(samples)) // self.FRAME)
            self._said = mean(made[quiet // self.FRAME : until])
        return self._said


class Events:
    """YAMNet, which was taught five hundred kinds of sounds, averaged over windows of 0.96 s.

    The square root of its activations is kept: they are never negative, mostly small, some huge.
    """

    size: ClassVar = 1024
    WINDOW, HOP = 96, 48  #: frames
    BINS, LENGTH, N_FFT = 257, 400, 512

    def __init__(self, threads: int) -> None:
        model = find_model("sound_events")
        self._model, self.sha256 = OnnxModel(model, threads=threads), model.sha256
        self._windows = Windows(self._window)
        self._hann = hann(self.LENGTH, self.LENGTH)

    def begin(self) -> None:
        """Forget the sound before."""
        self._windows.forget()

    def hear(self, memory: Memory, mark: Mark, end: int) -> Float32:
        """Return the root of the mean activations, float32 ``(1024,)``."""
        begin = max(mark.onset - BEFORE, 0)
        first = max(begin, memory.wave.oldest)
        if end - first <= self.WINDOW:
            return self._root(self._look(memory.wave.span(first, end)))
        self._windows.forget(before=first)
        grid = range(begin, end - self.WINDOW + 1, self.HOP)
        held = [i for i in grid if i >= first] or [end - self.WINDOW]
        return self._root(self._windows.mean(memory, held if mark.phase == "final" else held[-1:]))

    def _window(self, memory: Memory, at: int) -> Float32:
        return self._look(memory.wave.span(at, at + self.WINDOW))

    def _look(self, rows: Float32) -> Float32:
        """Return the activations for up to a window of sound, in the middle of quiet."""
        samples = levelled(rows.ravel())
        samples = np.pad(samples, (0, max(0, self.LENGTH - len(samples))))
        shaded = np.lib.stride_tricks.sliding_window_view(samples, self.LENGTH)[::HOP] * self._hann
        spectrum = np.zeros((1, self.WINDOW, self.BINS), np.float32)
        at = (self.WINDOW - len(shaded)) // 2
        np.abs(np.fft.rfft(shaded, self.N_FFT), out=spectrum[0, at : at + len(shaded)])
        activations: Float32 = self._model.run(spectrum)[0]
        return activations

    @staticmethod
    def _root(activations: Float32) -> Float32:
        root: Float32 = np.sqrt(activations)
        return root


def levelled(samples: Float32) -> Float32:
    """Return a sound at the loudness `RMS`; digital silence stays what it is."""
    rms = np.sqrt(np.mean(np.square(samples)))
    at_rms: Float32 = samples * (RMS / max(rms, np.float32(1e-6)))
    return at_rms


def mean(rows: Float32) -> Float32:
    """Return the mean row."""
    out: Float32 = rows.mean(axis=0)
    return out


#: What else an answer depends on, for the fingerprint.
CONSTANTS = repr((
    EXCERPT, BEFORE, float(RMS),
    Words.WINDOW, Words.HOP, Words.MIDDLE,
    Phones.PAD, Phones.LEAST,
    Events.WINDOW, Events.HOP,
)).encode()  # fmt: skip
