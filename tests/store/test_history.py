"""The last seconds of every source, within bounds."""

from __future__ import annotations

import io
import threading
import tracemalloc

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from tmstream.core.errors import InputError
from tmstream.core.packet import Audio, Gap, Image, Landmarks, Packet
from tmstream.store import clips, history
from tmstream.store.history import History
from tmstream.store.project import LANDMARKS, Clip

RATE_HZ = 16_000


def hear(rings: History, seconds: float, *, start_us: int = 0, block: int = 160) -> np.ndarray:
    """Tap a noise in blocks; returns it."""
    samples = np.random.default_rng(0).uniform(-0.9, 0.9, (round(seconds * RATE_HZ), 1))
    samples = samples.astype(np.float32)
    for first in range(0, len(samples), block):
        t_us = start_us + round(first * 1e6 / RATE_HZ)
        rings.tap("mic", Packet(t_us, Audio(samples[first : first + block], RATE_HZ)))
    return samples


def flac(clip: Clip | None) -> np.ndarray:
    import soundfile

    assert clip is not None
    assert clip.media_type == "audio/flac"
    samples, rate_hz = soundfile.read(io.BytesIO(clip.data), dtype="float32", always_2d=True)
    assert rate_hz == RATE_HZ
    return samples


@given(from_ms=st.integers(0, 1900), length_ms=st.integers(1, 2000), block=st.integers(50, 3000))
@settings(max_examples=40)
def test_a_span_of_sound_comes_back_sample_for_sample(
    from_ms: int, length_ms: int, block: int
) -> None:
    rings = History()
    samples = hear(rings, 2.0, block=block)
    got = flac(rings.clip("mic", from_ms * 1000, (from_ms + length_ms) * 1000))
    first = from_ms * RATE_HZ // 1000
    want = samples[first : first + length_ms * RATE_HZ // 1000]
    assert got.shape == want.shape
    assert np.abs(got - want).max() < 2 / 32768


def test_a_gap_is_silence(recwarn: pytest.WarningsRecorder) -> None:
    rings = History()
    hear(rings, 0.5)
    rings.tap("mic", Packet(500_000, Gap("stall")))
    hear(rings, 0.5, start_us=1_000_000)
    got = flac(rings.clip("mic", 0, 1_500_000))
    assert len(got) == 1.5 * RATE_HZ
    assert not got[8000:16000].any()
    assert got[16000:].any()


def test_nothing_kept_is_no_clip() -> None:
    rings = History()
    assert rings.clip("mic", 0, 10**6) is None
    hear(rings, 1.0)
    assert rings.clip("mic", 5 * 10**6, 6 * 10**6) is None
    assert rings.clip("cam", 0, 10**6) is None


def test_old_sound_is_forgotten() -> None:
    rings = History(seconds=1.0)
    hear(rings, 3.0)
    assert rings.clip("mic", 0, 1_500_000) is None
    assert len(flac(rings.clip("mic", 0, 3_000_000))) <= 1.02 * RATE_HZ


def picture(level: int, width: int = 320) -> Image:
    return Image(np.full((240, width, 3), (level, 0, 255 - level), np.uint8))


def test_the_picture_nearest_the_end() -> None:
    import cv2

    rings = History()
    for number in range(60):
        rings.tap("cam", Packet(number * 33_333, picture(number * 4)))
    clip = rings.clip("cam", 0, 1_000_000)
    assert clip is not None
    assert clip.media_type == "image/jpeg"
    bgr = cv2.imdecode(np.frombuffer(clip.data, np.uint8), cv2.IMREAD_COLOR)
    assert bgr.shape == (240, 320, 3)
    red, blue = int(bgr[:, :, 2].mean()), int(bgr[:, :, 0].mean())
    assert abs(red - 30 * 4) <= 16, "within a tenth of a second of the end"
    assert abs(red + blue - 255) <= 4, "red is red and blue is blue"


def test_large_pictures_are_made_small() -> None:
    import cv2

    clip = clips.from_picture(np.zeros((1080, 1920, 3), np.uint8))
    assert cv2.imdecode(np.frombuffer(clip.data, np.uint8), 1).shape == (360, 640, 3)


def pose(value: float, subject: str | None = "p1") -> Landmarks:
    return Landmarks(np.full((33, 4), value, np.float32), "body", subject, 1.5, None)


def test_landmarks_come_back_exactly() -> None:
    rings = History()
    for number in range(30):
        rings.tap("body", Packet(number * 100, pose(number / 7)))
        rings.tap("body", Packet(number * 100, pose(-1.0, "p2")))
    clip = rings.clip("body", 500, 1500, subject="p1")
    assert clip is not None
    assert clip.media_type == LANDMARKS
    back = clips.to_landmarks(clip)
    assert [packet.t_us for packet in back] == list(range(500, 1501, 100))
    assert np.array_equal(back[0].data.points, pose(5 / 7).points)
    assert (back[0].data.space, back[0].data.subject, back[0].data.aspect) == ("body", "p1", 1.5)
    assert len(clips.to_landmarks(rings.clip("body", 500, 1500) or clip)) == 22


@given(data=st.binary(max_size=200))
def test_any_bytes_as_landmarks_are_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        clips.to_landmarks(Clip(data, LANDMARKS))


def test_a_bomb_as_landmarks_is_refused() -> None:
    import zlib

    with pytest.raises(InputError, match="unpacks to more"):
        clips.to_landmarks(Clip(zlib.compress(b"\0" * (clips.MAX_LANDMARK_BYTES + 1)), LANDMARKS))


def test_private_keeps_no_sound_and_no_picture() -> None:
    rings = History(private=True)
    hear(rings, 1.0)
    rings.tap("cam", Packet(0, picture(1)))
    rings.tap("body", Packet(0, pose(1.0)))
    assert rings.clip("mic", 0, 10**6) is None
    assert rings.clip("cam", 0, 10**6) is None
    assert rings.clip("body", 0, 10**6) is not None


def test_memory_is_bounded_whatever_arrives() -> None:
    rings = History()
    block = np.zeros((48_000, 8), np.float32)
    points = pose(1.0)
    tracemalloc.start()
    for number in range(200):
        rings.tap("mic", Packet(number, Audio(block, 48_000)))
        rings.tap("cam", Packet(number * 200_000, Image(np.zeros((480, 640, 3), np.uint8))))
        rings.tap("body", Packet(number, points))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    bound = history.MAX_AUDIO_BYTES + history.MAX_PICTURE_BYTES + 4 * 10**6
    assert kept < bound
    assert kept > 20 * 10**6, "something was kept"
    for number in range(3 * history.MAX_ITEMS):
        rings.tap("body", Packet(number, points))
    seen = rings.clip("body", 0, 10**9)
    assert seen is not None
    assert len(clips.to_landmarks(seen)) == history.MAX_ITEMS


def test_a_clock_that_starts_anew_does_not_freeze_the_ring() -> None:
    rings = History()
    hear(rings, 1.0, start_us=10**12)
    hear(rings, 1.0)
    assert len(flac(rings.clip("mic", 0, 10**6))) == RATE_HZ


def test_taps_and_clips_from_many_threads() -> None:
    rings = History()
    errors: list[Exception] = []

    def work(number: int) -> None:
        try:
            for step in range(200):
                rings.tap(
                    f"mic{number % 2}",
                    Packet(step * 10_000, Audio(np.zeros((160, 1), np.float32), RATE_HZ)),
                )
                if step % 50 == 49:
                    rings.clip("mic0", 0, step * 10_000)
        except Exception as error:  # noqa: BLE001  (shown by the assertion below)
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_five_pictures_a_second_are_kept_and_none_of_a_clock_that_is_gone() -> None:
    rings = History()
    for i in range(60):
        rings.tap("cam", Packet(10**12 + i * 33_333, picture(1)))
    assert 9 <= len(rings._pictures["cam"].packets()) <= 11
    rings.tap("cam", Packet(0, picture(2)))
    assert [packet.t_us for packet in rings._pictures["cam"].packets()] == [0]


def test_sound_of_another_rate_is_not_mixed_in() -> None:
    rings = History()
    hear(rings, 0.5)
    faster = np.full((4800, 1), 0.5, np.float32)
    rings.tap("mic", Packet(500_000, Audio(faster, 3 * RATE_HZ)))
    clip = rings.clip("mic", 0, 10**6)
    assert clip is not None
    import soundfile

    samples, rate_hz = soundfile.read(io.BytesIO(clip.data))
    assert (len(samples), rate_hz) == (4800, 3 * RATE_HZ)
