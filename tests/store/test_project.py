"""What a project keeps, and what it refuses."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from tmstream.core.errors import InputError, Locked, StoreError
from tmstream.store import cache, records
from tmstream.store import project as project_module
from tmstream.store.batch import one_step
from tmstream.store.project import Change, Clip, NewExample, Project

New = Callable[..., NewExample]


def test_what_was_added_is_there_after_reopening(project: Project, example: New) -> None:
    vector = np.array([1.5, -2.0, 3e-9, 7.0], np.float32)
    (known,) = project.add(
        [
            NewExample(
                "cláp",
                "audio",
                vector,
                "take 1",
                person="Ada",
                groups={"room": "hall"},
                source="mic",
                t_us=5,
                end_us=9,
                phase="final",
                clip=Clip(b"fLaC...", "audio/flac"),
                negative=False,
            )
        ]
    )
    project.close()
    with Project.open(project.path) as again:
        (stored,) = again.examples()
        assert stored.id == known
        assert stored.vector.dtype == np.float32
        assert np.array_equal(stored.vector, vector)
        assert (stored.label, stored.space, stored.take) == ("cláp", "audio", "take 1")
        assert (stored.person, stored.groups, stored.source) == ("Ada", {"room": "hall"}, "mic")
        assert (stored.t_us, stored.end_us, stored.phase) == (5, 9, "final")
        assert stored.has_clip
        assert abs(stored.created_us - time.time_ns() // 1000) < 60_000_000
        assert again.clip(known) == Clip(b"fLaC...", "audio/flac")
        assert again.spaces() == {"audio": 4}
        assert not again.created


def test_labels_are_compared_after_nfc(project: Project, example: New) -> None:
    project.add([example("cafe\u0301"), example("caf\u00e9")])
    assert project.labels() == ["caf\u00e9"]
    assert len(project.examples(label="cafe\u0301")) == 2
    project.rename_label("cafe\u0301", "tea")
    assert project.labels() == ["tea"]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_a_vector_that_is_not_finite_is_refused(project: Project, bad: float) -> None:
    vector = np.array([0.0, bad, 0.0, 0.0], np.float64)
    with pytest.raises(InputError, match="NaN or infinity"):
        project.add([NewExample("clap", "audio", vector, "t")])  # type: ignore[arg-type]
    assert project.examples() == []


@pytest.mark.parametrize(
    "vector", [np.zeros((2, 2)), np.zeros(0), np.array(["a"]), np.zeros(3, complex), np.float32(1)]
)
def test_what_is_no_vector_is_refused(project: Project, vector: np.ndarray) -> None:
    with pytest.raises(InputError, match="one row of numbers"):
        project.add([NewExample("clap", "audio", vector, "t")])


def test_a_space_keeps_one_dimension(project: Project, example: New) -> None:
    project.add([example(d=4)])
    with pytest.raises(InputError, match="has 5 numbers, but the project's have 4"):
        project.add([example(), example(d=5)])
    with pytest.raises(InputError, match="numbers"):
        project.add([example(space="hand", d=2), example(space="hand", d=3)])
    project.add([example(space="hand", d=5)])
    assert project.spaces() == {"audio": 4, "hand": 5}
    assert len(project.examples()) == 2


def test_another_embedder_replaces_a_whole_space(project: Project, example: New) -> None:
    project.add([example("clap"), example("snap"), example("wave", space="hand")])
    project.replace("audio", [example("clap", d=7), example("snap", d=7)])
    assert project.spaces() == {"audio": 7, "hand": 4}
    project.undo()
    assert project.spaces() == {"audio": 4, "hand": 4}


@pytest.mark.parametrize("text", ["", "  ", "a\x00b", "a\nb", "x" * 501, "\ud800"])
def test_texts_that_cannot_be_kept_are_refused(project: Project, example: New, text: str) -> None:
    with pytest.raises(InputError):
        project.add([example(text)])
    with pytest.raises(InputError):
        project.add([example(take=text)])
    with pytest.raises(InputError):
        project.snapshot(text)


def test_the_same_id_twice_is_one_example(project: Project, example: New) -> None:
    assert project.add([example(id="one"), example(id="one")]) == ["one", "one"]
    assert project.add([example("other", id="one")]) == ["one"]
    assert [stored.label for stored in project.examples()] == ["clap"]
    project.delete(["one"])
    project.add([example(id="one")])
    assert project.examples() == [], "a late retry must not bring back what was deleted"


def test_unknown_names_are_refused(project: Project, example: New) -> None:
    project.add([example()])
    for attempt in (
        lambda: project.delete(["nobody"]),
        lambda: project.relabel(["nobody"], "a"),
        lambda: project.rename_label("nobody", "a"),
        lambda: project.delete_label("nobody"),
        lambda: project.restore("nobody"),
        lambda: project.add([example(id="../../etc/passwd")]),
        lambda: project.add([example(phase="late")]),
        lambda: project.add([example(clip=Clip(b"x", "text/html"))]),
        lambda: project.add(
            [example(clip=Clip(b"x" * (records.MAX_CLIP_BYTES + 1), "audio/flac"))]
        ),
        lambda: project.set_settings({"a": float("nan")}),
        lambda: project.set_settings({"a": object()}),
    ):
        with pytest.raises(InputError):
            attempt()
    assert len(project.examples()) == 1
    assert project.settings() == {}


def test_subscribers_hear_before_the_call_returns(project: Project, example: New) -> None:
    heard: list[Change] = []
    project.subscribe(lambda change: heard.append(change))
    project.subscribe(lambda change: project.examples() and None)
    ids = project.add([example(), example()])
    project.relabel(ids[:1], "snap")
    project.delete(ids[1:])
    project.set_settings({"locked": True, "strictness": 1})
    project.undo()
    assert [one.id for one in heard[0].added] == ids
    assert heard[1].relabelled == {ids[0]: "snap"}
    assert heard[2].removed == (ids[1],)
    assert heard[3].settings == {"locked": True, "strictness": 1}
    assert heard[4].settings == {"strictness": None}


def test_a_subscriber_may_fail_but_not_write(
    project: Project, example: New, caplog: pytest.LogCaptureFixture
) -> None:
    project.subscribe(lambda change: project.delete_label("clap"))
    project.add([example()])
    assert "must not change it" in caplog.text
    assert project.labels() == ["clap"]


def test_recording_stops_before_the_disk_is_full(
    project: Project, example: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    (known,) = project.add([example()])
    monkeypatch.setattr(project_module, "MIN_FREE_BYTES", 2**62)
    with pytest.raises(StoreError, match=r"MB are free.*predicting goes on"):
        project.add([example()])
    project.relabel([known], "snap")
    assert project.labels() == ["snap"]


def test_a_huge_project_keeps_no_more_clips(
    project: Project, example: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project_module, "MAX_CLIPS_FILE_BYTES", 0)
    (known,) = project.add([example(clip=Clip(b"x", "audio/flac"))])
    assert project.clip(known) is None
    assert any("full of clips" in notice for notice in project.notices)


def test_examples_of_one_take_share_their_clip(project: Project, example: New) -> None:
    clip = Clip(b"x" * 50_000, "audio/flac")
    project.add([example(clip=clip) for _ in range(20)])
    assert project.info()["clips"] == 1


def test_the_cache_forgets_the_oldest(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_BYTES", 1000)
    for number in range(20):
        project.put_cache(f"head {number}", bytes([number]) * 100)
    project.put_cache("head 12", b"again" * 20)
    kept = [n for n in range(20) if project.cache(f"head {n}") is not None]
    assert kept == [10, 11, 12, 13, 14, 15, 16, 17, 18, 19]
    assert project.cache("head 12") == b"again" * 20
    assert project.info()["journal_steps"] == 0


def test_the_package_imports_no_heavy_library() -> None:
    code = (
        "import sys, tmstream.store.project, tmstream.store.history, tmstream.store.exchange;"
        "print([m for m in ('cv2', 'soundfile', 'sklearn', 'librosa') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_setting_is_told_while_all_examples_are_read(project: Project, example: New) -> None:
    project.set_settings({"locked": True})
    reading, done = threading.Event(), threading.Event()

    def long_look(db: sqlite3.Connection) -> None:
        reading.set()
        assert done.wait(20)

    reader = threading.Thread(target=lambda: project._database.read(long_look, slow=True))
    reader.start()
    assert reading.wait(5)
    finish = threading.Timer(10, done.set)  # only if what follows has to wait for it
    finish.start()
    assert project.setting("locked") is True
    assert project.count() == 0
    assert not done.is_set()
    finish.cancel()
    done.set()
    reader.join()


def test_a_label_known_only_by_what_it_is_not_is_none(project: Project, example: New) -> None:
    project.add([example("clap", id="yes"), example("clap", "body", d=9)])
    project.add([example("snap", negative=True), example("clap", negative=True)])
    project.add([example("snap", "body", d=9, id="seen")])
    assert project.labels() == ["clap", "snap"]
    project.delete(["seen", "yes"])
    assert project.labels() == ["clap"]


def test_what_is_told_is_about_living_examples(project: Project, example: New) -> None:
    told: list[Change] = []
    project.add([example(id="here"), example(id="gone")])
    project.delete(["gone"])
    project.subscribe(told.append)
    project.relabel(["here", "gone"], "snap")
    assert told[-1].relabelled == {"here": "snap"}
    project.add([example(id="here")], settings={"pipeline": "sound"})
    assert project.settings() == {}, "nothing was added, so nothing is kept with it"


def test_what_was_augmented_goes_where_its_parent_goes(project: Project, example: New) -> None:
    project.add([example(id="a"), example("snap", id="b"), example("wave", id="lone")])
    project.add(
        [example(augmented_from="a", id="a1"), example("snap", augmented_from="b", id="b1")]
    )
    project.add([example(augmented_from="a1", id="a2")])
    heard: list[Change] = []
    project.subscribe(heard.append)

    def labels() -> dict[str, str]:
        return {one.id: one.label for one in project.examples()}

    before = labels()
    project.delete(["a"])
    assert set(heard[-1].removed) == {"a", "a1", "a2"}
    assert labels() == {"b": "snap", "b1": "snap", "lone": "wave"}
    assert project.undo() == "deleted 3 examples"
    assert labels() == before
    project.delete(["a1"])
    assert labels().keys() == before.keys() - {"a1", "a2"}, "a variant may go alone"
    project.relabel(["a", "b"], "tap")
    assert labels() == {"a": "tap", "b": "tap", "b1": "tap", "lone": "wave"}
    assert heard[-1].relabelled == {"a": "tap", "b": "tap", "b1": "tap"}
    project.undo()
    project.undo()
    assert labels() == before


def test_who_makes_the_same_variants_comes_too_late(project: Project, example: New) -> None:
    def made(name: str) -> list[NewExample]:
        return [example(augmented_from="a", id=f"{name}{i}") for i in range(2)]

    project.add([example(id="a")])
    assert project.add(made("first")) == ["first0", "first1"]
    with Project.open(project.path) as other:
        assert other.add(made("second")) == []
    project.delete(["first0", "first1"])
    assert project.add(made("third")) == ["third0", "third1"]


def test_a_show_that_begins_ends_what_heeds_it(project: Project, example: New) -> None:
    with Project.open(project.path) as command:
        command.heed_lock()

        def teach() -> None:
            with one_step(command) as batch:
                command.add([example(id="a")], batch=batch)
                project.set_settings({"locked": True})
                command.add([example(id="b")], batch=batch)

        with pytest.raises(Locked, match="locked for the show"):
            teach()
        assert project.examples() == [], "not half of it either"
        with pytest.raises(Locked):
            command.undo()
    project.add([example()])


@pytest.mark.parametrize("how", ["deleted", "erased", "moved", "renamed", "undone"])
def test_a_variant_does_not_bring_back_what_was_taken_away_while_it_was_made(
    project: Project, example: New, how: str
) -> None:
    project.add([example("snap", id="other"), example("snap", augmented_from="other", id="kept")])
    project.add([example(person="Ada", id="a")])
    made = [example(person="Ada", augmented_from="a", id="a1"),
            example(augmented_from="a1", id="a2"), example("snap", augmented_from="kept", id="k2")]  # fmt: skip
    match how:
        case "deleted":
            project.delete(["a"])
        case "erased":
            project.erase(person="Ada")
        case "moved":
            project.relabel(["a"], "snap")
        case "renamed":
            project.rename_label("clap", "tap")
        case "undone":
            project.undo()
    before = {one.id for one in project.examples()}
    assert project.add(made) == ["k2"]
    assert {one.id for one in project.examples()} == before | {"k2"}
    assert project.labels() == (["snap", "tap"] if how == "renamed" else ["snap"])
