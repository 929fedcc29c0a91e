from __future__ import annotations

import msgspec
import numpy as np
import pytest

from tests.lab.conftest import RATE_HZ, sound
from tmstream.head.judge import judge
from tmstream.lab.lint import NEAREST, Finding, _nearest, lint
from tmstream.store.clips import from_audio
from tmstream.store.project import NewExample, Project

RNG = np.random.default_rng(5)
CENTRES = {"clap": np.eye(8)[0] * 4, "hum": np.eye(8)[1] * 4}


def example(label: str, take: str, near: str | None = None, **more) -> NewExample:
    vector = CENTRES[near or label] + RNG.normal(0, 0.3, 8)
    return NewExample(
        label=label, space="audio", vector=vector.astype(np.float32), take=take, **more
    )


def healthy() -> list[NewExample]:
    return [
        example(label, f"{label} {i}", person="anna" if i % 2 else "bo")
        for label in CENTRES
        for i in range(8)
    ]


def found(project: Project, kind: str) -> list[Finding]:
    return [one for one in lint(project) if one.kind == kind]


def test_nothing_is_wrong_with_good_examples(project: Project) -> None:
    project.add(healthy())
    assert lint(project) == []


def test_an_empty_project_has_nothing_to_mend(project: Project) -> None:
    assert lint(project) == []


def test_one_recording_taught_twice(project: Project) -> None:
    good = healthy()
    copy = NewExample(label="clap", space="audio", vector=good[0].vector, take="again", person="bo")
    project.add([*good, copy])
    (one,) = found(project, "duplicate")
    assert one.label == "clap"
    assert one.what.startswith("clap no. 9 (taught 20")
    assert " is the same recording as clap no. 1 (" in one.what


def test_one_recording_under_two_labels(project: Project) -> None:
    good = healthy()
    copy = NewExample(label="hum", space="audio", vector=good[0].vector, take="again", person="bo")
    project.add([*good, copy])
    assert any("as clap and as hum" in one.what for one in found(project, "mislabelled"))


def test_a_clap_among_the_hums(project: Project) -> None:
    project.add([*healthy(), example("hum", "wrong one", near="clap", person="bo")])
    (one,) = found(project, "mislabelled")
    assert one.what.startswith("hum no. 9 (taught 20")
    assert "clap" in one.remedy


def test_a_take_from_a_file_is_called_by_its_file(project: Project) -> None:
    own = [example("hum", f"{i}.wav {i:06x}", near="clap", source=f"{i}.wav") for i in range(2)]
    project.add([*healthy(), own[0], example("clap", "0.wav 99", source="0.wav"), own[1]])
    assert [one.what.partition(" is taught")[0] for one in found(project, "mislabelled")] == [
        "0.wav (hum no. 9)",  # another file is called so, too
        "1.wav",
    ]


@pytest.mark.parametrize(
    ("samples", "kind"),
    [
        (sound("clap", 1) * 0.001, "silent"),
        (np.clip(sound("hum", 1) * 50, -1, 1), "clipped"),
    ],
)
def test_takes_too_quiet_or_too_loud(project: Project, samples: np.ndarray, kind: str) -> None:
    clip = from_audio(samples.reshape(-1, 1), RATE_HZ)
    project.add([*healthy(), example("clap", "bad", person="bo", clip=clip)])
    (one,) = found(project, kind)
    assert one.label == "clap"


def test_clips_are_listened_to_once(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = from_audio((sound("clap", 1) * 0.001).reshape(-1, 1), RATE_HZ)
    project.add([*healthy(), example("clap", "bad", clip=clip), example("hum", "bad", clip=clip)])
    asked: list[str] = []
    fetch = Project.clip
    monkeypatch.setattr(Project, "clip", lambda self, one: asked.append(one) or fetch(self, one))
    known: dict[str, str] = {}
    first = lint(project, known=known)
    assert [one.kind for one in first].count("silent") == 2
    assert len(asked) == 2
    assert lint(project, known=known) == first
    assert len(asked) == 2
    project.delete(asked[:1])
    assert [one.kind for one in lint(project, known=known)].count("silent") == 1
    assert known == {asked[1]: "silent"}, "what is gone is forgotten"


def test_the_nearest_takes_are_those_that_comparing_each_with_each_finds() -> None:
    takes = [
        [example("clap", f"{t}", near=str(RNG.choice(["clap", "hum"]))) for _ in range(1 + t % 3)]
        for t in range(20)
    ]
    rows = np.stack([one.vector for take in takes for one in take]).astype(float)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    middle = rows.mean(axis=0)

    def similar(a: NewExample, b: NewExample) -> float:
        one, other = (x.vector / np.linalg.norm(x.vector) - middle for x in (a, b))
        return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))

    for i, found in enumerate(_nearest(takes)):
        best = [max(similar(a, b) for a in takes[i] for b in other) for other in takes]
        best[i] = -2.0
        assert found.tolist() == np.argsort(-np.array(best))[:NEAREST].tolist()


def test_too_few_of_one_label(project: Project) -> None:
    project.add([one for one in healthy() if one.label == "hum" or one.take == "clap 0"])
    (one,) = found(project, "unbalanced")
    assert one.what == "clap has 1 take, hum has 8"


def test_silence_needs_no_teaching(project: Project) -> None:
    project.add(healthy())
    project.add([example("Silence", f"s{i}", near="hum", person="bo") for i in range(5)])
    seen = msgspec.structs.replace(example("nothing", "s", near="hum"), space="image")
    project.add([seen])  # an empty stage is something to see
    assert [one.label for one in found(project, "silence")] == ["Silence"]


def test_one_person_only(project: Project) -> None:
    project.add([one for one in healthy() if one.person == "bo"])
    assert found(project, "one person")


def test_labels_that_overlap_as_strictly_as_the_project_answers(project: Project) -> None:
    project.add(healthy())
    project.add([example("snap", f"snap {i}", near="clap", person="ab"[i % 2]) for i in range(8)])
    (one,) = found(project, "overlap")
    assert one.label in ("clap", "snap")
    assert one.what.startswith("clap and snap overlap (")
    assert one.remedy == f"teach 4 more of {one.label}"
    told: list[tuple[int, int]] = []
    lint(project, progress=lambda *step: told.append(step))
    assert told[0][0] == 0
    assert told[-1] == (told[0][1], told[0][1])
    # What is turned away is not mixed up.
    usual = judge(project.examples(), k=5)["advised"]
    strict = judge(project.examples(), k=3, strictness=1.0)["advised"]
    assert usual[0]["what"] != strict[0]["what"]
    project.set_settings({"pipeline": "sound", "nodes.head.k": 3, "nodes.head.strictness": 1.0})
    wanted = [one["what"] for one in strict if one["kind"] == "overlap"]
    assert [one.what for one in found(project, "overlap")] == wanted


def test_a_label_called_overlap_is_no_fault(project: Project) -> None:
    new = [one for one in healthy() if one.label == "clap" or one.take < "hum 3"]
    project.add([msgspec.structs.replace(one, label=f"{one.label} overlap") for one in new])
    assert "clap overlap" in project.labels()
    assert found(project, "overlap") == []
