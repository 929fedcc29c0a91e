import asyncio

import numpy as np
import pytest

from tmstream.capture.video_file import VideoFile
from tmstream.core.errors import InputError
from tmstream.testing import FakeServices, check_declared, check_order

SIZE = (64, 48)


@pytest.fixture
def film(tmp_path):
    """Return a film of 20 frames at 10 a second that turns from black to white."""
    import cv2

    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, SIZE)
    for i in range(20):
        frame = np.full((SIZE[1], SIZE[0], 3), i * 12, np.uint8)
        frame[:, :, 0] = 0  # blue is the first channel of OpenCV, and must not be that of ours
        writer.write(frame)
    writer.release()
    return path


def shown(**params):
    async def all_of():
        source = VideoFile(**params)
        await source.open(FakeServices())
        return [packet async for packet in source.packets()]

    return asyncio.run(all_of())


def test_frames_carry_the_files_time_from_zero_and_are_rgb(film):
    made = shown(path=str(film))
    check_order(made)
    assert [packet.t_us for packet in made] == [i * 100_000 for i in range(20)]
    last = made[-1].data.pixels
    assert last.shape == (48, 64, 3)
    assert last.dtype == np.uint8
    red, _, blue = last.mean(axis=(0, 1))
    assert red > 200 > 50 > blue


def test_a_span_and_a_stride(film):
    made = shown(path=str(film), start_s=0.5, end_s=1.0)
    assert [packet.t_us for packet in made] == [0, 100_000, 200_000, 300_000, 400_000]
    assert abs(float(made[0].data.pixels[:, :, 0].mean()) - 60) < 8
    assert len(shown(path=str(film), every=4)) == 5


class Film:
    """A film whose frames have these times."""

    def __init__(self, times_ms):
        self._times_ms, self._at = times_ms, -1

    def isOpened(self):
        return True

    def grab(self):
        self._at += 1
        return self._at < len(self._times_ms)

    def retrieve(self):
        return True, np.full((48, 64, 3), self._at, np.uint8)

    def get(self, what):
        import cv2

        sizes = {cv2.CAP_PROP_FRAME_WIDTH: 64, cv2.CAP_PROP_FRAME_HEIGHT: 48, cv2.CAP_PROP_FPS: 25}
        return float(sizes[what] if what in sizes else self._times_ms[self._at])

    def release(self):
        pass


@pytest.mark.parametrize(
    ("times_ms", "expected_us"),
    [
        ([0, 33, 133, 140], [0, 33_000, 133_000, 140_000]),  # a phone's: as light allowed
        ([500, 540, 600], [0, 40_000, 100_000]),
        ([0, 0, 0], [0, 40_000, 80_000]),  # a container without times: its frame rate
    ],
)
def test_the_file_tells_the_times_if_it_has_any(film, monkeypatch, times_ms, expected_us):
    import cv2

    monkeypatch.setattr(cv2, "VideoCapture", lambda path: Film(times_ms))
    assert [packet.t_us for packet in shown(path=str(film))] == expected_us


def test_what_is_no_film_says_so(tmp_path, film):
    (tmp_path / "text.mp4").write_bytes(b"not a film" * 100)
    with pytest.raises(InputError, match="no such"):
        shown(path=str(tmp_path / "none.mp4"))
    with pytest.raises(InputError, match=r"text\.mp4: cannot be read"):
        shown(path=str(tmp_path / "text.mp4"))
    with pytest.raises(InputError, match="no frame"):
        shown(path=str(film), start_s=60)


@pytest.mark.parametrize("params", [{"start_s": -1}, {"end_s": 0.0}, {"every": 0}])
def test_wrong_parameters_are_named(params):
    with pytest.raises(ValueError, match=next(iter(params))):
        VideoFile("film.avi", **params)


def test_leaving_early_leaves_no_reader_behind(film):
    import threading

    async def one():
        source = VideoFile(str(film))
        stream = source.packets()
        await anext(stream)
        await stream.aclose()

    asyncio.run(one())
    for thread in threading.enumerate():
        if thread.name == "read ahead":
            thread.join(5)
            assert not thread.is_alive()


def test_it_declares_what_it_gives():
    check_declared(VideoFile("film.avi"))


def test_a_real_clip(needs_data):
    made = shown(path=str(needs_data("webcam_clips") / "squats.mp4"))
    check_order(made)
    assert len(made) == 65
    assert made[0].data.pixels.shape == (1280, 720, 3)
    assert made[-1].t_us == 12_800_000
