from __future__ import annotations

from typing import Any

from tmstream.broadcast._messages import Messages
from tmstream.core.packet import Absent, Packet, Scores


def absent(end_ms: int, reason: str = "silence", subject: str | None = None) -> Packet[Absent]:
    return Packet(end_ms * 1000, Absent("audio", reason, end_ms * 1000, subject))


def answer(end_ms: int) -> Packet[Scores]:
    return Packet(end_ms * 1000, Scores("a", 1.0, None, (), end_ms * 1000))


def told(*packets: Packet[Any]) -> list[int]:
    messages = Messages()
    return [p.t_us // 1000 for p in packets if messages.of("head", p, 0) is not None]


def test_an_absence_is_told_once_and_then_every_second() -> None:
    assert told(*(absent(10 * i) for i in range(251))) == [0, 1000, 2000]


def test_an_absence_that_comes_by_two_ways_is_told_once() -> None:
    assert told(absent(5), absent(5), absent(5)) == [5]


def test_an_absence_is_told_in_the_name_of_whoever_answers() -> None:
    messages = Messages()
    messages.of("calm", answer(5), 0)
    told = messages.of("events", absent(6), 0)
    assert told is not None
    assert told.key == ("calm", "prediction", None)


def test_another_reason_or_person_is_news() -> None:
    assert told(absent(1), absent(2, "too_dark"), absent(3, "too_dark", "2")) == [1, 2, 3]


def test_after_an_answer_an_absence_is_news_again_unless_it_was_part_of_it() -> None:
    assert told(absent(1), answer(5), absent(5), absent(6)) == [1, 5, 6]
