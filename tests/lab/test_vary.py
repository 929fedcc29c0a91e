"""Variants of what was taught: made of its clips, label by label, and taken away again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import msgspec
import numpy as np
import pytest

from tmstream.capture.walker import body_points, t_pose
from tmstream.core.errors import InputError
from tmstream.core.packet import Embedding, Packet, Phase
from tmstream.engine.registry import Registry
from tmstream.engine.spec import Pipeline, parse
from tmstream.lab import augment
from tmstream.lab.augment import VARIANTS
from tmstream.lab.decode import sound_of
from tmstream.lab.embedder import Heard
from tmstream.lab.part import kinds_of
from tmstream.lab.pool import Pool
from tmstream.lab.reembed import reembed
from tmstream.lab.sample import Sample, Sound
from tmstream.lab.samples import find
from tmstream.lab.teach import teach
from tmstream.lab.vary import Piece, Varied, plan, unvary, vary, workload
from tmstream.store import clips
from tmstream.store.project import Clip, Example, NewExample, Project

from .conftest import RATE_HZ, sound, sounds_folder
from .test_teach import BODY

MADE = len(VARIANTS["sound"])


@pytest.fixture
def pool(pipeline: Pipeline, registry: Registry) -> Iterator[Pool]:
    with Pool(pipeline, registry) as opened:
        yield opened


@pytest.fixture
def taught(tmp_path: Path, project: Project, pool: Pool) -> Project:
    """Return a project with two sounds of a clap, of a hum and of a whistle."""
    samples = find([sounds_folder(tmp_path, 2)])
    teach(project, pool, [replace(one, groups={"person": "ann"}) for one in samples])
    return project


def varied(
    project: Project, pool: Pool, labels: Collection[str] | None = None, batch: str = ""
) -> dict[str, Varied]:
    pieces, told = plan(project, ["sound"], labels)
    reports: list[object] = []
    vary(project, pool, pieces, told, batch=batch, report=reports.append)
    assert len(reports) == workload(pieces)
    return told


def made_of(project: Project) -> list[Example]:
    return [one for one in project.examples() if one.augmented_from is not None]


def test_variants_are_marked_and_belong_to_their_parent(taught: Project, pool: Pool) -> None:
    before = [one.id for one in taught.examples()]
    told = varied(taught, pool)
    rows = {one.id: one for one in taught.examples()}
    made = made_of(taught)
    assert len(rows) - len(before) == len(made) == sum(one.variants for one in told.values())
    assert {label: (one.clips, one.known) for label, one in told.items()} == dict.fromkeys(
        ("clap", "hum", "whistle"), (2, 0)
    )
    finals = Counter(one.augmented_from for one in made if one.phase == "final")
    assert set(finals.values()) == {MADE}
    assert len(finals) == 6
    for one in made:
        parent = rows[one.augmented_from or ""]
        assert parent.augmented_from is None
        assert one.has_clip
        assert not np.array_equal(one.vector, parent.vector)
        assert (one.label, one.take, one.person, one.phase, one.source) == (
            parent.label, parent.take, "ann", parent.phase, parent.source,
        )  # fmt: skip
    taught.undo()
    assert [one.id for one in taught.examples()] == before


def test_a_label_is_switched_on_and_off(taught: Project, pool: Pool) -> None:
    before = len(taught.examples())
    varied(taught, pool, ["clap"])
    assert {one.label for one in made_of(taught)} == {"clap"}
    again = varied(taught, pool)
    assert (again["clap"].known, again["clap"].variants) == (2, 0)
    assert again["hum"].variants
    whole = len(taught.examples())
    counts = Counter(one.label for one in made_of(taught))
    assert unvary(taught, ["hum"]) == {"hum": counts["hum"]}
    assert {one.label for one in made_of(taught)} == {"clap", "whistle"}
    taught.undo()
    assert len(taught.examples()) == whole
    assert unvary(taught) == counts
    assert len(taught.examples()) == before
    assert unvary(taught) == dict.fromkeys(counts, 0), "and off is off"
    varied(taught, pool)
    assert len(taught.examples()) == whole, "on again"
    for wrong in (plan, unvary):
        with pytest.raises(InputError, match=r"no label 'clop'; did you mean 'clap'"):
            wrong(taught, **({"able": ["sound"]} if wrong is plan else {}), labels=["clop"])  # type: ignore[operator]


def test_what_was_stopped_goes_on_without_a_second_variant(
    taught: Project, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tmstream.lab.vary.TOGETHER", 2)
    pieces, told = plan(taught, ["sound"])
    count = 0

    def stop_half_way(heard: object) -> None:
        nonlocal count
        count += 1
        if count == 3 * MADE:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        vary(taught, pool, pieces, told, report=stop_half_way)
    assert Counter(one.label for one in made_of(taught)).keys() == {"clap"}
    told = varied(taught, pool)
    assert {label: one.known for label, one in told.items()} == {"clap": 2, "hum": 0, "whistle": 0}
    finals = Counter(one.augmented_from for one in made_of(taught) if one.phase == "final")
    assert set(finals.values()) == {MADE}


def test_a_parent_deleted_or_moved_meanwhile_takes_its_variants_along(
    taught: Project, pool: Pool
) -> None:
    pieces, told = plan(taught, ["sound"])
    gone, moved = ([one.id for one in piece.rows] for piece in pieces[:2])

    def meanwhile(heard: object) -> None:
        if taught.examples()[0].id in gone:
            taught.delete(gone)
            taught.relabel(moved, "hum")

    vary(taught, pool, pieces, told, report=meanwhile)
    assert not {one.augmented_from for one in made_of(taught)} & {*gone, *moved}
    assert told["clap"].variants == 0
    assert told["hum"].clips == 2


def test_variants_undone_while_they_are_made_do_not_come(
    taught: Project, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tmstream.lab.vary.TOGETHER", 1)
    before = [one.id for one in taught.examples()]
    pieces, told = plan(taught, ["sound"])
    steps: list[str] = []

    def undo(heard: object) -> None:
        if made_of(taught) and not steps:
            steps.append(taught.undo())

    with pytest.raises(InputError, match="undone meanwhile"):
        vary(taught, pool, pieces, told, report=undo)
    assert len(steps) == 1
    assert [one.id for one in taught.examples()] == before


def test_two_that_make_the_same_variants_make_them_once(
    taught: Project, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    late, told = plan(taught, ["sound"], ["clap"])
    varied(taught, pool, ["clap"])
    before = [one.id for one in taught.examples()]
    # It is the project that looks after that, not a reading of all examples.
    monkeypatch.setattr(Project, "examples", lambda *_, **__: pytest.fail("read all examples"))
    vary(taught, pool, late, told)
    monkeypatch.undo()
    assert [one.id for one in taught.examples()] == before
    assert (told["clap"].variants, dict(told["clap"].skipped)) == (0, {"changed meanwhile": 2})


def test_what_has_no_clip_or_is_a_film_is_told_and_left(
    project: Project, registry: Registry, tmp_path: Path
) -> None:
    picture = clips.from_picture(np.zeros((40, 40, 3), np.uint8))
    other = clips.from_picture(np.full((40, 40, 3), 90, np.uint8))

    def one(label: str, take: str, clip: Clip | None, end_us: int = 0) -> NewExample:
        return NewExample(label, "image", np.ones(3, np.float32), take, end_us=end_us, clip=clip)

    project.add([one("bare", "a", None), one("film", "a", picture)])
    project.add([one("film", "a", picture, 2_000_000), one("two", "a", other)])
    project.add([one("two", "b", other), one("live", "c", picture), one("live", "c", picture, 1)])
    wrong = NewExample("bare", "image", np.ones(3, np.float32), "n", clip=picture, negative=True)
    project.add([wrong])
    pieces, told = plan(project, ["picture"])
    assert [[row.label for row in piece.rows] for piece in pieces] == [["live", "live"]]
    assert {label: dict(found.skipped) for label, found in told.items() if found.skipped} == {
        "bare": {"no clip": 1}, "film": {"a film: its frames vary enough": 1},
        "two": {"several people on one picture": 1},
    }  # fmt: skip
    deaf = parse(
        "nodes:\n  m: {type: synthetic}\n  e: {type: audio_embedding, from: m}\n", tmp_path
    )
    pieces, told = plan(project, kinds_of(deaf, registry), ["live"])
    assert (pieces, dict(told["live"].skipped)) == ([], {"the pipeline takes no pictures": 1})


def test_another_embedder_is_refused(taught: Project, pool: Pool) -> None:
    taught.set_settings({"space:audio": "an older model"})
    before = len(taught.examples())
    with pytest.raises(InputError, match="tmstream reembed"):
        varied(taught, pool)
    assert len(taught.examples()) == before


def test_embedded_again_they_still_have_their_parents(
    taught: Project, pool: Pool, pipeline: Pipeline, registry: Registry
) -> None:
    varied(taught, pool, ["clap"])
    count = len(made_of(taught))
    assert reembed(taught, pipeline, registry)["audio"].lost == 0
    rows = {one.id: one for one in taught.examples()}
    made = made_of(taught)
    assert len(made) == count
    assert all(rows[one.augmented_from or ""].take == one.take for one in made)
    taught.delete([one.id for one in rows.values() if one.augmented_from is None])
    assert taught.examples() == []


def test_a_variant_is_left_out_with_its_parent(
    taught: Project, pool: Pool, pipeline: Pipeline, registry: Registry
) -> None:
    varied(taught, pool, ["clap"])
    parent = next(one for one in taught.examples(label="clap") if one.augmented_from is None)
    fields = msgspec.structs.asdict(parent)
    del fields["has_clip"], fields["id"]
    (bare,) = taught.add([NewExample(**fields)])  # its clip was lost
    (child,) = made_of(taught)[:1]
    fields = msgspec.structs.asdict(child) | {"augmented_from": bare}
    del fields["has_clip"], fields["id"]
    taught.add([NewExample(**fields, clip=taught.clip(child.id))])
    before = len(taught.examples())
    told = reembed(taught, pipeline, registry)["audio"]
    assert (told.lost, told.done) == (2, before - 2)


def test_sounds_are_varied_with_the_noise_of_the_room(
    taught: Project, pool: Pool, pipeline: Pipeline, registry: Registry
) -> None:
    hz = 3000
    tone = np.sin(2 * np.pi * hz * np.arange(3 * RATE_HZ) / RATE_HZ, dtype=np.float32)
    pieces, told = plan(taught, ["sound"], ["clap"])
    vary(taught, pool, pieces, told, room=Sound(tone[:, None], RATE_HZ, 0.0, 0.0, 3.0))

    def share(one: Example) -> float:
        """Return how much of an example's clip is the tone."""
        clip = taught.clip(one.id)
        assert clip is not None
        heard = sound_of(clip.data).samples[:, 0]
        powers = np.abs(np.fft.rfft(heard)) ** 2
        at = round(hz * len(heard) / RATE_HZ)
        return float(powers[at - 2 : at + 3].sum() / powers.sum())

    rows = {one.id: one for one in taught.examples()}
    by_parent: dict[str, list[float]] = {}
    for one in made_of(taught):
        assert share(rows[one.augmented_from or ""]) < 0.02
        by_parent.setdefault(one.augmented_from or "", []).append(share(one))
    assert len(by_parent) == 2
    for shares in by_parent.values():
        assert sum(one > 0.04 for one in shares) == 1, "the one with noise"
    assert reembed(taught, pipeline, registry)["audio"].lost == 0


def test_what_the_room_says_is_no_variant_of_a_sound(
    taught: Project, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Claps all the time: in the half second that is kept around a hum there are some."""
    monkeypatch.setattr(augment, "ROOM_DB", -10.0)  # so that they are heard as sounds
    claps = np.concatenate([sound("clap", i, lead_s=0.05, tail_s=0.05) for i in range(12)])
    room = Sound(claps[:, None], RATE_HZ, 0.0, 0.0, len(claps) / RATE_HZ)
    pieces, told = plan(taught, ["sound"], ["hum"])
    vary(taught, pool, pieces, told, room=room)
    rows = taught.examples()
    clap, hum = (
        np.mean([one.vector for one in rows if one.label == label and not one.augmented_from], 0)
        for label in ("clap", "hum")
    )
    assert made_of(taught)
    assert all(one.vector @ hum > one.vector @ clap for one in made_of(taught))


def test_of_several_sounds_the_strongest_are_meant(project: Project) -> None:
    def packet(take: int, phase: Phase) -> tuple[str, Packet[Embedding]]:
        data = Embedding(np.full(3, take, np.float32), "audio", 9, phase=phase, take=take)
        return "sound", Packet(take, data)

    project.add([NewExample("a", "audio", np.ones(3, np.float32), "t", phase="final")])
    sample = Sample(Path("clip"), "clip", "sound")
    heard = Heard(
        sample, (packet(1, "final"), packet(2, "early"), packet(2, "final"), packet(3, "final")),
        weights={1: 0.2, 2: 0.9, 3: 0.1}, raw=Sound(np.ones((9, 1), np.float32), 8000, 0.0, 0.0, 1e-3),
    )  # fmt: skip

    class Given:
        fingerprints: ClassVar[dict[str, str]] = {}

        def embed(self, samples: Collection[Sample]) -> Iterator[Heard]:
            return iter([heard] * len(samples))

    told = {"a": Varied()}
    piece = Piece("sound", tuple(project.examples()))
    vary(project, Given(), [piece], told)  # type: ignore[arg-type]
    assert [one.vector[0] for one in made_of(project)] == [2.0] * MADE


def test_both_spaces_of_a_pose_have_its_variants(
    project: Project, registry: Registry, tmp_path: Path
) -> None:
    points = body_points(t_pose(0.5, 1.0), 0.8, 0.5, 1.0)
    names = [f"p{i}_{axis}" for i in range(33) for axis in "xyz"]
    (tmp_path / "poses.csv").write_text(
        f"label,{','.join(names)}\nt,{','.join(map(str, points[:, :3].flat))}\n"
    )
    with Pool(parse(BODY, tmp_path), registry) as pool:
        teach(project, pool, find([tmp_path / "poses.csv"]))
        pieces, told = plan(project, ["body"])
        vary(project, pool, pieces, told)
    assert told["t"].clips == 1
    parents = {one.id: one for one in project.examples()}
    found = Counter(one.space for one in made_of(project))
    assert found == dict.fromkeys(("body.upper", "body.full"), len(VARIANTS["body"]))
    assert all(parents[one.augmented_from or ""].space == one.space for one in made_of(project))
