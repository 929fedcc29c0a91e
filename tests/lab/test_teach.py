from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.lab.conftest import RATE_HZ, SOUND, sound, sounds_folder
from tmstream.capture.walker import body_points, stand, t_pose
from tmstream.core.errors import InputError
from tmstream.engine.registry import Registry
from tmstream.engine.spec import Pipeline, parse
from tmstream.lab import choice
from tmstream.lab.classify import Answer, classify
from tmstream.lab.pool import Pool
from tmstream.lab.reembed import reembed
from tmstream.lab.sample import Sample
from tmstream.lab.samples import find
from tmstream.lab.teach import Tally, teach, workload
from tmstream.lab.tune import GRID, search, silence
from tmstream.store.project import NewExample, Project

BODY = """
nodes:
  cam:   {type: camera}
  body:  {type: body_landmarks, from: cam}
  pose:  {type: body_embedding, from: body}
  whole: {type: body_embedding, from: body, parts: full}
  head:  {type: knn, from: [pose, whole]}
"""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sounds_folder(tmp_path_factory.mktemp("sounds"), 4)


@pytest.fixture(scope="session")
def lesson(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project that was taught everything in ``folder``; to be copied."""
    path = tmp_path_factory.mktemp("lesson") / "lab.tms"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMSTREAM_STATE", str(path.parent / "state"))
        with Project.open(path, create=True) as project:
            taught(project, parse(SOUND, Path("sound-test.yaml")), find([folder]))
    return path


@pytest.fixture
def knowing(lesson: Path, tmp_path: Path) -> Iterator[Project]:
    """A project that knows every sound in ``folder``."""
    with Project.open(Path(shutil.copy(lesson, tmp_path))) as project:
        yield project


def taught(project: Project, pipeline: Pipeline, samples: list[Sample], **how) -> dict[str, Tally]:
    with Pool(pipeline, Registry.installed()) as pool:
        return teach(project, pool, samples, **how)


def asked(project: Project, pipeline: Pipeline, samples: list[Sample]) -> list[Answer]:
    return list(classify(project, pipeline, Registry.installed(), samples))


def test_what_is_taught_is_recognised_and_all_of_it_is_one_step(
    tmp_path: Path, folder: Path, project: Project, pipeline: Pipeline
) -> None:
    tallies = taught(project, pipeline, find([folder]), settings={choice.SETTING: "sound"})
    assert {label: tally.taken for label, tally in tallies.items()} == dict.fromkeys(
        ("clap", "hum", "whistle"), 4
    )
    assert project.setting("space:audio"), "what made the vectors is kept beside them"
    fresh = sounds_folder(tmp_path / "fresh", 6)
    samples = [one for one in find([fresh]) if one.file.stem in "45"]
    answers = asked(project, pipeline, samples)
    assert [one.label for one in answers] == [sample.label for sample in samples]
    for one in answers:
        assert [result.label for result in one.results] == sorted(
            ("clap", "hum", "whistle"),
            key=lambda label: [r.label for r in one.results].index(label),
        )
        assert sum(result.confidence for result in one.results) == pytest.approx(1.0, abs=1e-6)
        assert one.neighbours[0].label == one.label
    project.undo()
    assert project.examples() == []
    assert project.setting(choice.SETTING) is None


def test_the_same_file_twice_is_taught_once_until_it_is_deleted(
    folder: Path, knowing: Project, pipeline: Pipeline
) -> None:
    samples = find([folder])
    before = [one.id for one in knowing.examples()]
    again = taught(knowing, pipeline, samples)
    assert [one.id for one in knowing.examples()] == before
    assert all(tally.known == 4 and not tally.taken for tally in again.values())
    knowing.delete_label("clap")
    third = taught(knowing, pipeline, samples)
    assert (third["clap"].taken, third["hum"].taken) == (4, 0)
    assert Counter(one.label for one in knowing.examples())["clap"] > 0


def test_a_limit_takes_of_as_many_people_as_there_are(
    folder: Path, project: Project, pipeline: Pipeline
) -> None:
    people = {0: "anna", 1: "anna", 2: "anna", 3: "bo"}
    samples = [
        replace(one, groups={"person": people[int(one.file.stem)]}) for one in find([folder])
    ]
    told: list[object] = []
    tallies = taught(project, pipeline, samples, limit=2, report=told.append)
    assert tallies["clap"].left == 2
    assert len(told) == workload(samples, limit=2) == 2 * len(tallies)
    assert {one.person for one in project.examples(label="clap")} == {"anna", "bo"}


def test_a_silent_sample_makes_room_for_the_next(
    tmp_path: Path, project: Project, pipeline: Pipeline
) -> None:
    folder = sounds_folder(tmp_path, 2, ("clap",))
    soundfile.write(folder / "clap" / "0.wav", [0.0] * RATE_HZ, RATE_HZ)
    (folder / "clap" / "1b.wav").write_bytes(b"no")
    soundfile.write(folder / "clap" / "2.wav", sound("clap", 9), RATE_HZ)
    tally = taught(project, pipeline, find([folder]), limit=2)["clap"]
    assert tally.taken == 2
    assert tally.skipped == {"silent": 1, "cannot decode": 1}


def test_an_undecodable_sample_is_answered_as_such_among_the_others(
    tmp_path: Path, folder: Path, knowing: Project, pipeline: Pipeline
) -> None:
    (tmp_path / "broken.wav").write_bytes(b"broken")
    soundfile.write(tmp_path / "quiet.wav", [0.0] * RATE_HZ, RATE_HZ)
    good = folder / "hum" / "0.wav"
    paths = [tmp_path / "broken.wav", good, tmp_path / "quiet.wav", tmp_path / "gone.wav"]
    answers = asked(knowing, pipeline, find(paths))
    assert [one.file for one in answers] == list(map(str, paths))
    assert [(one.label, one.rejected) for one in answers] == [
        (None, "cannot_decode"), ("hum", None), (None, "silence"), (None, "cannot_decode"),
    ]  # fmt: skip
    assert answers[2].results == []


def test_another_embedder_is_refused_until_the_clips_are_embedded_again(
    folder: Path, project: Project, pipeline: Pipeline, registry: Registry
) -> None:
    samples = find([folder])
    taught(project, pipeline, samples[:-1])
    count = len(project.examples())
    project.set_settings({"space:audio": "an older model"})
    with pytest.raises(InputError, match="tmstream reembed"):
        taught(project, pipeline, samples)
    told = reembed(project, pipeline, registry)
    assert (told["audio"].done, told["audio"].lost) == (count, 0)
    assert len(project.examples()) == count
    made = project.setting("space:audio")
    assert project.undo().startswith("made ")
    assert project.setting("space:audio") == "an older model", "of the old vectors, one step back"
    project.redo()
    assert project.setting("space:audio") == made
    assert taught(project, pipeline, samples)["whistle"].taken == 1, "and ids still know the files"
    answers = asked(project, pipeline, samples)
    assert [one.label for one in answers] == [sample.label for sample in samples]


@pytest.mark.parametrize(
    ("spaces", "name"),
    [(["audio"], "sound"), (["body.upper", "body.full"], "body"), (["audio", "body.upper"], "duet"),
     (["mine"], None), ([], None)],
)  # fmt: skip
def test_a_project_taught_live_finds_its_pipeline(
    project: Project, spaces: list[str], name: str | None
) -> None:
    project.add([NewExample("a", space, np.ones(3, np.float32), "t") for space in spaces])
    found = choice.of_project(project)
    assert (found and found.path.stem) == name


def test_each_space_remembers_its_own_embedder_after_embedding_again(
    tmp_path: Path, project: Project, registry: Registry
) -> None:
    table = tmp_path / "poses.csv"
    names = [f"p{i}_{axis}" for i in range(33) for axis in "xyz"]
    rows = [
        f"{label},{','.join(str(x) for x in body_points(made(0.5, 1.0), size, 0.5, 1.0)[:, :3].flat)}"
        for label, made in (("stand", stand), ("t_pose", t_pose))
        for size in (0.7, 0.8, 0.9)
    ]
    table.write_text("\n".join([f"label,{','.join(names)}", *rows]))
    pipeline = parse(BODY, tmp_path / "body-test.yaml")
    taught(project, pipeline, find([table])[:-1])
    before = {key: project.setting(key) for key in ("space:body.upper", "space:body.full")}
    assert len({*before.values(), None}) == 3
    reembed(project, pipeline, registry)
    assert {key: project.setting(key) for key in before} == before
    assert taught(project, pipeline, find([table]))["t_pose"].taken == 1, "and more can be taught"


def test_reembedding_goes_on_where_it_was_stopped(
    knowing: Project, pipeline: Pipeline, registry: Registry
) -> None:
    seen = 0

    def stop_half_way() -> None:
        nonlocal seen
        seen += 1
        if seen == 8:
            raise KeyboardInterrupt

    before = [one.vector.tobytes() for one in knowing.examples()]
    with pytest.raises(KeyboardInterrupt):
        reembed(knowing, pipeline, registry, stop_half_way)
    assert [one.vector.tobytes() for one in knowing.examples()] == before, "nothing half done"
    assert reembed(knowing, pipeline, registry)["audio"].lost == 0


def test_a_room_that_triggers_is_silenced_and_that_can_be_undone(
    tmp_path: Path, knowing: Project, pipeline: Pipeline, registry: Registry
) -> None:
    room = tmp_path / "room.wav"
    soundfile.write(room, sound("hum", 77, lead_s=1.0), RATE_HZ)
    sample = Sample(room, "room.wav", "sound")
    before = [(one.id, one.negative) for one in knowing.examples()]
    told = silence(knowing, pipeline, registry, sample)
    assert (told.triggers_before, told.triggers_after) == (1, 0)
    knowing.undo()
    assert [(one.id, one.negative) for one in knowing.examples()] == before


def test_a_search_keeps_only_what_is_better(
    knowing: Project, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(GRID, "k", (5,))
    monkeypatch.setitem(GRID, "strictness", (0.5, 1.0))
    found = search(knowing, pipeline)
    assert found.score_after >= found.score_before
    kept = {name: knowing.setting(f"nodes.head.{name}") for name in ("k", "strictness")}
    changed = found.after != found.before
    assert kept == (found.after if changed else {"k": None, "strictness": None})


def test_a_search_drops_augmented_examples_that_do_harm(
    project: Project, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(GRID, "k", (5,))
    monkeypatch.setitem(GRID, "strictness", (0.5,))
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(3, 16))

    def one(label: int, take: int, like: int, made: bool) -> NewExample:
        name = f"{label}-{take}"
        return NewExample(
            "abc"[label], "audio", (centres[like] + rng.normal(size=16) / 4).astype(np.float32),
            name, id=f"{name}-made" if made else name, augmented_from=name if made else None,
        )  # fmt: skip

    project.add([one(label, take, label, made=False) for label in range(3) for take in range(6)])
    project.add([one(label, i, (label + 1) % 3, made=True) for label in range(3) for i in range(6)])
    found = search(project, pipeline)
    assert (found.dropped, found.tried) == (18, 3)
    assert found.score_after > found.score_before + 0.2
    assert {one.augmented_from for one in project.examples()} == {None}
    project.undo()
    assert len(project.examples()) == 36
    assert project.setting("nodes.head.k") is None
