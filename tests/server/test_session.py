"""One client's rights and backlog, tested with lists."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmstream.core import messages as m
from tmstream.server.policy import ROLES, Admission, Role
from tmstream.server.session import STREAMS, Refused, Session
from tmstream.server.settings import Limits


def session(role: Role = "viewer", **limits: Any) -> Session:
    return Session(Limits(**limits), Admission(role, "control"), 0.0)


def text(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind, "id": 1, **fields})


def refusal(one: Session, frame: str, now_s: float = 0.0) -> tuple[Any, str]:
    with pytest.raises(Refused) as caught:
        one.receive(frame, now_s)
    reply = caught.value.reply
    assert not reply.ok
    assert reply.error is not None
    return reply.id, reply.error.code


def choose(one: Session, *streams: str, **fields: Any) -> None:
    one.subscribe(m.Subscribe(id=1, streams=list(streams), **fields))


def offer(one: Session, kind: str, data: bytes, key: Any = None, label: str | None = None,
          now_s: float = 0.0, blocked: bool = False) -> bytes | None:  # fmt: skip
    return one.offer(kind, key, data, label, now_s, blocked=blocked)


def test_a_command_is_read() -> None:
    assert session().receive(text("ping"), 0.0) == m.Ping(id=1)


@pytest.mark.parametrize(
    ("frame", "number", "code"),
    [
        ("", None, "bad_message"),
        ("null", None, "bad_message"),
        ("[]", None, "bad_message"),
        ("{", None, "bad_message"),
        ('{"type": "ping"}', None, "bad_message"),
        ('{"type": "ping", "id": null}', None, "bad_message"),
        ('{"type": "ping", "id": 1.5}', None, "bad_message"),
        ('{"type": "nonsense", "id": 7}', 7, "bad_message"),
        ('{"type": "hello", "id": "x"}', "x", "bad_message"),
        ('{"type": "ping", "id": 7, "extra": 1}', 7, "bad_message"),
        ('{"type": "subscribe", "id": 7, "streams": "all"}', 7, "bad_message"),
        ('{"type": "subscribe", "id": 7, "streams": [], "max_rate_hz": NaN}', None, "bad_message"),
        ('{"id": 7}', 7, "bad_message"),
        ('{"type": 5, "id": 7}', 7, "bad_message"),
        ("[" * 5000, None, "bad_message"),
        ('{"type": "ping", "id": ' + "9" * 5000 + "}", None, "bad_message"),
        ('{"type": "undo", "id": 7}', 7, "not_allowed"),
        (text("ping") + " " * 70_000, None, "too_long"),
    ],
)
def test_what_is_not_understood_or_not_allowed_is_told_so(
    frame: str, number: Any, code: str
) -> None:
    assert refusal(session(), frame) == (number, code)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
KINDS = st.sampled_from([one.__struct_config__.tag for one in ROLES]) | st.text(max_size=8)
FIELDS = st.sampled_from(sorted({f for one in ROLES for f in one.__struct_fields__}))
#: Messages that look right at first sight, with fields that some message has.
NEARLY = st.builds(
    lambda kind, number, more: json.dumps({"type": kind, "id": number, **more}),
    KINDS,
    st.integers(0, 9) | st.text(max_size=3) | ANYTHING,
    st.dictionaries(FIELDS, ANYTHING, max_size=4),
)


def finite(value: Any) -> bool:
    if isinstance(value, msgspec.Struct):
        return all(finite(getattr(value, name)) for name in value.__struct_fields__)
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(finite, value))
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    return not isinstance(value, float) or math.isfinite(value)


def check_frame(receive: Callable[[str, float], Any], frame: str) -> None:
    """Whatever arrives is a command with numbers in it, or a refusal that can be sent."""
    refused = None
    try:
        command = receive(frame, 0.0)
    except Refused as error:
        refused = error.reply
    if refused is not None:
        assert not msgspec.json.decode(msgspec.json.encode(refused))["ok"]
        return
    assert type(command) in ROLES, "no command"
    assert finite(command), "a number that is none"


@given(st.text(max_size=200) | ANYTHING.map(json.dumps) | NEARLY)
def test_p5_any_text_is_a_command_or_a_refusal(frame: str) -> None:
    check_frame(session("control").receive, frame)


@pytest.mark.parametrize(
    "frame", ['{"type": "set", "id": 1, "node": "n", "param": "p", "value": NaN}', "[1]", "}"]
)
def test_p5_control_the_parser_everybody_has_is_found_out(frame: str) -> None:
    def receive(frame: str, now_s: float) -> Any:
        fields = json.loads(frame)
        return m.Set(fields["id"], fields["node"], fields["param"], fields["value"])

    check_frame(session("control").receive, frame)
    with pytest.raises((AssertionError, ValueError, TypeError)):
        check_frame(receive, frame)


def test_the_reason_names_what_is_wrong() -> None:
    with pytest.raises(Refused, match="no message of type 'nonsense'"):
        session().receive('{"type": "nonsense", "id": 7}', 0.0)
    with pytest.raises(Refused, match="'ping' needs an id"):
        session().receive('{"type": "ping"}', 0.0)


def test_a_flood_is_refused_and_forgiven_after_a_while() -> None:
    one = session(commands_per_s=20)
    for _ in range(20):
        one.receive(text("ping"), 0.0)
    assert refusal(one, text("ping")) == (1, "too_many")
    assert refusal(one, "rubbish") == (None, "too_many")
    one.receive(text("ping"), 0.06)
    assert refusal(one, text("ping"), 0.06) == (1, "too_many")


def test_a_role_grows_no_higher_than_the_origin_allows() -> None:
    sketch = Session(Limits(), Admission("viewer", "viewer"), 0.0)
    assert sketch.promote("control") == "viewer"
    assert refusal(sketch, text("undo")) == (1, "not_allowed")
    assert sketch.message_bytes == 1024
    studio = session()
    assert studio.promote("control") == "control"
    studio.receive(text("undo"), 0.0)
    assert studio.message_bytes == 1024 * 1024


def test_a_stranger_gets_nothing() -> None:
    one = session("none")
    assert offer(one, "prediction", b"x") is None
    assert one.release(1.0) == []
    one.promote("viewer")
    assert offer(one, "prediction", b"x") == b"x"


def test_by_default_everything_goes_out_at_once() -> None:
    one = session()
    assert one.plain
    assert [offer(one, kind, kind.encode()) for kind in STREAMS] == [k.encode() for k in STREAMS]


def test_chosen_streams_are_the_only_ones() -> None:
    one = session()
    choose(one, "event")
    assert offer(one, "event", b"e") == b"e"
    assert offer(one, "prediction", b"p", "k") is None
    choose(one)
    assert offer(one, "event", b"e") is None
    assert offer(one, "origin_refused", b"o") == b"o"  # no stream: it cannot be chosen away


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, float("nan"), float("inf"), 1e9])
def test_a_rate_that_is_none_is_refused(rate_hz: float) -> None:
    with pytest.raises(Refused, match="max_rate_hz"):
        choose(session(), "event", max_rate_hz=rate_hz)


def test_a_stream_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(Refused, match="no stream 'events'; there are prediction, event"):
        choose(session(), "events")


def test_labels_are_compared_after_nfc() -> None:
    one = session()
    choose(one, "event", labels=["cafe\u0301"])
    assert offer(one, "event", b"e", label="caf\u00e9") == b"e"
    assert offer(one, "event", b"e", label="cafe") is None


def test_the_answer_away_from_a_chosen_label_is_told_once() -> None:
    one = session()
    choose(one, "prediction", labels=["a"])
    heard = [
        label
        for label in ["b", "a", "a", "b", "b", None, "a", None]
        if offer(one, "prediction", b"x", "key", label)
    ]
    assert heard == ["a", "a", "b", None, "a", None]


def test_who_comes_and_goes_for_months_is_not_remembered() -> None:
    one = session()
    choose(one, "prediction", labels=["a"])
    for visitor in range(100):
        for label in ("b", "a", "b", None):
            offer(one, "prediction", b"x", f"visitor {visitor}", label)
    assert not one._told


def test_a_highest_rate_keeps_the_latest_of_each_key_and_never_an_event() -> None:
    one = session()
    choose(one, "prediction", "event", max_rate_hz=10.0)
    sent = []
    for i in range(100):  # 100 a second for a second
        now_s = i / 100
        sent += one.release(now_s)
        got = offer(one, "prediction", f"p{i}".encode(), "key", now_s=now_s)
        sent += [got] if got else []
        assert offer(one, "event", b"e", now_s=now_s) == b"e"
    sent += one.release(2.0)
    assert sent[0] == b"p0"
    assert sent[-1] == b"p99"
    assert 10 <= len(sent) <= 12


def test_a_slow_client_gets_every_event_and_the_latest_of_each_state_in_order() -> None:
    one = session()
    assert offer(one, "prediction", b"p0", "p") == b"p0"
    for i in range(1, 5):
        assert offer(one, "prediction", f"p{i}".encode(), "p", blocked=True) is None
        assert offer(one, "landmarks", f"l{i}".encode(), "l", blocked=True) is None
        assert offer(one, "event", f"e{i}".encode(), blocked=True) is None
    one.hold(b"reply")
    assert one.release(1.0) == [b"e1", b"e2", b"e3", b"p4", b"l4", b"e4", b"reply"]
    assert one.plain
    assert offer(one, "event", b"e5") == b"e5"


def test_a_client_that_lets_too_much_pile_up_is_too_slow() -> None:
    one = session(buffer_bytes=1000)
    for _ in range(9):
        offer(one, "event", b"x" * 100, blocked=True)
    assert not one.too_slow(0.1, blocked=True, socket_bytes=100)
    offer(one, "event", b"x" * 100, blocked=True)
    assert one.too_slow(0.1, blocked=True, socket_bytes=100)


def test_states_do_not_pile_up_but_a_client_that_never_reads_is_too_slow() -> None:
    one = session(buffer_bytes=1000, stall_s=3.0)
    for i in range(1000):
        offer(one, "prediction", b"x" * 100, "p", blocked=True)
        assert not one.too_slow(i / 1000, blocked=True, socket_bytes=100)
    assert one.too_slow(3.1, blocked=True, socket_bytes=100)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["offer", "drain"]),
            st.sampled_from([None, "p", "l"]),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_the_law_of_the_backlog(steps: list[tuple[str, str | None, bool]]) -> None:
    """Events arrive all and in order; of a state never an older one after a newer."""
    one, sent = session(), []
    for i, (what, key, blocked) in enumerate(steps):
        data = f"{key or 'e'}{i}".encode()
        if what == "drain":
            sent += one.release(float(i))
            continue
        got = offer(one, "event" if key is None else "prediction", data, key, blocked=blocked)
        sent += [got] if got is not None else []
    sent += one.release(1e3)
    events = [
        f"e{i}".encode() for i, (what, key, _) in enumerate(steps) if what == "offer" and not key
    ]
    assert [one for one in sent if one.startswith(b"e")] == events
    for key in (b"p", b"l"):
        numbers = [int(one[1:]) for one in sent if one.startswith(key)]
        assert numbers == sorted(set(numbers))
        offered = [i for i, (w, k, _) in enumerate(steps) if w == "offer" and k == key.decode()]
        assert numbers[-1:] == offered[-1:], "the latest state must arrive"


def test_what_waited_for_its_time_does_not_come_after_something_newer() -> None:
    one = session()
    choose(one, "prediction", max_rate_hz=10.0)
    assert offer(one, "prediction", b"first", "key", now_s=0.0) == b"first"
    assert offer(one, "prediction", b"waits", "key", now_s=0.05) is None
    assert offer(one, "prediction", b"newer", "key", now_s=0.1) == b"newer"
    assert one.release(1.0) == []


def test_who_has_chosen_otherwise_is_not_told_what_waited_for_its_time() -> None:
    def told(*streams: str, **fields: Any) -> list[bytes]:
        one = session()
        choose(one, "prediction", max_rate_hz=10.0)
        assert offer(one, "prediction", b"now", "key", "a", now_s=0.0) == b"now"
        assert offer(one, "prediction", b"waits", "key", "a", now_s=0.05) is None
        choose(one, *streams, **fields)
        return one.release(1.0)

    assert told("event") == []
    assert told("prediction", labels=["b"]) == []
    assert told("prediction", "event") == [b"waits"]


def test_who_chooses_other_labels_hears_no_end_of_the_former() -> None:
    one = session()
    choose(one, "prediction", labels=["a"])
    assert offer(one, "prediction", b"x", "key", "a") == b"x"
    choose(one, "prediction", labels=["b"])
    assert offer(one, "prediction", b"x", "key", "c") is None
