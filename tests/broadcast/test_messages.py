from __future__ import annotations

from typing import Any

from tmstream.broadcast._messages import Messages
from tmstream.core.packet import Absent, Packet, Scores


def absent(
    end_ms: int, reason: str = "silence", subject: str | None = None, space: str = "audio"
) -> Packet[Absent]:
    return Packet(end_ms * 1000, Absent(space, reason, end_ms * 1000, subject))


def answer(end_ms: int, *spaces: str, source: str = "") -> Packet[Scores]:
    said = Scores("a", 1.0, None, (), end_ms * 1000, spaces=spaces or ("audio",), source=source)
    return Packet(end_ms * 1000, said)


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


def test_an_empty_picture_is_no_news_while_a_sound_is_answered() -> None:
    def nobody(end_ms: int) -> Packet[Absent]:
        return absent(end_ms, "no_person", space="body")

    hum = [answer(240, "audio", "body.upper"), nobody(250), answer(480), nobody(500)]
    assert told(nobody(0), *hum, absent(600), nobody(700), nobody(1470), nobody(1480)) == [
        0, 240, 480, 600, 1480,
    ]  # fmt: skip


def test_each_head_tells_what_is_absent_to_its_own_sense() -> None:
    messages = Messages()
    messages.of("ears", answer(5), 0)
    messages.of("eyes", answer(6, "body.upper"), 0)
    for space, wanted in (("audio", "ears"), ("body", "eyes"), ("hand", "eyes")):
        told = messages.of("events", absent(2000, space=space), 0)
        assert told is not None
        assert told.key == (wanted, "prediction", None)


def test_silence_at_another_microphone_is_no_news_either() -> None:
    def silent(end_ms: int, mic: str) -> Packet[Absent]:
        return Packet(0, Absent("audio", "silence", end_ms * 1000, source=mic))

    messages = Messages()
    messages.of("head", answer(240, source="a"), 0)
    assert messages.of("head", silent(300, "b"), 0) is None
    assert messages.of("head", silent(300, "a"), 0) is not None
