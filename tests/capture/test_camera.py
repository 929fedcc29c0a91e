"""The camera's process, played by scripts: a machine without a camera can still lose one."""

import asyncio
import os
import signal
import sys
import textwrap
import time

import numpy as np
import pytest

from tmstream.capture import camera as room
from tmstream.capture.camera import Camera, find_camera
from tmstream.core.clock import MonotonicClock
from tmstream.core.errors import DeviceError
from tmstream.testing import FakeServices, check_declared, check_order

SCRIPT = """
    import os, sys, time
    import numpy as np
    from tmstream.backends.child import die_with_owner, open_memory
    from tmstream.capture._camera_child import NEWS, SLOT_BYTES, SLOTS
    device, width, height, fps, memory, life = sys.argv[1:]
    die_with_owner(os.fdopen(int(life), "rb", 0))
    shared = open_memory(memory, SLOTS * SLOT_BYTES)
    def give(serial, shade, check=None, pause=0.01):
        slot = serial % SLOTS
        np.frombuffer(shared, np.uint8, 48 * 64 * 3, slot * SLOT_BYTES)[:] = shade
        now = time.perf_counter_ns() // 1000
        news = NEWS.pack(serial, now, serial if check is None else check, 48, 64, slot, 0)
        os.write(1, news)
        time.sleep(pause)
"""

PLAYS = {
    "runs": "for i in range(1, 10_000): give(i, i % 200)",
    "hangs": "for i in range(1, 6): give(i, i)\ntime.sleep(60)",
    "dies": "for i in range(1, 6): give(i, i)",
    "says": "m = b'somebody else has it'\nos.write(1, NEWS.pack(0, 0, 0, 0, 0, 0, len(m)) + m)",
    "frozen": "for i in range(1, 10_000): give(i, 7, check=7)",
    "slow": "for i in range(1, 100): give(i, i, pause=0.2)",
    "fast": "for i in range(1, 10_000): give(i, i % 200, pause=0.0005)",
}


class Played(Camera):
    """A camera whose process is a script."""

    play = "runs"

    def command(self, device):
        script = textwrap.dedent(SCRIPT) + PLAYS[self.play]
        return [sys.executable, "-c", script, device, "64", "48", "30"]


def played(play, take):
    """Open a camera that plays ``play`` and return what the coroutine ``take(camera)`` does."""

    async def go():
        camera = Played()
        camera.play = play
        services = FakeServices()
        services.clock = MonotonicClock()
        await camera.open(services)
        try:
            return await take(camera), services
        finally:
            await camera.close()

    return asyncio.run(go())


async def first(camera, count):
    made = []
    async for packet in camera.packets():
        made.append(packet)
        if len(made) == count:
            break
    return made


def test_frames_come_stamped_when_they_were_taken():
    before = MonotonicClock().now_us()
    made, _ = played("runs", lambda camera: first(camera, 10))
    check_order(made)
    assert before < made[0].t_us < made[-1].t_us < MonotonicClock().now_us()
    for packet in made:
        assert packet.data.pixels.shape == (48, 64, 3)
        assert len(np.unique(packet.data.pixels)) == 1  # never two frames in one


def test_a_frame_is_as_old_as_its_child_says_however_late_it_is_fetched(monkeypatch):
    fetched, original = [], room._Child.pixels

    def late(self, frame):
        fetched.append(frame.stamp_us)
        time.sleep(0.1)
        return original(self, frame)

    monkeypatch.setattr(room._Child, "pixels", late)
    made, _ = played("slow", lambda camera: first(camera, 3))
    for packet, stamp_us in zip(made, fetched, strict=True):
        assert abs(packet.t_us - stamp_us) < 90_000


def test_the_latest_frame_wins():
    async def slowly(camera):
        stream = camera.packets()
        one = await anext(stream)
        await asyncio.sleep(0.3)
        two = await anext(stream)
        return one, two, MonotonicClock().now_us()

    (one, two, now), _ = played("runs", slowly)
    assert two.t_us - one.t_us > 200_000
    assert now - two.t_us < 150_000


def test_a_camera_faster_than_we_are_never_tears():
    made, _ = played("fast", lambda camera: first(camera, 30))
    assert all(len(np.unique(packet.data.pixels)) == 1 for packet in made)


def test_a_frame_that_was_overwritten_while_the_loop_was_busy_is_refused():
    async def late(camera):
        frame = await camera._child.next(None, 2.0)
        limit = time.monotonic() + 5
        while camera._child._newest < frame.serial + 3:  # nothing else runs on the loop meanwhile
            assert time.monotonic() < limit
        return camera._child.pixels(frame), await first(camera, 1)

    (overwritten, made), _ = played("runs", late)
    assert overwritten is None
    assert len(made) == 1


def test_a_camera_that_hangs_or_dies_is_a_device_error(monkeypatch):
    monkeypatch.setattr(room, "FRAME_S", 0.3)
    with pytest.raises(DeviceError, match="no new frame"):
        played("hangs", lambda camera: first(camera, 99))
    with pytest.raises(DeviceError, match="ended"):
        played("dies", lambda camera: first(camera, 99))
    with pytest.raises(DeviceError, match="somebody else has it"):
        played("says", lambda camera: first(camera, 1))


def test_a_frozen_picture_is_said(monkeypatch):
    monkeypatch.setattr(room, "FROZEN_S", 0.1)
    made, services = played("frozen", lambda camera: first(camera, 40))
    assert len(made) == 40
    assert "same picture" in services.notices[-1]
    _, services = played("runs", lambda camera: first(camera, 40))
    assert services.notices == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_process_is_left(monkeypatch):
    pids = []

    async def note(camera):
        pids.append(camera._child._process.pid)
        if len(pids) == 2:
            os.kill(pids[-1], signal.SIGSTOP)  # even one that does not listen
        await asyncio.sleep(0)

    monkeypatch.setattr(room, "LEAVE_S", 0.3)
    played("runs", note)
    played("runs", note)
    limit = time.monotonic() + 5
    while any(os.path.exists(f"/proc/{pid}") for pid in pids):  # noqa: PTH110
        assert time.monotonic() < limit


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_driver_that_no_signal_reaches_holds_nobody(monkeypatch):
    kept = []

    async def hang(camera):
        process = camera._child._process
        os.kill(process.pid, signal.SIGSTOP)
        kept.append((process, camera._child._reader, process.kill))
        process.kill = lambda: None

    monkeypatch.setattr(room, "LEAVE_S", 0.2)
    began = time.monotonic()
    played("runs", hang)
    assert time.monotonic() - began < 4
    ((process, reader, kill),) = kept
    kill()
    process.wait()
    reader.join()
    process.stdout.close()


def test_a_camera_that_is_not_there_says_which_are(monkeypatch):
    monkeypatch.setattr(room, "cameras", lambda: {"2": "Logitech C920"})
    assert find_camera("logitech") == "2"
    assert find_camera(0) == "0"
    assert find_camera("rtsp://10.0.0.2/stream") == "rtsp://10.0.0.2/stream"
    assert find_camera("/dev/v4l/by-id/usb-1") == "/dev/v4l/by-id/usb-1"
    with pytest.raises(DeviceError, match="2: Logitech C920"):
        find_camera("Brio")


def test_without_any_camera_opening_fails_in_one_line():
    async def go():
        await Camera(device="/dev/there_is_none").open(FakeServices())

    with pytest.raises(DeviceError, match="cannot be opened"):
        asyncio.run(go())


@pytest.mark.parametrize("params", [{"device": -1}, {"width": 1}, {"fps": 0}])
def test_wrong_parameters_are_named(params):
    with pytest.raises(ValueError, match=next(iter(params))):
        Camera(**params)


def test_it_declares_what_it_gives():
    check_declared(Camera())
    assert Camera.live
    assert Camera.latest_only


def test_the_real_process_reads_what_opencv_can_open(tmp_path):
    import cv2

    path = tmp_path / "stream.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30.0, (64, 48))
    for _ in range(300):
        writer.write(np.full((48, 64, 3), (0, 0, 200), np.uint8))  # red, in OpenCV's order
    writer.release()

    async def go():
        camera = Camera(device=str(path))
        services = FakeServices()
        services.clock = MonotonicClock()
        await camera.open(services)
        try:
            return await first(camera, 1)
        finally:
            await camera.close()

    (made,) = asyncio.run(go())
    red, _, blue = made.data.pixels.mean(axis=(0, 1))
    assert red > 150 > 50 > blue
