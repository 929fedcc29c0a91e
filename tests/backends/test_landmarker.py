import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from tmstream.backends.landmarker import Landmarker, check_frame
from tmstream.backends.landmarker_worker import shut_proxies
from tmstream.backends.models import find_model
from tmstream.core.errors import DeviceError, InputError

BLANK = np.full((240, 320, 3), 90, np.uint8)


@pytest.fixture(scope="module")
def landmarker():
    with Landmarker("body", find_model("body").path) as made:
        made.detect(BLANK)
        yield made


def ends(pid, within_s=8.0):
    """Return whether the process is gone (or a zombie) within a while."""
    limit = time.monotonic() + within_s
    while time.monotonic() < limit:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((0, 0, 3), np.uint8),
        np.zeros((1, 1, 3), np.uint8),
        np.zeros((4000, 4001, 3), np.uint8),
        np.zeros((64, 64, 3), np.float32),
        np.zeros((64, 64), np.uint8),
        np.zeros((64, 64, 4), np.uint8),
    ],
    ids=["0x0", "1x1", "huge", "float", "grey", "rgba"],
)
def test_a_bad_frame_never_reaches_the_graph(landmarker, frame):
    before = landmarker.pid
    with pytest.raises(InputError):
        landmarker.detect(frame)
    assert landmarker.detect(BLANK) == []
    assert landmarker.pid == before


def test_garbage_of_any_size_is_answered(landmarker):
    rng = np.random.default_rng(0)
    before = landmarker.pid
    for shape in ((16, 16), (17, 501), (480, 16), (721, 433)):
        frame = rng.integers(0, 255, (*shape, 3), dtype=np.uint8)
        assert landmarker.detect(frame, -5.0) == []
        assert landmarker.detect(frame, 1e12, still=True) == []
    assert landmarker.pid == before


def test_a_view_that_is_not_contiguous_is_read_rightly(landmarker):
    wide = np.zeros((64, 128, 3), np.uint8)
    check_frame(wide[:, ::2])
    assert landmarker.detect(wide[::2, ::2]) == []


@pytest.mark.skipif(sys.platform != "linux", reason="the filter is Linux's")
def test_the_worker_cannot_make_a_network_socket():
    code = """
        import socket
        from tmstream.backends.landmarker_worker import shut_sockets
        assert shut_sockets()
        socket.socket(socket.AF_UNIX).close()
        for family in (socket.AF_INET, socket.AF_INET6):
            try:
                socket.socket(family)
            except PermissionError:
                continue
            raise SystemExit(f"{family} was allowed")
        try:
            socket.getaddrinfo("example.org", 443)
        except OSError:
            print("shut")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "shut", done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_running_worker_has_its_network_shut(landmarker):
    status = Path(f"/proc/{landmarker.pid}/status").read_text()
    assert "\nSeccomp:\t2\n" in status
    env = Path(f"/proc/{landmarker.pid}/environ").read_bytes().split(b"\0")
    assert b"https_proxy=http://127.0.0.1:9" in env
    assert not any(entry.lower().startswith(b"no_proxy=") for entry in env)


def test_proxies_of_either_case_are_replaced():
    env = {"no_proxy": "*", "NO_PROXY": "*", "HTTPS_PROXY": "http://venue:3128"}
    shut_proxies(env)
    assert set(env.values()) == {"http://127.0.0.1:9"}
    assert {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"} <= env.keys()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(
    ("fault", "why"),
    [(signal.SIGKILL, "it ended|Broken pipe"), (signal.SIGSTOP, "no answer in 1.5 s")],
    ids=["killed", "hung"],
)
def test_a_fault_costs_one_frame(fault, why):
    with Landmarker("hands", find_model("hands").path, call_s=1.5) as landmarker:
        landmarker.detect(BLANK)
        first = landmarker.pid
        os.kill(first, fault)
        with pytest.raises(DeviceError, match=rf"\(.*({why}).*\); a fresh one is starting"):
            landmarker.detect(BLANK)
        assert landmarker.detect(BLANK) == []
        assert landmarker.pid != first
        assert ends(first)


def test_a_model_that_is_none_says_so(tmp_path):
    (tmp_path / "none.task").write_bytes(b"not a model")
    with (
        Landmarker("body", tmp_path / "none.task") as landmarker,
        pytest.raises(DeviceError, match="landmark process failed"),
    ):
        landmarker.detect(BLANK)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX descriptors and signals")
@pytest.mark.parametrize("hung", [False, True])
def test_nothing_is_left_after_the_end(hung):
    def descriptors():
        return len(list(Path("/dev/fd").iterdir()))

    before = descriptors()
    with Landmarker("hands", find_model("hands").path) as landmarker:
        landmarker.detect(BLANK)
        pid = landmarker.pid
        if hung:
            os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
    assert time.monotonic() - began < 4  # by force after two seconds
    assert ends(pid, 0.5)
    assert descriptors() == before


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_worker_dies_with_an_owner_who_is_killed():
    code = """
        import sys, time
        import numpy as np
        from tmstream.backends.landmarker import Landmarker
        from tmstream.backends.models import find_model
        landmarker = Landmarker("hands", find_model("hands").path)
        landmarker.detect(np.full((64, 64, 3), 90, np.uint8))
        print(landmarker.pid, flush=True)
        time.sleep(60)
    """
    owner = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    )
    with contextlib.closing(owner.stdout):
        pid = int(owner.stdout.readline())
        owner.kill()
        owner.wait()
    assert ends(pid)


@pytest.mark.parametrize(("needed", "brought"), [("", "matplotlib.figure"), ("numpy", "numpy.lib")])
def test_what_mediapipe_has_no_use_for_here_is_left_out_and_what_it_needs_is_not(needed, brought):
    code = f"""
        import sys
        from tmstream.backends import landmarker_worker as worker
        worker.UNUSED = (*{needed.split()}, *worker.UNUSED)
        vision = worker.mediapipe_vision()
        assert vision.PoseLandmarker and vision.HandLandmarker and vision.FaceLandmarker
        print(*(name for name in {brought.split()} if name in sys.modules))
    """
    line = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    assert done.stdout.split() == (brought.split() if needed else [])
