"""The head as a node: its answers, reasons, order, and what changes while it runs."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import numpy as np
import pytest

from tmstream.core.errors import InputError
from tmstream.core.packet import Absent, Gap, Packet
from tmstream.head import knn
from tmstream.head.knn import Knn
from tmstream.head.scratch import Scratch
from tmstream.store.project import Project
from tmstream.testing import FakeServices, check_transform, feed

from .lessons import LABELS, heard, taught, vector


def head(examples=(), **params) -> tuple[Knn, Scratch]:  # type: ignore[no-untyped-def]
    book = Scratch()
    if examples:
        book.add(examples)
    node = Knn(**params)
    node.open(FakeServices(node="head"), book)
    return node, book


def one(node: Knn, data: np.ndarray, t_us: int = 0, **more: object):  # type: ignore[no-untyped-def]
    (made,) = feed(node, heard(data, t_us, **more))
    return made.data


def test_it_recognises_says_by_whom_and_is_the_same_again() -> None:
    node, _ = head(taught(3, 6))
    scores = one(node, vector(1, 50))
    assert (scores.label, scores.rejected, scores.node) == ("snap", None, "head")
    assert scores.results[0].label == "snap"
    assert sum(r.confidence for r in scores.results) == pytest.approx(1)
    assert len(scores.results) == 3
    assert len(scores.neighbours) == 5
    assert scores.neighbours[0].label == "snap"
    distances = [n.distance for n in scores.neighbours]
    assert distances == sorted(distances)
    again = one(head(taught(3, 6))[0], vector(1, 50))
    assert again == scores or msgspec.to_builtins(again) == msgspec.to_builtins(scores)


def test_the_order_of_teaching_changes_nothing() -> None:
    forward = one(head(taught(3, 5))[0], vector(2, 9))
    backward = one(head(taught(3, 5)[::-1])[0], vector(2, 9))
    assert msgspec.to_builtins(forward) == msgspec.to_builtins(backward)


def test_a_stranger_is_rejected_with_results() -> None:
    node, _ = head(taught(4, 6))
    scores = one(node, vector(5, 1))
    assert (scores.label, scores.rejected) == (None, "too_far")
    assert len(scores.results) == 4
    node.strictness = 0.0
    assert one(node, vector(5, 1)).label is not None


def test_nothing_taught_is_an_answer_too() -> None:
    node, _ = head()
    scores = one(node, vector(0, 0))
    assert (scores.label, scores.rejected, scores.results) == (None, "too_few_examples", ())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38, 1e16])
def test_what_is_no_number_is_refused_at_every_door(bad: float) -> None:
    node, book = head(taught(2, 4))
    broken = vector(0, 0)
    broken[3] = bad
    assert one(node, broken).rejected == "not_finite"
    if not np.isfinite(np.float32(bad)):
        with pytest.raises(InputError):
            book.add([msgspec.structs.replace(taught(1, 1)[0], id="bad", vector=broken)])
    assert one(node, vector(0, 0), 100).label == "clap"


def test_equal_shares_are_ambiguous() -> None:
    (a,) = taught(1, 1)
    twin = msgspec.structs.replace(a, id="twin", label="twin", take="twin")
    node, _ = head([a, twin])
    assert one(node, vector(0, 0)).rejected == "ambiguous"


def test_one_example_of_one_label_already_recognises() -> None:
    node, _ = head(taught(1, 1))
    assert one(node, vector(0, 0)).label == "clap"
    assert one(node, -vector(0, 0)).rejected == "too_far"


def test_answers_are_numbered_and_ordered_by_end() -> None:
    node, _ = head([*taught(2, 3), *taught(2, 3, "body.upper")])
    made = feed(
        node,
        heard(vector(0, 1), 0, length_us=500_000),
        heard(vector(0, 1), 100_000, space="body.upper"),
        heard(vector(0, 1), 200_000, space="body.upper", subject="2"),
    )
    assert [packet.data.seq for packet in made] == [1, 2, 3]
    ends: dict[str | None, int] = {}
    for packet in made:
        assert packet.data.end_us >= ends.get(packet.data.subject, 0)
        ends[packet.data.subject] = packet.data.end_us


def test_it_keeps_every_promise_of_a_transform() -> None:
    packets = [heard(vector(i % 3, i), i * 1000) for i in range(9)]
    packets += [Packet(9000, Absent("audio", "silence", 9500)), Packet(9600, Gap("late"))]  # type: ignore[list-item]
    made = check_transform(lambda: head(taught(3, 4))[0], packets)
    assert isinstance(made[-1].data, Gap)
    assert isinstance(made[-2].data, Absent)


def test_teaching_forgetting_and_renaming_count_from_the_next_packet() -> None:
    node, book = head(taught(2, 3))
    assert one(node, vector(3, 1), 0).label is None
    ids = book.add([msgspec.structs.replace(e, id=f"n{i}") for i, e in enumerate(taught(4, 3)[9:])])
    assert one(node, vector(3, 1), 100).label == "whistle"
    book.rename_label("whistle", "flute")
    assert one(node, vector(3, 1), 200).label == "flute"
    book.delete(ids)
    assert one(node, vector(3, 1), 300).label is None
    book.delete_label("clap")
    assert {r.label for r in one(node, vector(0, 1), 400).results} == {"snap"}


def test_that_was_wrong_is_believed() -> None:
    node, book = head(taught(3, 5))
    query = vector(0, 40)
    before = one(node, query)
    assert before.label == "clap"
    book.add([msgspec.structs.replace(taught(1, 1)[0], id="no", vector=query, negative=True)])
    after = one(node, query, 100)
    assert after.label != "clap"
    near = [
        next(r.closeness for r in said.results if r.label == "clap") for said in (before, after)
    ]
    assert near[1] < near[0], "the fader falls too"
    assert one(node, vector(0, 2), 200).label == "clap"


def test_only_active_labels_answer() -> None:
    node, book = head(taught(3, 5))
    book.set_settings({"active_labels": ["snap", "hum"]})
    assert {r.label for r in one(node, vector(0, 1)).results} == {"snap", "hum"}
    book.set_settings({"active_labels": []})
    assert len(one(node, vector(0, 1), 100).results) == 3


def test_a_scene_follows_its_labels_without_a_project() -> None:
    node, book = head(taught(3, 4))
    book.set_settings({"active_labels": ["clap", "hum"]})
    book.rename_label("clap", "tap")
    assert {r.label for r in one(node, vector(0, 1)).results} == {"tap", "hum"}
    book.delete_label("hum")
    assert book.setting("active_labels") == ["tap"]


def test_while_locked_nothing_is_learned_again() -> None:
    node, book = head(taught(2, 4))
    one(node, vector(0, 1))
    before = node._memory.state.generation
    book.set_settings({"locked": True})
    book.add([msgspec.structs.replace(taught(1, 1)[0], id="late")])
    one(node, vector(0, 1), 100)
    assert node._memory.state.generation == before
    book.set_settings({"locked": False})
    one(node, vector(0, 1), 200)
    assert node._memory.state.generation > before


def test_vectors_of_another_length_ask_for_reembed() -> None:
    node, book = head(taught(2, 4))
    services = node._services
    assert isinstance(services, FakeServices)
    assert one(node, np.ones(7, np.float32)).rejected == "too_few_examples"
    assert "reembed" in (services.notices[-1] or "")
    book.delete([example.id for example in book.examples()])
    again = msgspec.structs.replace(taught(1, 1)[0], vector=np.ones(7, np.float32))
    book.add([again])
    feed(node, heard(np.ones(7, np.float32), 100))
    assert services.notices[1:] == [None], "it was done"


def test_a_project_is_learned_once_and_remembered(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    from tmstream.head import refit

    with Project.open(tmp_path / "p.tms", create=True) as project:
        project.add(taught(3, 5))
        first = Knn()
        first.open(FakeServices(project))
        said = one(first, vector(1, 60))

        def never(*_: object, **__: object) -> None:
            raise AssertionError("learned again")

        monkeypatch.setattr(refit, "learned", never)
        second = Knn()
        second.open(FakeServices(project))
        assert msgspec.to_builtins(one(second, vector(1, 60))) == msgspec.to_builtins(said)


def test_closeness_is_monotone_and_steady() -> None:
    node, _ = head(taught(3, 6))
    centre, away = vector(0, 0, 0.0), vector(1, 0, 0.0)
    close = [
        {
            r.label: r.closeness
            for r in one(node, centre + (away - centre) * np.float32(s), i).results
        }
        for i, s in enumerate(np.linspace(0, 1, 21))
    ]
    clap = [row["clap"] for row in close]
    assert all(a > b for a, b in pairwise(clap[4:]))  # beyond its own examples
    assert clap[0] > 0.8
    assert clap[-1] < 0.3
    rng = np.random.default_rng(0)
    held = [
        one(node, centre + rng.normal(size=24).astype(np.float32) * 0.1, 1000 + i)
        .results[0]
        .closeness
        for i in range(50)
    ]
    assert np.std(held) < 0.02


@pytest.mark.parametrize(
    ("params", "word"), [({"k": 0}, "k"), ({"strictness": 1.1}, "strictness"),
                         ({"strictness": float("nan")}, "strictness"), ({"within_s": -1}, "within_s")]
)  # fmt: skip
def test_a_wrong_parameter_is_named(params: dict[str, float], word: str) -> None:
    with pytest.raises(ValueError, match=f"^{word}"):
        Knn(**params)  # type: ignore[arg-type]


def test_every_label_is_learnable() -> None:
    node, _ = head(taught(6, 5))
    for i, label in enumerate(LABELS):
        assert one(node, vector(i, 70), i * 100).label == label


def test_what_happened_to_the_project_is_shown_and_only_the_newest(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with Project.open(tmp_path / "p.tms", create=True) as project:
        services, node = FakeServices(project), Knn()
        node.open(services)
        assert services.notices == []
        project._database.notice("a page is damaged")
        project._database.notice("the backup of Monday was restored")
        feed(node, heard(vector(0, 0)), heard(vector(0, 1), 1000))
        assert services.notices == ["the backup of Monday was restored"]
        node.close()


def test_answers_name_their_node() -> None:
    node, services = Knn(), FakeServices()
    node.open(services)
    (said,) = feed(node, heard(vector(0, 0)))
    assert services.node
    assert said.data.node == services.node
    node.close()


def test_a_gap_parts_what_came_before_from_what_comes_after() -> None:
    node, _ = head([*taught(2, 4), *taught(2, 4, "body.upper")])
    for gap, spaces in ((False, {"audio", "body.upper"}), (True, {"body.upper"})):
        feed(node, heard(vector(0, 1), 0))
        if gap:
            feed(node, Packet(100, Gap("late")))  # type: ignore[arg-type]
        (seen,) = feed(node, heard(vector(0, 1), 200, space="body.upper", subject="1"))
        assert set(seen.data.spaces) == spaces


def test_receipts_and_visitors_are_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knn, "KEPT_RECEIPTS", 3)
    node, _ = head(taught(2, 4, "body.upper"))
    for i in range(200):
        feed(node, heard(vector(0, 1), i * 1_000_000, space="body.upper", subject=str(i)))
    assert list(node._receipts) == [198, 199, 200]
    assert len(node._ends) <= 65
