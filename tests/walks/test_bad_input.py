"""P5: bad input never kills, and never yields an answer; what comes after it is heard and seen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from msgspec.structs import replace

from benchmarks.person import painted
from tests.walks.house import LISTENS, SEEN, answers, house, performance, registry
from tmstream.capture.walker import ASPECT, MOVES, body_points
from tmstream.core.packet import Audio, Embedding, Image, Landmarks, Packet, Scores
from tmstream.embed.audio import AudioEmbedding
from tmstream.embed.body import body_vector
from tmstream.features.body import BodyLandmarks
from tmstream.head import knn
from tmstream.store.project import NewExample, Project

SOUNDS: list[Any] = [
    np.full((320, 1), np.nan), np.full((320, 1), np.inf), np.full((320, 1), -np.inf), np.full((320, 1), 1e30),
    np.zeros((0, 1)), np.ones((1, 1)), np.full((320, 1), 1e-42), np.where(np.arange(320)[:, None] == 7, np.nan, 0.1),
]  # fmt: skip

#: The nonsense lasts a second and a half, so that it is not lost in one window.
FROM_US, UNTIL_US = 2_000_000, 3_500_000


@dataclass
class Garbled:
    """A good performance with nonsense in the middle, or the nonsense alone."""

    gives: ClassVar[tuple[type, ...]] = (Audio,)
    bad: int = 0
    alone: bool = False

    async def packets(self) -> AsyncIterator[Packet[Any]]:
        async for packet in performance().packets():
            nonsense = self.alone or FROM_US <= packet.t_us < UNTIL_US
            data = Audio(SOUNDS[self.bad].astype(np.float32), 16000) if nonsense else packet.data
            yield Packet(packet.t_us, data)


def check_numbers() -> None:
    for _, _, packet in SEEN:
        if isinstance(packet.data, Scores):
            said = [packet.data.confidence, *(one.confidence for one in packet.data.results)]
            assert np.isfinite(said).all(), "a confidence that is no number"


def check_sound(bad: int, taught: Project, **nodes: Any) -> None:
    """Hear the nonsense alone, then within a performance."""
    here = registry(garbled=Garbled, **nodes)
    house(LISTENS % f"garbled, bad: {bad}, alone: true", taught, nodes=here)
    assert answers() == [], "an answer to nonsense"
    check_numbers()
    SEEN.clear()
    house(LISTENS % f"garbled, bad: {bad}", taught, nodes=here)
    said = answers()
    assert {label for t_us, label in said if t_us < FROM_US - 100_000} == {"clap"}
    # What comes after it begins with a breath of a tenth of a second.
    meanwhile = [t_us for t_us, _ in said if FROM_US <= t_us < UNTIL_US - 100_000]
    assert meanwhile == [], "an answer to nonsense"
    assert {label for t_us, label in said if t_us > UNTIL_US + 400_000} == {"clap", "whistle"}
    check_numbers()


@pytest.mark.parametrize("bad", range(len(SOUNDS)))
def test_p5_nonsense_says_nothing_and_the_next_sound_is_heard(bad: int, taught: Project) -> None:
    check_sound(bad, taught)


class Trusting(AudioEmbedding):
    """Makes a vector of whatever it hears."""

    size: ClassVar[int]

    def process(self, packet: Packet[Any]) -> Iterator[Packet[Any]]:
        if isinstance(packet.data, Audio) and not np.isfinite(packet.data.samples).all():
            nothing = np.full(self.size, np.nan, np.float32)
            yield packet.with_data(Embedding(nothing, "audio", packet.t_us, None, "mic"))
        else:
            yield from super().process(packet)


class Stale(AudioEmbedding):
    """Repeats what it heard last when it cannot use what it hears."""

    def process(self, packet: Packet[Any]) -> Iterator[Packet[Any]]:
        for made in super().process(packet):
            if isinstance(made.data, Embedding):
                self._last = made.data
            elif getattr(made.data, "reason", "") == "not_finite" and hasattr(self, "_last"):
                made = packet.with_data(replace(self._last, end_us=packet.t_us + 20_000))
            yield made


def test_p5_control_a_nan_that_is_let_through_is_found_out(
    taught: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trusting, "size", taught.examples("audio")[0].vector.size, raising=False)
    check_sound(0, taught, audio_embedding=Trusting)  # the head stops it as well
    SEEN.clear()
    monkeypatch.setattr(knn, "usable", lambda vector: True)
    with pytest.raises(AssertionError, match="no number"):
        check_sound(0, taught, audio_embedding=Trusting)


def test_p5_control_an_answer_that_is_repeated_is_found_out(taught: Project) -> None:
    with pytest.raises(AssertionError, match="an answer to nonsense"):
        check_sound(0, taught, audio_embedding=Stale)


# --- pictures -----------------------------------------------------------------------------------

PERSON = painted(body_points(MOVES["t_pose"](1.0, 1.0), 1.0, 0.5, ASPECT))
PICTURES: list[Any] = [
    np.zeros((0, 0, 3), np.uint8), np.zeros((1, 1, 3), np.uint8), np.zeros((1, 5000, 3), np.uint8),
    np.zeros((4000, 4001, 3), np.uint8), PERSON.astype(np.float32), PERSON[:, :, 0], PERSON[:, :, :2],
    PERSON.astype(np.float64) * np.nan, PERSON.astype(object), "a picture",
]  # fmt: skip

SEES = """
nodes:
  cam: {type: broken_camera}
  body: {type: body_landmarks, from: cam}
  pose: {type: body_embedding, from: body}
  h: {type: knn, from: pose}
  out: {type: eye, from: [h, body]}
"""


@dataclass
class BrokenCamera:
    """Gives every kind of nonsense, somebody to see, and the nonsense again."""

    gives: ClassVar[tuple[type, ...]] = (Image,)

    async def packets(self) -> AsyncIterator[Packet[Any]]:
        shown = [*PICTURES, *[PERSON] * 5, *PICTURES, *[PERSON] * 5]
        for i, pixels in enumerate(shown):
            yield Packet(i * 100_000, Image(pixels))


GOOD = [i * 100_000 for i in range(30) if i % 15 >= len(PICTURES)]


def check_pictures(project: Project, **nodes: Any) -> None:
    """Show all of it: somebody is seen where somebody is, and nowhere else."""
    house(SEES, project, nodes=registry(broken_camera=BrokenCamera, **nodes))
    assert {label for _, label in answers()} == {"t_pose"}
    times = [t_us for t_us, _ in answers()]
    assert set(times) <= set(GOOD), "an answer to nonsense"
    assert times == GOOD


@pytest.fixture
def posed(tmp_path: Path) -> Iterator[Project]:
    """A project that knows two poses."""
    with Project.open(tmp_path / "poses.tms", create=True) as project:
        for move in ("stand", "t_pose"):
            for take, width in enumerate((0.9, 0.95, 1.0, 1.05, 1.1)):
                points = body_points(MOVES[move](1.0, width), 1.0, 0.5, ASPECT)
                vector = body_vector(points, ASPECT, "upper")
                project.add([NewExample(move, "body.upper", vector, f"{move} {take}")])
        yield project


def test_p5_a_picture_that_is_none_says_nothing_and_the_next_person_is_seen(
    posed: Project,
) -> None:
    check_pictures(posed)


class Frozen(BodyLandmarks):
    """Shows what it saw last when it cannot use what it is shown."""

    def process(self, packet: Packet[Any]) -> Iterator[Packet[Any]]:
        for made in super().process(packet):
            if isinstance(made.data, Landmarks):
                self._last = made.data
            elif getattr(made.data, "reason", "") == "bad_frame" and hasattr(self, "_last"):
                made = packet.with_data(self._last)
            yield made


def test_p5_control_a_person_shown_again_is_found_out(posed: Project) -> None:
    with pytest.raises(AssertionError, match="an answer to nonsense"):
        check_pictures(posed, body_landmarks=Frozen)
