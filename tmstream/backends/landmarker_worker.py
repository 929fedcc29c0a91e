"""The process in which MediaPipe lives: frames in by shared memory, landmarks out by a pipe.

Apart from its owner because MediaPipe (1) reports usage to Google about once a minute, (2) has a
graph that dies for good after one bad frame, and (3) shares Python's lock: beside a busy thread an
in-process call takes twice as long. Here the network is shut before it is imported, and a fault
costs one process. Started by `landmarker.Landmarker`, never by hand.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import struct
import sys
from collections.abc import MutableMapping
from types import ModuleType
from typing import IO, Any, Literal, NamedTuple

from .child import die_with_owner, open_memory

#: Bytes of the shared picture: 16 megapixels of RGB. Pages that are never touched cost nothing.
FRAME_BYTES = 16_000_000 * 3

Op = Literal[0, 1, 2]
VIDEO, STILL, FORGET = 0, 1, 2  #: the next frame of a stream; a picture by itself; drop the stream

REQUEST = struct.Struct("<BIIIf")  # op, serial, height, width, milliseconds since the last frame
REPLY = struct.Struct("<IIBI")  # serial, bytes that follow, 0 landmarks | 1 error text, how many
SUBJECT = struct.Struct("<fb")  # score, side: -1 left, 1 right, 0 none; then points x 4 float32

#: Points of each person, hand or face. What MediaPipe gives beyond (a face's irises) is dropped.
POINTS = {"body": 33, "hands": 21, "face": 468}
#: What MediaPipe calls one of each, and several.
KINDS = {"body": ("Pose", "poses"), "hands": ("Hand", "hands"), "face": ("Face", "faces")}

VISION = "mediapipe.tasks.python.vision"
#: What MediaPipe imports to draw charts and to open microphones, here in vain: 0.6 s of 1 s, and
#: 50 MB of 230 of each process.
UNUSED = ("matplotlib", "matplotlib.pyplot", "sounddevice")

DEAD_PROXY = "http://127.0.0.1:9"


class Job(NamedTuple):
    """What to load, as the command line carries it."""

    task: str  #: "body", "hands" or "face"
    model: str
    most: int  #: people, hands or faces to look for
    detection: float  #: lowest score of a new one
    presence: float  #: lowest score to keep following one
    memory: str  #: descriptor (POSIX) or name (Windows) of the shared picture


def shut_proxies(env: MutableMapping[str, str]) -> None:
    """Send every HTTP client of this environment to a port where nobody listens.

    ``no_proxy`` in either case would open the door again (measured with strace on 1.2.2).
    """
    for name in ("https_proxy", "http_proxy", "all_proxy"):
        env[name] = env[name.upper()] = DEAD_PROXY
    for name in ("no_proxy", "NO_PROXY"):
        env.pop(name, None)


def shut_sockets() -> bool:
    """Refuse this process, for good, every socket that is not AF_UNIX; return whether that worked.

    A seccomp filter (Linux, x86-64 and arm64, no root needed): ``socket`` of another family and
    ``io_uring_setup``, which could make one unseen, fail with EACCES.
    """
    machines = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
    if sys.platform != "linux" or os.uname().machine not in machines:
        return False
    architecture, socket_call = machines[os.uname().machine]
    load, equal, at_least, leave = 0x20, 0x15, 0x35, 0x06
    allow, refuse = 0x7FFF0000, 0x00050000 | 13
    program = [  # (code, jump if true, jump if false, value); jumps count from the next line
        (load, 0, 0, 4),  # the architecture of the call
        (equal, 0, 6, architecture),
        (load, 0, 0, 0),  # its number
        (at_least, 4, 0, 0x40000000),  # the x32 numbers of x86-64
        (equal, 3, 0, 425),  # io_uring_setup
        (equal, 0, 3, socket_call),
        (load, 0, 0, 16),  # its first argument: the family
        (equal, 1, 0, 1),  # AF_UNIX
        (leave, 0, 0, refuse),
        (leave, 0, 0, allow),
    ]
    code = b"".join(struct.pack("HBBI", *line) for line in program)
    lines = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: a 16-bit length, padding, a pointer.
    header = ctypes.create_string_buffer(
        struct.pack("H6xP", len(program), ctypes.addressof(lines)), 16
    )
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    no_new_privileges, set_seccomp, filter_mode = 38, 22, 2
    if prctl(no_new_privileges, 1, 0, 0, 0) != 0:
        return False
    return bool(prctl(set_seccomp, filter_mode, ctypes.byref(header), 0, 0) == 0)


def mediapipe_vision() -> Any:
    """Import MediaPipe's vision tasks without what it would bring along for nothing (`UNUSED`)."""
    empty = {name: ModuleType(name) for name in UNUSED if name not in sys.modules}
    sys.modules |= empty
    try:
        return importlib.import_module(VISION)
    except Exception:  # noqa: BLE001 - another version may look at them while it is imported
        begun = [one for one in sys.modules if one in empty or one.partition(".")[0] == "mediapipe"]
        for name in begun:
            del sys.modules[name]
        return importlib.import_module(VISION)


class Graphs:
    """MediaPipe's two graphs for one job: one that follows a stream, one for single pictures.

    A single picture must not pass through the stream's graph: with one person its smoothing carries
    visibility over even a blank frame (measured: 0.54 off).
    """

    def __init__(self, job: Job) -> None:
        vision = mediapipe_vision()
        from mediapipe.tasks.python.core.base_options import BaseOptions

        self._job, self._vision, self._options = job, vision, BaseOptions
        self._video: Any = self._make(vision.RunningMode.VIDEO)
        self._still: Any = None
        self._ms = 0.0

    def _make(self, mode: Any) -> Any:
        job, vision = self._job, self._vision
        kind, several = KINDS[job.task]
        name = kind.lower()
        options = getattr(vision, f"{kind}LandmarkerOptions")(
            base_options=self._options(model_asset_path=job.model),
            running_mode=mode,
            min_tracking_confidence=job.presence,
            **{
                f"num_{several}": job.most,
                f"min_{name}_detection_confidence": job.detection,
                f"min_{name}_presence_confidence": job.presence,
            },
        )
        return getattr(vision, f"{kind}Landmarker").create_from_options(options)

    def forget(self) -> None:
        """Drop what the stream's graph remembers; a new one takes 0.1 s."""
        if self._video is not None:
            self._video.close()
        self._video, self._ms = None, 0.0

    def detect(self, op: int, pixels: Any, elapsed_ms: float) -> Any:
        """Return MediaPipe's result for uint8 RGB ``pixels`` (h, w, 3)."""
        import mediapipe

        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=pixels)
        if op == STILL:
            if self._still is None:
                self._still = self._make(self._vision.RunningMode.IMAGE)
            return self._still.detect(image)
        if self._video is None:
            self._video = self._make(self._vision.RunningMode.VIDEO)
        # Its own rising counter: one huge or equal timestamp poisons all later ones.
        self._ms += min(max(elapsed_ms, 1.0), 1000.0)
        return self._video.detect_for_video(image, int(self._ms))

    def close(self) -> None:
        """Close both graphs."""
        for graph in (self._video, self._still):
            if graph is not None:
                graph.close()


def packed(task: str, result: Any) -> tuple[int, bytes]:
    """Return how many subjects a result holds, and their bytes."""
    import numpy as np

    found = getattr(result, f"{KINDS[task][0].lower()}_landmarks")
    parts = []
    for index, points in enumerate(found):
        score, side = 1.0, 0
        if task == "hands":
            category = result.handedness[index][0]
            score, side = category.score, 1 if category.category_name == "Right" else -1
        body = task == "body"
        rows = [(p.x, p.y, p.z, p.visibility if body else 1.0) for p in points[: POINTS[task]]]
        parts.append(SUBJECT.pack(score, side) + np.asarray(rows, np.float32).tobytes())
    return len(found), b"".join(parts)


def serve(job: Job, requests: IO[bytes], replies: IO[bytes]) -> None:
    """Answer requests until the owner closes its end."""
    import numpy as np

    def reply(serial: int, kind: int, count: int, content: bytes) -> None:
        replies.write(REPLY.pack(serial, len(content), kind, count) + content)
        replies.flush()

    picture = open_memory(job.memory, FRAME_BYTES)
    try:
        graphs = Graphs(job)
    # MediaPipe raises ValueError, RuntimeError and others.
    except Exception as error:  # noqa: BLE001 - the owner turns it into one line
        reply(0, 1, 0, str(error).encode())
        return
    reply(0, 0, 0, b"")
    while len(request := requests.read(REQUEST.size)) == REQUEST.size:
        op, serial, height, width, elapsed_ms = REQUEST.unpack(request)
        if op == FORGET:
            graphs.forget()
            continue
        pixels = np.frombuffer(picture, np.uint8, height * width * 3).reshape(height, width, 3)
        try:
            count, content = packed(job.task, graphs.detect(op, pixels, elapsed_ms))
        except Exception as error:  # noqa: BLE001 - told to the owner, which starts a fresh process
            # Neither used nor closed again: a broken graph hangs its process (5 of 8 runs).
            reply(serial, 1, 0, str(error).encode())
            os._exit(1)
        reply(serial, 0, count, content)
    graphs.close()


def main(arguments: list[str]) -> None:
    """Run with the fields of a `Job`; requests on stdin, replies on what was stdout."""
    shut_proxies(os.environ)
    shut_sockets()
    task, model, count, detection, presence, memory, life = arguments
    die_with_owner(os.fdopen(int(life), "rb", 0) if int(life) >= 0 else None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the owner's to handle
    # Whatever the library prints must not land among the replies.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    job = Job(task, model, int(count), float(detection), float(presence), memory)
    serve(job, sys.stdin.buffer, replies)


if __name__ == "__main__":
    main(sys.argv[1:])
