"""What can be taken back and done again, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tmstream.core.errors import InputError
from tmstream.store import journal
from tmstream.store.batch import one_step
from tmstream.store.patch import Patch
from tmstream.store.project import NewExample, Project

New = Callable[..., NewExample]


def test_undo_and_redo_say_what_they_did(project: Project, example: New) -> None:
    project.add([example(), example("snap")])
    project.set_settings({"strictness": 0.5, "active_labels": ["clap", "snap"]})
    project.rename_label("clap", "snap")
    assert project.setting("active_labels") == ["snap"]
    assert project.undo() == 'merged "clap" into "snap"'
    assert project.setting("active_labels") == ["clap", "snap"]
    assert project.undo() == "set active_labels, strictness"
    assert project.setting("strictness", 0.1) == 0.1
    assert project.undo() == 'added 2 examples of "clap", "snap"'
    with pytest.raises(InputError, match="nothing to undo"):
        project.undo()
    assert project.redo() == 'added 2 examples of "clap", "snap"'
    project.add([example("new")])
    with pytest.raises(InputError, match="nothing to redo"):
        project.redo()


def test_undo_redo_and_restore_leave_the_lock_alone(project: Project, example: New) -> None:
    project.add([example()])
    project.snapshot("one")
    project.add([example("snap")])
    project.set_settings({"locked": True})
    project.set_settings({"locked": False})
    assert project.undo() == 'added 1 example of "snap"'
    assert project.setting("locked") is False
    project.set_settings({"locked": True})
    assert project.redo() == 'added 1 example of "snap"'  # a lock ends no future
    project.restore("one")
    assert project.setting("locked") is True
    assert project.labels() == ["clap"]


def test_a_lock_that_an_older_version_journalled_is_passed_over(
    project: Project, example: New
) -> None:
    def locked(value: bool) -> None:
        patch = Patch(settings={"locked": value})
        project._database.change(lambda db: (None, journal.record(db, "set", "set locked", patch)))

    project.snapshot("empty")
    project.add([example()])
    locked(True)
    locked(False)
    assert project.undo() == 'added 1 example of "clap"'
    assert project.setting("locked") is False
    project.redo()
    locked(True)
    project.restore("empty")
    assert project.setting("locked") is True


def test_settings_kept_with_examples_are_undone_with_them(project: Project, example: New) -> None:
    project.add([example()], settings={"space:audio": "model 1"})
    assert project.setting("space:audio") == "model 1"
    assert project.undo() == 'added 1 example of "clap"'
    assert project.settings() == {}
    project.redo()
    assert project.setting("space:audio") == "model 1"


def test_a_batch_is_undone_as_one(project: Project, example: New) -> None:
    project.add([example("before")])
    for _ in range(3):
        project.add([example("clap")], batch="session 1")
    project.add([example("snap")], batch="session 2")
    project.undo()
    assert project.labels() == ["before", "clap"]
    assert project.undo() == 'added 3 examples of "clap"'
    assert project.labels() == ["before"]
    assert project.redo() == 'added 3 examples of "clap"'
    assert len(project.examples(label="clap")) == 3
    project.redo()
    assert project.labels() == ["before", "clap", "snap"]


@pytest.mark.parametrize(
    "how", ["undone", "undone before it began", "restored", "redone", "beside"]
)
def test_what_was_undone_is_not_gone_on_with(project: Project, example: New, how: str) -> None:
    project.snapshot("empty")
    project.add([example("before")])
    since = project.step()
    if how != "undone before it began":
        project.add([example(id="one")], batch="making", since=since)
    if how == "beside":
        project.add([example("snap")])
    if how == "restored":
        project.restore("empty")
    else:
        project.undo()
    if how == "redone":
        project.redo()
    before = project.labels()
    if how in ("redone", "beside"):
        assert project.add([example(id="two")], batch="making", since=since) == ["two"]
    else:
        with pytest.raises(InputError, match="undone meanwhile"):
            project.add([example(id="two")], batch="making", since=since)
        assert project.labels() == before
        assert project.add([example(id="two")], batch="another") == ["two"]


def test_a_batch_of_several_kinds_says_how_many_steps_it_was(
    project: Project, example: New
) -> None:
    project.set_settings({"pipeline": "sound"}, batch="one")
    project.add([example("clap"), example("snap")], batch="one")
    assert project.undo() == 'added 2 examples of "clap", "snap"'
    assert project.settings() == {}
    project.redo()
    project.set_settings({"pipeline": "mine"}, batch="one")
    assert project.undo() == "3 steps, the last: set pipeline"
    assert project.redo() == "3 steps, the last: set pipeline"


def test_a_step_that_changes_nothing_leaves_no_trace(project: Project, example: New) -> None:
    (known,) = project.add([example()])
    project.relabel([known], "clap")
    project.set_settings({"locked": None})
    project.add([])
    assert project.info()["journal_steps"] == 1


def test_a_snapshots_name_is_taken_once(project: Project) -> None:
    project.snapshot("evening")
    with pytest.raises(InputError, match="already"):
        project.snapshot("evening")
    assert [one.name for one in project.snapshots()] == ["evening"]


def test_what_is_left_unfinished_is_taken_back(project: Project, example: New) -> None:
    def unfinished() -> None:
        with one_step(project) as batch:
            project.add([example("snap")], batch=batch)
            project.set_settings({"strictness": 0.5}, batch=batch)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unfinished()
    assert not project.examples()
    assert project.setting("strictness") is None
    project.add([example()])
    with pytest.raises(KeyboardInterrupt), one_step(project):
        raise KeyboardInterrupt
    assert project.labels() == ["clap"], "nothing of it was begun, and nothing else is taken back"


def test_nobody_elses_step_is_taken_back(project: Project, example: New) -> None:
    with pytest.raises(ZeroDivisionError), one_step(project) as batch:  # noqa: PT012
        project.add([example()], batch=batch)
        project.add([example("snap")])
        raise ZeroDivisionError
    assert project.labels() == ["clap", "snap"]
