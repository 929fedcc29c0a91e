"""Several spaces, one answer: who is heard, who abstains, and for whom."""

from __future__ import annotations

import msgspec
import pytest

from tmstream.core.packet import Absent, Gap
from tmstream.head.fuse import Recent, Rule, fuse, pooled
from tmstream.head.verdict import Opinion, Verdict


def says(
    space: str, shares: dict[str, float], *, subject: str | None = None, accepted: bool = True,
    t_us: int = 0, end_us: int = 10, reliability: float = 0.8,
) -> Verdict:  # fmt: skip
    opinions = tuple(
        Opinion(label, share, share, accepted)
        for label, share in sorted(shares.items(), key=lambda item: -item[1])
    )
    label = opinions[0].label if opinions and accepted else None
    return Verdict(space, subject, t_us, end_us, opinions, label,
                   None if label else "too_far", reliability)  # fmt: skip


CLAP = says("audio", {"clap": 0.8, "wave": 0.2})
WAVE = says("body.upper", {"wave": 0.9, "clap": 0.1}, subject="1")


@pytest.mark.parametrize("rule", ["any", "all", "mean"])
def test_one_space_alone_is_repeated_exactly(rule: str) -> None:
    answer = fuse([CLAP], rule)  # type: ignore[arg-type]
    assert (answer.label, answer.rejected, answer.spaces) == ("clap", None, ("audio",))
    assert [(r.label, pytest.approx(r.confidence)) for r in answer.results] == [
        ("clap", 0.8), ("wave", 0.2)]  # fmt: skip


@pytest.mark.parametrize("rule", ["any", "all", "mean"])
def test_confidences_sum_to_one_and_every_label_is_there(rule: str) -> None:
    for verdicts in ([CLAP, WAVE], [CLAP, says("image", {"x": 1.0})], [WAVE, CLAP]):
        answer = fuse(verdicts, rule)  # type: ignore[arg-type]
        assert sum(one.confidence for one in answer.results) == pytest.approx(1)
        known = {one.label for verdict in verdicts for one in verdict.opinions}
        assert {one.label for one in answer.results} == known


def test_any_takes_the_strongest_space_that_accepts() -> None:
    assert fuse([CLAP, WAVE], "any").label == "wave"
    turned_away = says("body.upper", {"wave": 0.99, "clap": 0.01}, accepted=False)
    answer = fuse([CLAP, turned_away], "any")
    assert answer.label == "clap"
    assert answer.results[0].label == "clap"


def test_all_wants_every_space_that_knows_the_label() -> None:
    assert fuse([CLAP, WAVE], "all").label is None
    both = says("body.upper", {"clap": 0.7, "wave": 0.3}, subject="1")
    assert fuse([CLAP, both], "all").label == "clap"
    elsewhere = says("image", {"cat": 0.9, "dog": 0.1})
    assert fuse([CLAP, elsewhere], "all").label in ("clap", "cat")


def test_mean_listens_to_the_more_reliable() -> None:
    sure = says("audio", {"clap": 0.7, "wave": 0.3}, reliability=0.95)
    unsure = says("body.upper", {"wave": 0.8, "clap": 0.2}, reliability=0.3)
    assert fuse([sure, unsure], "mean").label == "clap"
    assert fuse([CLAP, WAVE], "mean").label == "wave"


def test_a_rejection_by_all_is_a_rejection_with_results() -> None:
    answer = fuse([says("audio", {"clap": 0.6, "hum": 0.4}, accepted=False)], "any")
    assert (answer.label, answer.rejected) == (None, "too_far")
    assert [one.label for one in answer.results] == ["clap", "hum"]


def test_two_looks_at_one_frame_are_pooled_by_trust() -> None:
    upper = says("body.upper", {"up": 0.6, "down": 0.4}, subject="1", reliability=0.55)
    whole = says("body.full", {"down": 0.7, "up": 0.3}, subject="1", reliability=0.95)
    together = pooled([upper, whole])
    assert together.label == "down"
    assert sum(one.confidence for one in together.opinions) == pytest.approx(1)
    assert fuse([upper, whole], "any").label == "down"
    assert pooled([whole, upper]).opinions == together.opinions


def test_who_was_silent_abstains() -> None:
    recent = Recent(1.0)
    recent.keep(CLAP)
    recent.silence(Absent("audio", "silence", 0))
    assert recent.companies(WAVE) == [("1", [WAVE])]
    recent.keep(WAVE)
    recent.silence(Absent("body", "no_person", 0, "2"))
    assert len(list(recent.fresh(0, 10))) == 1
    recent.silence(Absent("body", "no_person", 0, "1"))
    assert not list(recent.fresh(0, 10))


def test_spans_are_compared_not_arrivals() -> None:
    recent = Recent(0.5)
    recent.keep(says("body.upper", {"clap": 1.0}, subject="1", t_us=0, end_us=100_000))
    near = says("audio", {"clap": 1.0}, t_us=500_000, end_us=900_000)
    late = says("audio", {"clap": 1.0}, t_us=700_000, end_us=900_000)
    assert [who for who, _ in recent.companies(near)] == ["1"]
    assert [who for who, _ in recent.companies(late)] == [None]


def test_a_sound_speaks_for_everybody_who_could_have_made_it() -> None:
    recent = Recent(1.0)
    for who in ("1", "2"):
        recent.keep(says("body.upper", {"clap": 0.4, "wave": 0.6}, subject=who))
    assert [who for who, _ in recent.companies(CLAP)] == ["1", "2"]
    whistle = says("audio", {"whistle": 0.9, "clap": 0.1})
    assert [who for who, _ in recent.companies(whistle)] == [None]
    nobody = says("audio", {"clap": 0.9}, accepted=False)
    assert [who for who, _ in recent.companies(nobody)] == [None]


def test_whoever_left_is_forgotten() -> None:
    recent = Recent(60.0)
    recent.keep(WAVE)
    recent.keep(says("audio", {"clap": 1.0}, t_us=6_000_000, end_us=6_000_010))
    assert [one.space for one in recent.fresh(0, 10**9)] == ["audio"]
    recent.cut(Gap("stall"))
    assert not list(recent.fresh(0, 10**9))


def test_a_gap_of_one_source_leaves_what_the_other_said() -> None:
    recent = Recent(60.0)
    recent.keep(msgspec.structs.replace(WAVE, source="cam"))
    recent.keep(msgspec.structs.replace(CLAP, source="mic"))
    recent.cut(Gap("cable out", "cam"))
    assert [one.space for one in recent.fresh(0, 10**9)] == ["audio"]
    recent.silence(Absent("audio", "silence", 20, source="another mic"))
    assert list(recent.fresh(0, 10**9))
    recent.silence(Absent("audio", "silence", 20, source="mic"))
    assert not list(recent.fresh(0, 10**9))


@pytest.mark.parametrize("rule", ["any", "all", "mean"])
def test_what_one_space_rejects_no_rule_lets_in(rule: Rule) -> None:
    opinions = (Opinion("clap", 0.9, 0.1, False), Opinion("wave", 0.1, 0.6, True))
    stranger = Verdict("audio", None, 0, 10, opinions, None, "too_far", 0.8)
    answer = fuse([stranger], rule)
    assert (answer.label, answer.rejected) == (None, "too_far")


def test_the_mean_is_won_by_the_best_of_it_or_by_nobody() -> None:
    far = (Opinion("clap", 0.8, 0.1, False), Opinion("wave", 0.2, 0.6, True))
    seen = Verdict("body.upper", "1", 0, 10, far, None, "too_far", 0.8)
    heard = Verdict("audio", None, 0, 10, far, None, "too_far", 0.8)
    assert fuse([seen, heard], "mean").label is None
    wrong = (Opinion("clap", 0.8, 0.1, False, True), far[1])
    seen, heard = (msgspec.structs.replace(one, opinions=wrong) for one in (seen, heard))
    assert fuse([seen, heard], "mean").label == "wave"


def test_what_two_looks_at_a_body_know_to_be_wrong_is_passed_over_by_both() -> None:
    marked = (Opinion("bow", 0.6, 0.6, False, True), Opinion("wave", 0.4, 0.6, True))
    upper, full = (
        Verdict(space, "1", 0, 10, marked, "wave", None, 0.9)
        for space in ("body.upper", "body.full")
    )
    assert fuse([upper], "any").label == fuse([upper, full], "any").label == "wave"
    unknown = (msgspec.structs.replace(marked[0], blocked=False), marked[1])
    full = msgspec.structs.replace(full, opinions=unknown, label=None, rejected="too_far")
    assert fuse([upper, full], "any").label is None


@pytest.mark.parametrize(("gap_us", "joined"), [(500_000, True), (500_001, False)])
def test_evidence_as_far_apart_as_within_s_belongs_together(gap_us: int, joined: bool) -> None:
    recent = Recent(0.5)
    recent.keep(says("audio", {"clap": 0.8}, end_us=10))
    later = says("body.upper", {"clap": 0.8}, subject="1", t_us=10 + gap_us, end_us=20 + gap_us)
    recent.keep(later)
    ((_, verdicts),) = recent.companies(later)
    assert len(verdicts) == 1 + joined


def test_a_clearly_better_look_outweighs_three_that_make_the_same_mistake() -> None:
    worse = [says(f"body.{i}", {"wave": 0.6, "bow": 0.4}, accepted=False) for i in range(3)]
    better = says("body.upper", {"wave": 0.6, "bow": 0.4}, reliability=0.9)
    assert pooled([better, *worse]).label == "wave"
