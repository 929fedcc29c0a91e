"""What is learned: safe with little, chosen by what did not teach, limits that lose few."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import numpy as np
import pytest

from tmstream.head import learn as learning
from tmstream.head.learn import MIXTURES, learn
from tmstream.head.lesson import folds, group_of, lesson_of
from tmstream.head.openset import Limit, area, cheapest
from tmstream.head.scratch import Scratch
from tmstream.head.state import decode, encode, fingerprint
from tmstream.store.project import NewExample

from .lessons import taught


def lesson(examples: list[NewExample]):  # type: ignore[no-untyped-def]
    book = Scratch()
    book.add(examples)
    return lesson_of(book.examples())


@pytest.mark.parametrize("labels", [1, 2, 5])
@pytest.mark.parametrize("takes", [1, 2, 5])
def test_it_is_safe_with_next_to_nothing(labels: int, takes: int) -> None:
    fit = learn(lesson(taught(labels, takes)), 5)
    assert len(fit.limits) == labels
    assert all(np.isfinite(limit.far) and limit.far > 0 for limit in fit.limits.values())
    assert 0 < fit.reliability < 1
    assert fit.metric in MIXTURES


def test_identical_examples_are_no_reason_to_fail() -> None:
    (one,) = taught(1, 1)
    same = [msgspec.structs.replace(one, id=f"x{i}", label="ab"[i % 2]) for i in range(6)]
    fit = learn(lesson(same), 5)
    assert all(np.isfinite(view.scale).all() for view in fit.views)


def test_the_same_lesson_teaches_the_same() -> None:
    assert encode(learn(lesson(taught(4, 5)), 5)) == encode(learn(lesson(taught(4, 5)), 5))


def test_a_fit_survives_the_cache_and_rubbish_does_not() -> None:
    fit = learn(lesson(taught(4, 5)), 5)
    again = decode(encode(fit))
    assert again is not None
    assert again.limits == fit.limits
    assert np.array_equal(again.views[0].scale, fit.views[0].scale)
    assert decode(b"rubbish") is None
    assert decode(encode(fit)[:-3]) is None


def test_the_fingerprint_sees_every_change() -> None:
    book = Scratch()
    book.add(taught(2, 2))
    examples = book.examples()
    base = fingerprint(examples, 5)
    assert fingerprint(examples, 4) != base
    for change in ({"label": "x"}, {"take": "x"}, {"person": "x"}, {"negative": True},
                   {"vector": examples[0].vector + 1}, {"groups": {"day": "1"}}):  # fmt: skip
        other = msgspec.structs.replace(examples[0], **change)
        assert fingerprint([other, *examples[1:]], 5) != base
    assert fingerprint(examples[1:], 5) != base


def test_a_metric_is_left_only_for_a_convincing_gain() -> None:
    codes = np.arange(40) % 2
    right = np.where(codes[:, None] == [0, 1], 1.0, 0.0)
    wrong = right[:, ::-1]
    lucky = right.copy()
    lucky[0] = wrong[0]

    def trials(usual: np.ndarray, other: np.ndarray) -> learning.Trials:
        both = {"combination": usual, "none": other}
        return learning.Trials(codes, both, both)

    assert learning.choose_vote(trials(lucky, right), "combination") == "combination"
    assert learning.choose_vote(trials(wrong, right), "combination") == "none"


def test_augmented_examples_belong_to_their_parent_and_are_never_tested() -> None:
    first, *_ = new = taught(2, 3)
    copy = msgspec.structs.replace(first, id="zz", take="other", augmented_from=first.id)
    made = lesson([*new, copy])
    at = made.ids.index("zz")
    parent = made.ids.index(str(first.id))
    assert made.takes[at] == made.takes[parent]
    assert made.groups[at] == made.groups[parent]
    assert not made.original[at]


def test_labels_and_takes_count_alike() -> None:
    few, many = taught(2, 2)[:2], taught(2, 9)[9:]
    long_take = [msgspec.structs.replace(many[0], id=f"f{i}", take="long") for i in range(20)]
    made = lesson([*few, *many, *long_take])
    weights = made.weights
    per_label = np.bincount(made.codes, weights)
    assert per_label[0] == pytest.approx(per_label[1])
    per_take = np.bincount(made.takes[made.codes == 1], weights[made.codes == 1])
    assert per_take[per_take > 0] == pytest.approx(per_take[per_take > 0][0])


def test_folds_never_split_a_group() -> None:
    groups = np.array([0, 0, 1, 2, 2, 2, 3, 4, 4, 5])
    seen = np.zeros(10, dtype=int)
    for fold in folds(groups, 3):
        seen += fold
        assert not set(groups[fold]) & set(groups[~fold])
    assert seen.tolist() == [1] * 10
    assert list(folds(np.zeros(4, dtype=int), 3)) == []


def test_the_person_is_the_group_and_the_take_where_nothing_is_said() -> None:
    book = Scratch()
    (one,) = taught(1, 1)
    book.add([
        one,
        msgspec.structs.replace(one, id="b", person="ann"),
        msgspec.structs.replace(one, id="c", groups={"speaker": "s7", "zzz": "1"}),
    ])  # fmt: skip
    plain, person, speaker = book.examples()
    assert group_of(plain) == "take clap 0"
    assert group_of(person) == "person ann"
    assert group_of(speaker) == "speaker s7"
    assert group_of(speaker, "zzz") == "1"


def test_limits_widen_and_narrow_with_strictness_without_a_jump() -> None:
    limit = Limit(0.3, 0.6)
    reach = [limit.at(s) for s in np.linspace(0, 1, 101)]
    assert reach[0] == 2.0
    assert reach[50] == pytest.approx(0.6)
    assert reach[-1] == pytest.approx(0.3)
    assert all(0 <= a - b < 0.1 for a, b in pairwise(reach))


def test_closeness_falls_with_distance_from_one() -> None:
    values = [Limit(0.3, 0.6).closeness(d) for d in np.linspace(0, 2, 50)]
    assert values[0] == 1.0
    assert all(a > b > 0 for a, b in pairwise(values))
    assert Limit(0.3, 0.6).closeness(0.6) == pytest.approx(0.5)


def test_the_cheapest_limit_parts_what_can_be_parted() -> None:
    members, strangers = np.array([0.1, 0.2, 0.3]), np.array([0.7, 0.8, 0.9])
    assert 0.3 < cheapest(members, strangers) < 0.9
    assert cheapest(members, strangers * 10) == pytest.approx(
        2.0 * 0.29
    )  # room, but not without end
    assert area(members, strangers) == 1.0
    assert area(strangers, members) == 0.0
    assert area(members, members) == 0.5


def test_losing_a_member_costs_more_than_a_stranger() -> None:
    members = np.linspace(0.1, 0.8, 50)
    strangers = np.linspace(0.5, 1.2, 50)
    limit = cheapest(members, strangers)
    assert (members > limit).mean() < 0.05


def test_strangers_are_told_apart_out_of_the_box() -> None:
    """Five examples a label, of two people: labels never taught are turned away, members are not."""
    from tmstream.head.judge import Answers

    every = lesson(taught(6, 12, people=4))
    known = every.codes < 4
    first = every.groups < 2
    part = every.part(known & first)
    fit = learn(part, 5)
    members = Answers(fit, part, every.vectors[known & ~first], 5, 0.5)
    strangers = Answers(fit, part, every.vectors[~known], 5, 0.5)
    assert (members.label == every.codes[known & ~first]).mean() > 0.95
    assert (strangers.label < 0).mean() > 0.9
