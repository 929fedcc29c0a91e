from __future__ import annotations

import json
import math
import typing
from typing import Any

import msgspec
import numpy as np
import pytest

from tmstream.core import messages as m
from tmstream.core.packet import (
    Absent,
    Audio,
    Event,
    Features,
    Landmarks,
    Ledger,
    NodeStatus,
    Packet,
    Presence,
    Result,
    Scores,
    Status,
)
from tmstream.server.encode import dump, encode, encode_status, simulated
from tmstream.server.schema import message_schema

LEDGER = Ledger(captured_us=1_020_000, embedded_us=1_030_000, scored_us=1_031_500)


def scores(confidence: float = 0.8) -> Scores:
    results = (Result("clap", confidence, 0.9), Result("snap", 1 - confidence, 0.2))
    return Scores(
        "clap",
        confidence,
        None,
        results,
        1_000_000,
        seq=4,
        spaces=("audio",),
        phase="final",
        take=2,
    )


def sent(payload: Any, t_us: int = 400_000, ledger: Ledger | None = LEDGER) -> dict[str, Any]:
    data = encode("head", Packet(t_us, payload, ledger), 1_050_000).data
    return json.loads(data, parse_constant=lambda name: pytest.fail(f"{name} on the wire"))


def test_a_prediction_carries_its_ledger() -> None:
    assert sent(scores()) == {
        "type": "prediction", "node": "head", "t_us": 400_000, "end_us": 1_000_000, "seq": 4,
        "subject": None, "label": "clap", "confidence": 0.8, "rejected": None,
        "results": [
            {"label": "clap", "confidence": 0.8, "closeness": 0.9},
            {"label": "snap", "confidence": pytest.approx(0.2), "closeness": 0.2},
        ],
        "latency": {
            "onset_us": 650_000, "capture_us": 20_000, "embed_us": 10_000, "head_us": 1_500,
            "total_us": 50_000,
        },
        "phase": "final", "spaces": ["audio"],
    }  # fmt: skip


@pytest.mark.parametrize(
    "ledger",
    [
        LEDGER,
        Ledger(990_000, 1_060_000, 1_061_000),  # of a file: handed over at its first sample
        Ledger(990_000, 995_000, 1_049_000),
        Ledger(990_000, 995_000, 996_000),
    ],
)
def test_the_parts_of_the_ledger_never_exceed_the_whole(ledger: Ledger) -> None:
    latency = sent(scores(), ledger=ledger)["latency"]
    parts = latency["capture_us"] + latency["embed_us"] + latency["head_us"]
    assert 0 <= parts <= latency["total_us"] <= latency["onset_us"]


def test_without_a_ledger_the_total_is_still_told() -> None:
    latency = sent(scores(), ledger=None)["latency"]
    assert (latency["total_us"], latency["capture_us"], latency["head_us"]) == (50_000, 0, 0)


def test_a_clock_that_runs_behind_gives_no_negative_time() -> None:
    data = encode("head", Packet(2_000_000, scores(), LEDGER), 0).data
    assert min(json.loads(data)["latency"].values()) >= 0


def test_an_absence_is_a_prediction_of_nothing_with_its_reason() -> None:
    message = sent(Absent("body", "too_dark", 900_000, "2"))
    assert (message["type"], message["label"], message["rejected"]) == (
        "prediction",
        None,
        "too_dark",
    )
    assert (message["results"], message["subject"]) == ([], "2")


def test_an_event_says_when_it_happened_and_began() -> None:
    message = sent(
        Event("leave", "hum", 100_000, 0.7, "3", held_s=0.9, end_us=1_000_000), 1_000_000
    )
    assert (message["t_us"], message["onset_us"], message["held_s"]) == (1_000_000, 100_000, 0.9)
    assert message["latency"]["total_us"] == 50_000
    assert "count" not in message


def test_landmarks_presence_and_spectrum() -> None:
    points = np.full((33, 4), 0.123456789, np.float32)
    message = sent(Landmarks(points, "hand", "1", 4 / 3, "left"))
    assert message["points"][32] == [0.12346] * 4
    assert (message["side"], message["space"], message["subject"]) == ("left", "hand", "1")
    assert sent(Presence("1", "arrive", 0.5, ("legs",)))["cut_off"] == ["legs"]
    spectrum = sent(Features(np.array([[0, 0], [-20.04, -50]], np.float32), 0.01, -31.26))
    assert (spectrum["bins"], spectrum["level_db"]) == ([-20.0, -50.0], -31.3)
    assert sent(Features(np.zeros((0, 4), np.float32), 0.01))["bins"] == []


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_stays_here(bad: float) -> None:
    wrong = np.full((2, 4), bad, np.float32)
    payloads = [
        scores(bad),
        Event("hold", "a", 0, bad, held_s=bad),
        Landmarks(wrong, "body", aspect=bad),
        Presence("1", "arrive", bad),
        Features(wrong, 0.01, bad),
    ]
    for payload in payloads:
        text = encode("n", Packet(0, payload), 1).data.decode()
        message = msgspec.json.decode(text, type=m.ServerMessage)
        assert "null" not in json.dumps(getattr(message, "points", getattr(message, "bins", [])))
    status = Status({"mic": NodeStatus("running", bad, bad, bad)})
    dumped = dump(
        encode_status(status, clients=1, examples=2, locked=True, live=[], active_labels=[])
    )
    part = msgspec.json.decode(dumped, type=m.StatusMessage).nodes["mic"]
    assert (part.rate_hz, part.p50_us, part.p99_us) == (0, 0, 0)


def test_what_has_no_message_is_an_error() -> None:
    with pytest.raises(TypeError, match="no message carries a Audio"):
        encode("n", Packet(0, Audio(np.zeros((1, 1), np.float32), 16000)), 0)


def test_states_have_a_key_and_events_have_none() -> None:
    head = [encode("n", Packet(0, payload), 0) for payload in (scores(), Presence("1", "arrive"))]
    assert [one.key for one in head] == [("n", "prediction", None), None]
    assert head[0].label == "clap"
    assert encode("n", Packet(0, Event("hold", "a", 0, 1.0)), 0).key is None


def test_the_schema_knows_every_message() -> None:
    schema = message_schema()
    tags = {
        definition["properties"]["type"]["enum"][0]
        for definition in schema["$defs"].values()
        if "type" in definition.get("properties", {})
    }
    structs = (*typing.get_args(m.ServerMessage), *typing.get_args(m.ClientMessage))
    assert tags == {struct.__struct_config__.tag for struct in structs}
    json.dumps(schema)


def test_a_simulated_label_is_written_as_a_taught_one_would_be() -> None:
    event = simulated(m.Simulate(id=1, label="cafe\u0301"), 5)
    assert event.label == json.loads(event.data)["label"] == "caf\u00e9"
