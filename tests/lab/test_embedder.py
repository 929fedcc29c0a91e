from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.lab.conftest import RATE_HZ, sound
from tmstream.core.errors import InputError
from tmstream.engine.registry import Registry
from tmstream.engine.spec import Pipeline
from tmstream.lab.embedder import Embedder, Heard
from tmstream.lab.part import graph_for, kinds_of
from tmstream.lab.pool import Pool
from tmstream.lab.sample import Sample


def write(path: Path, samples: np.ndarray, rate_hz: int = RATE_HZ, **how: str) -> Sample:
    soundfile.write(path, samples, rate_hz, **how)
    return Sample(path, path.name, "sound", "clap")


def vectors(heard: Heard) -> list[bytes]:
    return [packet.data.vector.tobytes() for packet in heard.embeddings]


@pytest.fixture
def embedder(pipeline: Pipeline, registry: Registry):
    with Embedder(graph_for(pipeline, registry, "sound")) as made:
        yield made


def test_what_came_before_changes_nothing(tmp_path: Path, embedder: Embedder) -> None:
    clap = write(tmp_path / "clap.wav", sound("clap", 1))
    hum = write(tmp_path / "hum.wav", sound("hum", 2))
    alone = vectors(embedder.embed(clap))
    embedder.embed(hum)
    again = embedder.embed(clap)
    assert alone
    assert vectors(again) == alone
    assert again.embeddings[0].t_us == pytest.approx(400_000, abs=40_000), (
        "time counts from the file"
    )


def test_two_workers_answer_as_one_does(
    tmp_path: Path, pipeline: Pipeline, registry: Registry
) -> None:
    samples = [write(tmp_path / f"{i}.wav", sound("whistle", i)) for i in range(5)]
    answers = []
    for workers in (1, 2):
        with Pool(pipeline, registry, workers) as pool:
            found = list(pool.embed(samples))
            assert [heard.sample for heard in found] == samples
            answers.append([vectors(heard) for heard in found])
    assert answers[0] == answers[1]


def test_a_span_answers_only_for_the_sounds_in_it(tmp_path: Path, embedder: Embedder) -> None:
    both = np.concatenate([sound("clap", 1), np.zeros(RATE_HZ // 2), sound("hum", 2)])
    whole = write(tmp_path / "both.wav", both)
    first_s = (len(sound("clap", 1)) + RATE_HZ // 2) / RATE_HZ + 0.4
    span = Sample(whole.file, whole.name, "sound", "hum", first_s, first_s + 0.8)
    heard = embedder.embed(span)
    assert len(embedder.embed(whole).weights) == 2
    assert len(heard.weights) == 1
    assert min(packet.t_us for packet in heard.embeddings) > 0.6e6


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.zeros(RATE_HZ), "silence"),
        (np.full(RATE_HZ, 1e-5), "silence"),
        (np.where(np.arange(RATE_HZ) == 99, np.nan, sound("clap", 1)[0]), "not_finite"),
    ],
)
def test_nothing_to_hear_has_a_reason(
    tmp_path: Path, embedder: Embedder, samples: np.ndarray, reason: str
) -> None:
    heard = embedder.embed(write(tmp_path / "x.wav", samples, subtype="FLOAT"))
    assert (heard.embeddings, heard.reason, heard.error) == ([], reason, None)


def test_a_steady_clip_without_an_edge_is_not_lost(tmp_path: Path, embedder: Embedder) -> None:
    faint = np.random.default_rng(0).normal(0, 1.3e-3, RATE_HZ // 2)
    heard = embedder.embed(write(tmp_path / "hiss.wav", faint, subtype="FLOAT"))
    assert heard.embeddings
    assert heard.note is not None


def test_a_click_beside_a_word_is_not_the_word(tmp_path: Path, embedder: Embedder) -> None:
    samples = np.concatenate([np.zeros(RATE_HZ // 2, np.float32), sound("hum", 3)])
    samples[RATE_HZ // 4 : RATE_HZ // 4 + 30] += 0.02
    assert len(embedder.embed(write(tmp_path / "x.wav", samples)).weights) == 1


@pytest.mark.parametrize("content", [b"", b"RIFF\x00\x00", b"fLaC" + b"\0" * 50, b"not a sound"])
def test_a_damaged_file_says_so(tmp_path: Path, embedder: Embedder, content: bytes) -> None:
    path = tmp_path / "broken.wav"
    path.write_bytes(content)
    heard = embedder.embed(Sample(path, path.name, "sound"))
    assert heard.reason == "cannot_decode"
    assert "broken.wav" in (heard.error or "")


def test_eight_channels_at_192_khz_are_one_sound(tmp_path: Path, embedder: Embedder) -> None:
    wide = np.repeat(sound("clap", 1), 12)[:, None].repeat(8, axis=1)
    heard = embedder.embed(write(tmp_path / "wide.wav", wide, 192_000))
    assert len(heard.weights) == 1


def test_a_clip_gives_the_same_sound_again(tmp_path: Path, embedder: Embedder) -> None:
    heard = embedder.embed(write(tmp_path / "hum.wav", sound("hum", 4)))
    last = heard.embeddings[-1]
    clip = heard.clip(last)
    assert clip is not None
    again = embedder.again(clip).embeddings[-1]
    one, other = last.data.vector, again.data.vector
    assert one @ other / np.linalg.norm(one) / np.linalg.norm(other) > 0.99


def test_a_pipeline_refuses_what_it_does_not_embed(pipeline: Pipeline, registry: Registry) -> None:
    assert kinds_of(pipeline, registry) == ["sound"]
    with pytest.raises(InputError, match="embeds sounds, not pictures"):
        graph_for(pipeline, registry, "picture")
