"""The door to MediaPipe: landmarks of people, hands and faces, found in a process apart."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Literal, TypeAlias

import msgspec
import numpy as np

from ..core.errors import DeviceError, InputError
from ..core.packet import Float32, UInt8
from .child import command, exactly, new_memory
from .landmarker_worker import (
    FORGET,
    FRAME_BYTES,
    POINTS,
    REPLY,
    REQUEST,
    STILL,
    SUBJECT,
    VIDEO,
    Job,
    shut_proxies,
)

#: Longest wait for one frame (20 ms when quiet), and for a process to import MediaPipe (1-2 s).
CALL_S, START_S = 2.5, 30.0
#: How often the keeper looks at the clock.
LOOK_S = 0.25
#: A frame smaller than this holds nobody, and 0 x 0 would kill the graph for good.
SMALLEST = 16

Task: TypeAlias = Literal["body", "hands", "face"]


class Found(msgspec.Struct, frozen=True):
    """A person, hand or face: ``points`` float32 (`POINTS`, 4) as in `core.packet.Landmarks`."""

    points: Float32
    score: float
    side: Literal["left", "right"] | None


def check_frame(pixels: UInt8) -> None:
    """Refuse whatever must never reach the graph.

    Raises:
        InputError: not uint8 (h, w, 3), a side under 16 pixels, or over 16 megapixels.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise InputError(f"a picture is uint8 (h, w, 3), not {pixels.dtype} {pixels.shape}")
    height, width, _ = pixels.shape
    if min(height, width) < SMALLEST or pixels.nbytes > FRAME_BYTES:
        raise InputError(f"a picture of {width} x {height} is too small or too large")


class _Worker:
    """One living process and the memory it reads pictures from."""

    def __init__(self, job: Job) -> None:
        self.memory, descriptor, name = new_memory(FRAME_BYTES)
        life, self._life = os.pipe()
        keep = (life,) if descriptor is None else (life, descriptor)
        env = dict(os.environ)
        shut_proxies(env)
        # One thread a pool: two models share two cores with everything else.
        env |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "GLOG_minloglevel": "3"}
        # glibc's arenas, one a thread, kept 0.5 MB of each graph that was made anew (at each gap of
        # the camera): 100 MB after 190. With one arena: 1 MB after 170, and no slower.
        env["MALLOC_ARENA_MAX"] = "1"
        windows = sys.platform == "win32"
        arguments = [*map(str, job[:-1]), name, "-1" if windows else str(life)]
        try:
            self.process = subprocess.Popen(
                command(f"{__package__}.landmarker_worker", *arguments),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=env,
                bufsize=0,
                pass_fds=() if windows else keep,
            )
        finally:
            for one in keep:
                os.close(one)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.requests: IO[bytes] = self.process.stdin
        self.replies: IO[bytes] = self.process.stdout

    def end(self, patience_s: float) -> None:
        """Ask it to leave, insist after ``patience_s``, and release everything."""
        self.requests.close()
        try:
            self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.replies.close()
        os.close(self._life)
        self.memory.close()


class Landmarker:
    """Finds people, hands or faces in one frame after another, and survives what they do to it.

    ``start`` returns at once; the first ``detect`` waits for the process. A fault costs the frame
    it happened on: ``detect`` raises `DeviceError` once, with a fresh process already starting.
    Use it from one thread.
    """

    def __init__(
        self,
        task: Task,
        model: Path,
        *,
        count: int = 1,
        detection: float = 0.5,
        presence: float = 0.5,
        call_s: float = CALL_S,
    ) -> None:
        self._job = Job(task, str(model), count, detection, presence, "")
        self._call_s = call_s
        self._worker: _Worker | None = None
        self._serial = 0
        self._ready = False
        self._overdue = False
        self._deadline_s: float | None = None  #: read by the keeper
        self._orders = threading.Condition()
        self._wanted = False
        self._broken: BaseException | None = None
        self._keeper: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        """Return the process's id, for tests and status."""
        return self._worker.process.pid if self._worker else None

    def start(self) -> None:
        """Begin to start the process; returns at once."""
        if self._keeper is None:
            self._wanted = True
            self._keeper = threading.Thread(target=self._keep, name="landmarker", daemon=True)
            self._keeper.start()

    def detect(
        self, pixels: UInt8, elapsed_ms: float = 33.0, *, still: bool = False
    ) -> list[Found]:
        """Return everybody found in uint8 RGB ``pixels`` (h, w, 3).

        ``elapsed_ms`` since the last frame; ``still`` for a picture that follows no other.

        Raises:
            InputError: the frame is refused (`check_frame`); nothing happened.
            DeviceError: the process failed, hung or was killed; the next call has a fresh one.
        """
        check_frame(pixels)
        worker = self._started()
        height, width, _ = pixels.shape
        view = np.frombuffer(worker.memory, np.uint8, pixels.size).reshape(pixels.shape)
        np.copyto(view, pixels)
        del view
        self._serial = (self._serial + 1) % 2**32
        op = STILL if still else VIDEO
        request = REQUEST.pack(op, self._serial, height, width, elapsed_ms)
        self._deadline_s = time.monotonic() + self._call_s
        try:
            worker.requests.write(request)
            count, content = self._reply(worker, self._serial)
        except (OSError, ValueError) as error:
            raise self._failed(error) from error
        finally:
            self._deadline_s = None
        return self._unpacked(count, content)

    def forget(self) -> None:
        """Begin a new stream: nothing of the last frames carries over."""
        if self._ready and self._worker is not None:
            try:
                self._worker.requests.write(REQUEST.pack(FORGET, 0, 0, 0, 0.0))
            except OSError as error:
                raise self._failed(error) from error

    def close(self) -> None:
        """End the process in an orderly way, or by force after two seconds."""
        if self._keeper is None:
            return
        with self._orders:
            self._wanted = False
            self._orders.notify()
        self._keeper.join()
        self._keeper, self._ready = None, False

    def __enter__(self) -> Landmarker:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _started(self) -> _Worker:
        """Return the worker once it has said that its model is loaded."""
        self.start()
        with self._orders:
            if not self._orders.wait_for(lambda: self._worker or self._broken, START_S):
                raise DeviceError("the landmark process did not start")
            if self._broken is not None:
                raise DeviceError(f"the landmark process did not start: {self._broken}")
            worker = self._worker
        assert worker is not None
        if not self._ready:
            self._deadline_s = time.monotonic() + START_S
            try:
                self._reply(worker, 0)
            except (OSError, ValueError) as error:
                raise self._failed(error) from error
            finally:
                self._deadline_s = None
            self._ready = True
        return worker

    def _reply(self, worker: _Worker, serial: int) -> tuple[int, bytes]:
        """Read one reply; the keeper ends the process, and so this read, when it is overdue."""
        answered, size, kind, count = REPLY.unpack(exactly(worker.replies, REPLY.size))
        content = exactly(worker.replies, size)
        if kind != 0 or answered != serial:
            raise ValueError(content.decode(errors="replace").splitlines()[:1] or "out of step")
        return count, content

    def _unpacked(self, count: int, content: bytes) -> list[Found]:
        points = POINTS[self._job.task]
        size = SUBJECT.size + points * 16
        found = []
        for start in range(0, count * size, size):
            score, side = SUBJECT.unpack_from(content, start)
            rows = np.frombuffer(content, np.float32, points * 4, start + SUBJECT.size)
            sides: dict[int, Literal["left", "right"]] = {-1: "left", 1: "right"}
            found.append(Found(rows.reshape(points, 4), score, sides.get(side)))
        return found

    def _failed(self, error: Exception) -> DeviceError:
        """Order a fresh process and say what happened to the old one."""
        with self._orders:
            worker, self._worker, self._ready = self._worker, None, False
            late, self._overdue = self._overdue, False
            if worker is not None:
                worker.end(0)
            self._orders.notify()
        why = f"no answer in {self._call_s} s" if late else str(error) or "it ended"
        return DeviceError(f"the landmark process failed ({why}); a fresh one is starting")

    def _keep(self) -> None:
        """Start processes, and kill one that is overdue.

        On a thread of its own because the kernel ends a child when the *thread* that made it ends.
        """
        with self._orders:
            while self._wanted:
                if self._worker is None and self._broken is None:
                    try:
                        self._worker = _Worker(self._job)
                    except OSError as error:
                        self._broken = error
                    self._orders.notify_all()
                deadline_s = self._deadline_s
                if deadline_s is not None and time.monotonic() > deadline_s and self._worker:
                    self._overdue = True
                    self._worker.process.kill()
                self._orders.wait(LOOK_S)
            if self._worker is not None:
                self._worker.end(2.0)
                self._worker = None
