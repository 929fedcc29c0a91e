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
