"""Films: each of its examples keeps what it was made of, and gets its own vector again."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tmstream.capture.walker import body_points, stand, t_pose
from tmstream.core.packet import Embedding, Image, Landmarks, Packet, Phase
from tmstream.engine.registry import Registry
from tmstream.engine.spec import Pipeline, parse
from tmstream.lab.embedder import Stopped
from tmstream.lab.film import AROUND_US, Film
from tmstream.lab.part import kinds_of
from tmstream.lab.pool import Pool
from tmstream.lab.reembed import reembed
from tmstream.lab.sample import Sample
from tmstream.lab.teach import teach
from tmstream.lab.vary import plan
from tmstream.store import clips
from tmstream.store.project import Project

IMAGE = """
nodes:
  cam:  {type: camera}
  look: {type: image_embedding, from: cam}
  head: {type: knn, from: look}
"""
FPS, SCENES = 10, 3


@pytest.fixture
def pipeline() -> Pipeline:
    return parse(IMAGE, Path("image-test.yaml"))


@pytest.fixture
def film(tmp_path: Path) -> Sample:
    """Three scenes of a second each."""
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (320, 240))
    rng = np.random.default_rng(0)
    for scene in range(SCENES):
        coarse = rng.integers(0, 255, (3 * 4**scene, 4 * 4**scene, 3), np.uint8)
        picture = cv2.resize(coarse, (320, 240), interpolation=cv2.INTER_NEAREST)
        for _ in range(FPS):
            writer.write(picture)
    writer.release()
    return Sample(path, path.name, "video", "scenes")


def test_every_frame_gets_the_vector_of_its_own_picture_again(
    project: Project, pipeline: Pipeline, registry: Registry, film: Sample
) -> None:
    with Pool(pipeline, registry, workers=1) as pool:
        assert teach(project, pool, [film])["scenes"].taken == 1
    before = {one.t_us: one.vector for one in project.examples()}
    assert {at // 1_000_000 for at in before} == set(range(SCENES))
    told = reembed(project, pipeline, registry)["image"]
    assert (told.done, told.lost) == (len(before), 0)
    for one in project.examples():
        alike = {at: float(one.vector @ old) for at, old in before.items()}
        nearest = max(alike, key=lambda at: alike[at])
        assert nearest // 1_000_000 == one.t_us // 1_000_000, "the vector of another scene"
        assert alike[one.t_us] > 0.98 * np.linalg.norm(one.vector) * np.linalg.norm(
            before[one.t_us]
        )


def test_a_film_is_read_once_for_all_that_is_kept_of_it(
    film: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    monkeypatch.setattr("tmstream.lab.decode.each_frame", lambda *one: read.append(one))
    Film(film).clips([embedding(at) for at in (0, 100_000, 200_000)])
    assert len(read) == 1


def test_the_frames_of_a_film_are_not_varied(
    project: Project, pipeline: Pipeline, registry: Registry, film: Sample
) -> None:
    with Pool(pipeline, registry, workers=1) as pool:
        teach(project, pool, [film])
    pieces, told = plan(project, kinds_of(pipeline, registry))
    assert pieces == []
    assert set(told["scenes"].skipped) == {"a film: its frames vary enough"}


def embedding(t_us: int, end_us: int = -1, who: str = "p1", phase: Phase = "frame") -> Packet:
    end_us = t_us if end_us < 0 else end_us
    return Packet(t_us, Embedding(np.ones(3, np.float32), "gesture", end_us, who, "cam", phase))


def test_a_movement_keeps_the_poses_of_who_moved_and_nothing_of_the_next(film: Sample) -> None:
    poses = [
        Packet(at, Landmarks(body_points(made(0.5, 1.0), 0.8, 0.5, 1.0), "body", who))
        for at in range(0, 10_000_000, 100_000)
        for who, made in (("p1", stand), ("p2", t_pose))
    ]
    first = embedding(2_000_000, 3_000_000, phase="final")
    second = embedding(3_400_000, 4_000_000, phase="final")
    beside = embedding(2_500_000, 2_600_000, "p2", phase="final")
    kept = Film(film, poses).clips([first, second, beside])
    spans = []
    for clip in kept:
        assert clip is not None
        seen = clips.to_landmarks(clip)
        assert len({one.data.subject for one in seen}) == 1
        spans.append((seen[0].data.subject, seen[0].t_us, seen[-1].t_us))
    assert spans == [
        ("p1", 2_000_000 - AROUND_US, 3_400_000),
        ("p1", 3_000_000, 4_000_000 + AROUND_US),
        ("p2", 2_500_000 - AROUND_US, 2_600_000 + AROUND_US),
    ]


def test_a_film_that_nobody_waits_for_any_more_is_not_seen_to_its_end(
    pipeline: Pipeline, registry: Registry, film: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = threading.Event()

    def endless(_: Sample, use: Callable[[Packet[Image]], object]) -> None:
        for at in itertools.count():
            use(Packet(at * 100_000, Image(np.zeros((24, 32, 3), np.uint8))))
            shown.set()

    def wait() -> None:
        with contextlib.suppress(Stopped):
            list(pool.embed([film]))

    monkeypatch.setattr("tmstream.lab.decode.each_frame", endless)
    with Pool(pipeline, registry, workers=1) as pool:
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert shown.wait(20)
    waiting.join()  # the pool was left, so the film has ended
