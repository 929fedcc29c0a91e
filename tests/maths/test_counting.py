"""Samples are counted; a source that is slewed is followed, one that jumps is another stream."""

from __future__ import annotations

from tmstream.maths.counting import APART_US, SampleCount


def test_the_count_tells_and_not_the_rounding_of_stamps() -> None:
    count = SampleCount(1_000_000, 147, 44100)
    for block in range(1, 10_000):
        assert count.take(1_000_000 + round(block * 147e6 / 44100) + block % 3 - 1, 147, 44100)
    assert count.at_us(0) == 1_000_000
    assert count.at_us(44100) == 2_000_000


def test_a_source_that_is_slewed_is_followed_for_hours() -> None:
    count, t_us = SampleCount(0, 16000, 16000), 0
    for second in range(1, 7200):
        t_us += 1_000_060
        assert count.take(t_us, 16000, 16000)
        assert abs(count.at_us(second * 16000) - t_us) < 1000


def test_what_does_not_follow_is_not_counted() -> None:
    count = SampleCount(0, 160, 16000)
    assert not count.take(10_000, 160, 8000)
    for wrong_us in (10_001 + APART_US, 9_999 - APART_US):
        assert not count.take(round(wrong_us), 160, 16000)
    assert count.take(10_000, 160, 16000)
    assert count.take(20_000, 160, 16000)
