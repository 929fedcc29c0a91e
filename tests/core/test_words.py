"""One is told apart from many."""

from __future__ import annotations

import pytest

from tmstream.core.words import counted, nearest


@pytest.mark.parametrize(
    ("count", "told"), [(0, "0 takes"), (1, "1 take"), (2, "2 takes"), (21, "21 takes")]
)
def test_one_is_not_many(count: int, told: str) -> None:
    assert counted(count, "take") == told


def test_what_is_many_in_another_way() -> None:
    assert [counted(count, "person", "people") for count in (1, 2)] == ["1 person", "2 people"]


def test_the_nearest_name_is_offered_if_one_is_near() -> None:
    assert nearest("clop", ["hum", "clap"]) == "; did you mean 'clap'?"
    assert nearest("zzz", ["hum", "clap"]) == ""
