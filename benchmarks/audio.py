"""What hearing costs: log-mel beside librosa and kaldi-native-fbank, a step beside openWakeWord."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tmstream.core.packet import Audio, Embedding, Packet
from tmstream.embed.audio import AudioEmbedding
from tmstream.maths.mel import PowerStream, decibels, hann, mel_filters
from tmstream.testing import opened

from .measure import Row, alternately, us

RATE, HOP, N_FFT, BANDS = 16000, 160, 512, 40
STEP = 1280  #: openWakeWord's step: 80 ms
RNG = np.random.default_rng(0)
SECONDS = 4
SOUND = RNG.normal(0, 0.1, SECONDS * RATE).astype(np.float32)
HOPS = [SOUND[at : at + HOP] for at in range(0, len(SOUND), HOP)]
STEPS = [SOUND[at : at + STEP] for at in range(0, len(SOUND), STEP)]


def ours_log_mel() -> Callable[[], None]:
    stream = PowerStream(hann(N_FFT, N_FFT), HOP, mel_filters(RATE, N_FFT, BANDS, 0.0, RATE / 2))

    def work() -> None:
        for hop in HOPS:
            decibels(stream.push(hop))

    return work


def kaldi_log_mel() -> Callable[[], None]:
    import kaldi_native_fbank

    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.frame_length_ms = 1000 * N_FFT / RATE
    options.frame_opts.window_type = "hann"
    options.mel_opts.num_bins = BANDS

    def work() -> None:
        stream, frames = kaldi_native_fbank.OnlineFbank(options), 0
        for hop in HOPS:
            stream.accept_waveform(RATE, hop)
            while frames < stream.num_frames_ready:
                stream.get_frame(frames)
                frames += 1

    return work


def librosa_log_mel(window: np.ndarray, times: int) -> Callable[[], None]:
    import librosa

    def work() -> None:
        for _ in range(times):
            power = librosa.feature.melspectrogram(
                y=window, sr=RATE, n_fft=N_FFT, hop_length=HOP, n_mels=BANDS, center=False
            )
            librosa.power_to_db(power, top_db=None)

    return work


class Free:
    """A model that costs nothing, and answers in the right shape."""

    def __init__(self, listener: Any) -> None:
        self.size = listener.size

    def run(self, values: Any) -> Any:
        """Return zeros; the encoder, which is handed samples, makes many steps of them."""
        steps = (len(values), 200) if values.ndim == 2 else (len(values),)
        return np.zeros((*steps, self.size), np.float32)


def ours_step(*, free: bool = False) -> Callable[[], None]:
    """Four seconds, 80 ms at a time, all but the last 0.4 s sounding; the clock goes on."""
    node = opened(AudioEmbedding())
    for listener in node._listeners if free else ():
        listener._model = Free(listener)
    at = 0

    def work() -> None:
        nonlocal at
        heard = 0
        for i, step in enumerate(STEPS):
            loudness = np.float32(1.0 if i < len(STEPS) - 5 else 1e-3)
            audio = Audio((step * loudness)[:, None], RATE)
            made = node.process(Packet(round(at * 1e6 / RATE), audio))
            heard += sum(isinstance(packet.data, Embedding) for packet in made)
            at += STEP
        assert heard, "the sound was not held"

    return work


def openwakeword_step() -> Callable[[], None]:
    from openwakeword.utils import AudioFeatures

    features = AudioFeatures(inference_framework="onnx")
    steps = [(step * 32767).astype(np.int16) for step in STEPS]

    def work() -> None:
        for step in steps:
            features(step)

    return work


def rows() -> Iterator[Row]:
    hops, steps = len(HOPS), len(STEPS)
    second, frame = SOUND[:RATE], SOUND[:N_FFT]
    ours, slow, one = alternately(
        ours_log_mel(), librosa_log_mel(second, 5), librosa_log_mel(frame, 5)
    )
    ours, slow, one = ours / hops, slow / 5, one / 5
    name = "log-mel, one 10 ms hop"
    yield Row(f"{name}, 1 s recomputed by librosa", us(ours), us(slow), slow / ours, ">= 50x",
              slow >= 50 * ours)  # fmt: skip
    yield Row(f"{name}, one frame by librosa", us(ours), us(one), one / ours, ">= 30x",
              one >= 30 * ours)  # fmt: skip
    ours, kaldi = (t / hops for t in alternately(ours_log_mel(), kaldi_log_mel(), rounds=31))
    yield Row(f"{name}, kaldi-native-fbank", us(ours), us(kaldi), ours / kaldi, "<= 1.1x",
              ours <= 1.1 * kaldi)  # fmt: skip

    ours, bare, peer = (
        t / steps
        for t in alternately(ours_step(), ours_step(free=True), openwakeword_step(), rounds=15)
    )
    yield Row("80 ms of a held sound to vectors, openWakeWord 0.5.1", us(ours), us(peer),
              peer / ours, ">= 1.5x", peer >= 1.5 * ours)  # fmt: skip
    yield Row("... all but the models, as a share of the 80 ms", us(bare), "80 ms", bare / 0.08,
              "<= 0.03", bare <= 0.03 * 0.08)  # fmt: skip
