"""Nothing leaves the machine: body landmarks for 75 seconds and to the end, watched from outside.

The control runs the same MediaPipe with its guards off and must be caught, otherwise this test
would prove nothing.
"""

from __future__ import annotations

import contextlib
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from tests.walks.beside import Beside
from tests.walks.watch import FULL_S, WATCH_S, Watch, missing

UNGUARDED = """
    import numpy as np, time
    import mediapipe
    from mediapipe.tasks.python import vision
    from mediapipe.tasks.python.core.base_options import BaseOptions
    from tmstream.backends.models import find_model
    graph = vision.HandLandmarker.create_from_options(vision.HandLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(find_model("hands").path)),
        running_mode=vision.RunningMode.VIDEO))
    picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB,
                              data=np.full((64, 64, 3), 90, np.uint8))
    for ms in range(1, 60):
        graph.detect_for_video(picture, ms)
    graph.close()
    print("closed")
    time.sleep(3)
"""


def check_nothing_left(made: dict[str, Any]) -> None:
    """Say what the recorders caught."""
    assert made["caught"] == [], "something left"


def watch_unguarded(folder: Path) -> dict[str, Any]:
    """Return what is caught of MediaPipe without guards; skip where nobody can watch it."""
    if why := missing():
        pytest.skip(why)
    with contextlib.closing(Watch(UNGUARDED, folder)) as watch:
        return watch.told(60)


def begin(queue: Beside) -> dict[str, Future[dict[str, Any]]]:
    """Watch what must be caught."""
    return {"unguarded": queue.submit(watch_unguarded, queue.folder("unguarded"))}


def test_p8_control_mediapipe_with_its_guards_off_is_caught(
    beside: dict[str, Future[dict[str, Any]]],
) -> None:
    made = beside["unguarded"].result()
    assert "closed" in made["said"], made
    with pytest.raises(AssertionError, match="something left"):
        check_nothing_left(made)


@pytest.mark.timeout(FULL_S + 120)
def test_p8_nothing_leaves_while_the_engine_runs_and_when_it_ends(long_watch: Watch) -> None:
    made = long_watch.told(WATCH_S + 60)
    assert made["ended"] == 0, made["complained"]
    assert made["answers"], "the landmark processes gave no answer"
    check_nothing_left(made)
