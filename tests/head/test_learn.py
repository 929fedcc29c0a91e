"""What is learned: safe with little, chosen by what did not teach, limits that lose few."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import numpy as np
import pytest

from tmstream.head.learn import learn
from tmstream.head.lesson import folds, group_of, lesson_of
from tmstream.head.openset import Distances, Limit, area, common_limit, limits_for, widening
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
    assert len(fit.views) in (2, 3)  # nothing to turn by, with one label or one take


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


def far(members: np.ndarray, strangers: np.ndarray, *, wider: float = 1.0) -> float:
    """The limit of two equal labels, and a third that is never taken for one."""
    found = Distances(members, np.arange(len(members)) % 2, strangers)
    limits = limits_for(found, "abc", "audio", wider=wider)
    assert limits["a"].far == pytest.approx(limits["c"].far, rel=0.2)
    return limits["a"].far


def test_a_limit_lies_between_members_and_strangers_who_are_well_apart() -> None:
    members = np.exp(np.linspace(-3, -2, 40))
    apart = far(members, np.full(40, 0.9))
    assert members.max() < apart < 0.9
    assert far(members, np.full(40, 0.5)) < apart
    assert far(members, np.full(40, 0.5), wider=1.3) == pytest.approx(
        1.3 * far(members, np.full(40, 0.5))
    )


def test_limits_are_wider_the_fewer_people_are_known_to_have_taught() -> None:
    assert widening("audio", 1, 50) > widening("audio", 50, 50) > widening("audio", 5, 50) == 1
    assert widening("image", 50, 50) == 1 < widening("image", 1, 50)


def test_strangers_among_the_members_do_not_cost_members() -> None:
    members = np.exp(np.random.default_rng(1).normal(-1, 0.3, 200))
    limit = far(members, members * 0.8)
    assert (members > limit).mean() < 1 / 6
    assert limit == pytest.approx(far(members, members * 0.4))


def test_few_members_get_wider_limits_than_many() -> None:
    many = np.exp(np.random.default_rng(1).normal(-3, 0.2, 400))
    few = np.quantile(many, [0.3, 0.5, 0.7])
    nobody = np.zeros(0)
    assert far(few, nobody) > far(many, nobody)


def test_without_members_the_strangers_say_how_far_and_without_those_what_was_shipped() -> None:
    assert common_limit("audio", np.linspace(0.1, 0.3, 50)).far == pytest.approx(0.22)
    shipped = [common_limit(space, np.zeros(0)).far for space in ("body.full", "audio", "pigeons")]
    assert all(0.2 < limit < 0.6 for limit in shipped)


def test_a_label_that_lies_wider_gets_more_the_more_of_it_is_known() -> None:
    def widest(count: int) -> float:
        members = np.tile([0.1, 0.4], count)
        found = Distances(members, np.tile([0, 1], count), np.full(9, 0.8))
        limits = limits_for(found, "ab", "audio")
        assert limits["a"].far < limits["b"].far
        assert limits["a"].typical < limits["a"].far
        return limits["b"].far / limits["a"].far

    assert 1 < widest(5) < widest(50) < 4


def test_area_is_the_chance_that_a_member_is_nearer() -> None:
    members, strangers = np.array([0.1, 0.2, 0.3]), np.array([0.7, 0.8, 0.9])
    assert area(members, strangers) == 1.0
    assert area(strangers, members) == 0.0
    assert area(members, members) == 0.5


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
