"""Files are read as they are, and a bad one is one clear line."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tmstream.capture.audio_file import AudioFile
from tmstream.core.errors import InputError
from tmstream.core.packet import Packet
from tmstream.testing import FakeServices


def read(path: Path | str, **params: Any) -> list[Packet[Any]]:
    async def run() -> list[Packet[Any]]:
        node = AudioFile(str(path), **params)
        await node.open(FakeServices())
        return [packet async for packet in node.packets()]

    return asyncio.run(run())


def joined(packets: list[Packet[Any]]) -> np.ndarray:
    return np.concatenate([packet.data.samples for packet in packets])


def tone(seconds: float, rate: int, hz: float = 440.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


def test_a_wav_at_our_rate_comes_back_bit_for_bit(tmp_path: Path) -> None:
    samples = np.random.default_rng(1).normal(0, 0.1, 16037).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype="FLOAT")
    packets = read(tmp_path / "a.wav", block_s=0.02)
    assert np.array_equal(joined(packets)[:, 0], samples)
    assert [p.t_us for p in packets] == [i * 20_000 for i in range(len(packets))]
    assert {p.data.samples.shape for p in packets[:-1]} == {(320, 1)}
    assert packets[0].data.rate_hz == 16000


@pytest.mark.parametrize(("end", "kind"), [("flac", "FLAC"), ("ogg", "OGG"), ("mp3", "MP3")])
def test_other_formats(tmp_path: Path, end: str, kind: str) -> None:
    soundfile.write(tmp_path / f"a.{end}", tone(1.0, 44100), 44100, format=kind)
    samples = joined(read(tmp_path / f"a.{end}"))[:, 0]
    assert abs(len(samples) - 16000) < 1200
    spectrum = np.abs(np.fft.rfft(samples[4000:12000]))
    assert spectrum.argmax() * 2 == pytest.approx(440, abs=4)


def test_a_span_is_cut_in_the_seconds_of_the_file(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.repeat([0.0, 0.5, 0.0], 44100), 44100)
    samples = joined(read(tmp_path / "a.wav", start_s=1.0, end_s=2.0))[:, 0]
    assert len(samples) == 16000
    np.testing.assert_allclose(samples[200:-200], 0.5, atol=5e-3)


def test_eight_channels_at_192_khz_are_mixed_and_resampled(tmp_path: Path) -> None:
    wide = np.repeat(tone(0.5, 192_000)[:, None], 8, axis=1)
    soundfile.write(tmp_path / "a.wav", wide, 192_000)
    samples = joined(read(tmp_path / "a.wav"))
    assert samples.shape == (8000, 1)
    np.testing.assert_allclose(samples[1000:-1000, 0], tone(0.5, 16000)[1000:-1000], atol=2e-3)


def test_a_span_counts_its_time_from_its_own_beginning(tmp_path: Path) -> None:
    samples = np.arange(32000, dtype=np.float32) / 32000
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype="FLOAT")
    packets = read(tmp_path / "a.wav", start_s=0.5, end_s=0.75)
    assert packets[0].t_us == 0
    assert np.array_equal(joined(packets)[:, 0], samples[8000:12000])


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "cannot be read as sound"), (b"RIFF\x00\x00", "cannot be read"), (b"x" * 999, "cannot")],
)
def test_what_is_no_sound_is_one_clear_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path / "a.wav")
    assert "\n" not in str(caught.value)
    assert "a.wav" in str(caught.value)


def test_a_missing_an_empty_and_a_too_long_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such sound file"):
        read(tmp_path / "none.wav")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 16000)
    with pytest.raises(InputError, match="holds no sound"):
        read(tmp_path / "empty.wav")
    soundfile.write(tmp_path / "long.wav", np.zeros(16000 * 3), 16000)
    with pytest.raises(InputError, match="3 s is over 2 s"):
        read(tmp_path / "long.wav", longest_s=2.0)
    with pytest.raises(InputError, match="holds no sound in that span"):
        read(tmp_path / "long.wav", start_s=9.0)


def test_a_file_cut_short_gives_what_it_has(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(1.0, 16000), 16000)
    whole = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(whole[: len(whole) // 2])
    assert 7000 < len(joined(read(tmp_path / "a.wav"))) <= 8000


@pytest.mark.parametrize(
    "bad", [{"rate_hz": 1}, {"block_s": 0}, {"start_s": -1}, {"end_s": 0}, {"longest_s": 0}]
)
def test_a_parameter_out_of_range_is_named(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        AudioFile("a.wav", **bad)
