"""The process that holds a camera: drivers hang and lie when a plug is pulled, so it may die.

Started by `camera.Camera`, never by hand: ``DEVICE WIDTH HEIGHT FPS MEMORY LIFE``.
"""

from __future__ import annotations

import os
import struct
import sys
import time
import zlib
from typing import IO

from ..backends.child import die_with_owner, open_memory

WITHOUT = "or go on without a camera: --source cam=FILE, or cam=browser (the studio's)"
#: Frames are written to these in turn, so that the owner reads one while the next arrives.
SLOTS = 3
SLOT_BYTES = 16_000_000 * 3

#: Serial, microseconds of the performance counter, checksum, height, width, slot; and the bytes of
#: a message that follows, which is an error.
NEWS = struct.Struct("<QqIIIII")


def main(arguments: list[str]) -> None:
    """Read frames until the owner ends; say why when the camera does."""
    device, width, height, fps, memory, life = arguments
    die_with_owner(os.fdopen(int(life), "rb", 0) if int(life) >= 0 else None)
    news = os.fdopen(os.dup(1), "wb", 0)
    os.dup2(2, 1)  # whatever a driver prints must not land among the news
    try:
        show(device, int(width), int(height), float(fps), memory, news)
    # OpenCV raises its own error type, drivers OSError.
    except Exception as error:  # noqa: BLE001 - the owner turns it into one line
        told = str(error).encode()
        news.write(NEWS.pack(0, 0, 0, 0, 0, 0, len(told)) + told)


def show(device: str, width: int, height: int, fps: float, memory: str, news: IO[bytes]) -> None:
    """Grab frames for ever; raises OSError when there are none."""
    import cv2
    import numpy as np

    camera = cv2.VideoCapture(int(device) if device.isdigit() else device)
    if not camera.isOpened():
        raise OSError(f"camera {device} cannot be opened; {WITHOUT}")
    if device.isdigit() or device.startswith("/dev/"):
        # Compressed frames: most USB cameras give 30 a second only so.
        camera.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        camera.set(cv2.CAP_PROP_FRAME_WIDTH, width)
        camera.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
        camera.set(cv2.CAP_PROP_FPS, fps)
    shared = open_memory(memory, SLOTS * SLOT_BYTES)
    serial = 0
    while camera.grab():
        stamp_us = time.perf_counter_ns() // 1000
        done, frame = camera.retrieve()
        if not done or frame is None or frame.ndim != 3 or frame.nbytes > SLOT_BYTES:
            continue
        serial += 1
        slot = serial % SLOTS
        view = np.frombuffer(shared, np.uint8, frame.size, slot * SLOT_BYTES)
        cv2.cvtColor(frame, cv2.COLOR_BGR2RGB, view.reshape(frame.shape))
        check = zlib.crc32(frame[::16, ::16].tobytes())
        news.write(NEWS.pack(serial, stamp_us, check, frame.shape[0], frame.shape[1], slot, 0))
    raise OSError(f"camera {device} gives no more frames")


if __name__ == "__main__":
    main(sys.argv[1:])
