"""A recording gives back every packet bit for bit, whatever happened to its end."""

from __future__ import annotations

import os
import shutil
import time
from collections import namedtuple
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmstream.core.errors import DeviceError, InputError
from tmstream.core.packet import (
    Absent,
    Audio,
    Embedding,
    Event,
    Features,
    Gap,
    Image,
    Landmarks,
    Neighbour,
    Packet,
    Presence,
    Result,
    Scores,
)
from tmstream.store import packets, tape
from tmstream.store.packets import Named
from tmstream.store.recording import Recording, Session, segments, sessions
from tmstream.store.tape import Tape

RNG = np.random.default_rng(7)
RESULTS = (Result("clap", 0.7, 0.9), Result("snap", 0.3, 0.1))
OTHERS: list[Any] = [
    Landmarks(RNG.normal(0, 1, (33, 4)).astype(np.float32), "body", "2", 4 / 3),
    Landmarks(RNG.normal(0, 1, (21, 4)).astype(np.float32), "hand", None, 1.0, "left"),
    Features(RNG.normal(0, 1, (3, 8)).astype(np.float32), 0.01, -31.5),
    Embedding(RNG.normal(0, 1, 96).astype(np.float32), "audio", 9, None, "mic", "early", 3),
    Absent("body", "no_person", 4),
    Scores("clap", 0.7, None, RESULTS, 9, 4, "1", ("audio",), "final", 2, (Neighbour("i", "clap", 0.1, "audio"),), "head"),
    Event("hold", "clap", 3, 0.5, "1", 2.5, 3, 9),
    Presence("1", "depart", 0.4, ("legs",)),
    Gap("late"),
]  # fmt: skip


def sound(t_us: int, samples: Any, rate_hz: int = 16000) -> Packet[Audio]:
    return Packet(t_us, Audio(np.asarray(samples, np.float32).reshape(len(samples), -1), rate_hz))


def through(given_packets: list[Named], *, exact: bool = True) -> list[Named]:
    entries = msgspec.msgpack.decode(
        msgspec.msgpack.encode(packets.encode(given_packets, exact=exact))
    )
    return list(packets.decode(entries))


def same(one: Packet[Any], other: Packet[Any]) -> bool:
    """Equal bit for bit, NaN included."""

    def plain(packet: Packet[Any]) -> Any:
        fields = msgspec.structs.asdict(packet.data)
        arrays = {
            k: (v.shape, v.dtype, v.tobytes()) for k, v in fields.items() if hasattr(v, "nbytes")
        }
        rest = msgspec.msgpack.encode({k: v for k, v in fields.items() if k not in arrays})
        return packet.t_us, type(packet.data), arrays, rest

    return bool(plain(one) == plain(other))


@pytest.mark.parametrize("data", OTHERS, ids=lambda d: type(d).__name__)
def test_a_payload_comes_back(data: Any) -> None:
    ((node, packet),) = through([("n", Packet(5, data))])
    assert node == "n"
    assert same(packet, Packet(5, data))
    changed = Packet(6, data)
    assert not same(packet, changed)  # the comparison can fail


@given(
    blocks=st.lists(st.integers(0, 40), min_size=1, max_size=6),
    channels=st.integers(1, 3),
    how=st.sampled_from(["sixteen", "float", "odd"]),
    seed=st.integers(0, 1000),
)
def test_sound_comes_back_bit_for_bit(
    blocks: list[int], channels: int, how: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    made: list[Named] = []
    for i, n in enumerate(blocks):
        samples = rng.normal(0, 0.3, (n, channels)).astype(np.float32)
        if how == "sixteen":
            samples = (np.clip(np.rint(samples * 32768), -32768, 32767) / 32768).astype(np.float32)
        if how == "odd" and n:
            samples[0] = rng.choice([np.nan, np.inf, -0.0, 1.0, 2.0, 1e-30])
        made.append(("mic", Packet(i * 1000, Audio(samples, 16000))))
    back = through(made)
    assert len(back) == len(made)
    assert all(same(a[1], b[1]) for a, b in zip(made, back, strict=True))


def test_sound_of_16_bits_is_packed_as_flac_and_other_sound_is_not() -> None:
    steps = np.arange(-50, 50) / 32768
    assert packets.encode([("m", sound(0, steps))])[0][6] == "flac"
    assert packets.encode([("m", sound(0, steps + 1e-6))])[0][6] == "float32"
    rough = through([("m", sound(0, steps + 1e-6))], exact=False)[0][1].data.samples
    assert np.abs(rough[:, 0] - steps).max() <= 0.5 / 32768 + 1e-6


def test_order_of_a_node_is_kept_around_gaps_and_changes() -> None:
    made: list[Named] = [
        ("m", sound(0, [0.1])),
        ("n", sound(1, [0.2])),
        ("m", Packet(2, Gap("late"))),
        ("m", sound(3, [0.3])),
        ("m", sound(4, [0.4, 0.5], 8000)),
        ("m", sound(5, np.ones((4, 2)))),
    ]
    back = through(made)
    for node in "mn":
        mine = [p for n, p in back if n == node]
        assert all(same(a, b) for a, b in zip(mine, [p for n, p in made if n == node], strict=True))


def test_a_picture_is_nearly_itself_and_the_same_every_time() -> None:
    pixels = np.indices((48, 64)).sum(0)[..., None].repeat(3, 2).astype(np.uint8)
    pixels[..., 0] = 200
    entries = packets.encode([("cam", Packet(3, Image(pixels)))])
    one, two = (next(packets.decode(entries))[1].data.pixels for _ in range(2))
    assert np.abs(one.astype(int) - pixels).max() < 24
    assert one.tobytes() == two.tobytes()


@pytest.mark.parametrize("entry", [["Audio", "m", [0], [3], 16000, 1, "float32", b"1234"], ["Nothing", "m", 0, {}],
                                   ["Gap", "m"], ["Gap", "m", 0, {"reason": 3}], ["Audio", "m", [0], [1], 16000, 1, "flac", b"xx"],
                                   ["Image", "c", 0, [9000, 1], b""], ["Image", "c", 0, [4, 4], b"no"], 3])  # fmt: skip
def test_a_damaged_entry_is_an_input_error(entry: Any) -> None:
    with pytest.raises(InputError):
        list(packets.decode([entry]))


def start(path: Path, **options: Any) -> Tape:
    return Tape(path, Session(1000, 0), **{"max_bytes": 10**9, "max_age_s": 1e9, **options})


def events(first: int, last: int) -> list[Packet[Any]]:
    return [Packet(1000 + i, Event("trigger", str(i), 1000 + i, 0.5)) for i in range(first, last)]


def test_time_starts_at_zero_in_every_field(tmp_path: Path) -> None:
    taping = start(tmp_path)
    taping.put("e", events(7, 8)[0])
    taping.close()
    (node, packet), = Recording.open(tmp_path).packets()  # fmt: skip
    assert (node, packet.t_us, packet.data.onset_us) == ("e", 7, 7)


def test_a_torn_or_damaged_end_costs_only_itself(tmp_path: Path) -> None:
    for _ in range(2):
        taping = start(tmp_path)
        for i in range(4):
            for packet in events(i * 10, i * 10 + 10):
                taping.put("e", packet)
            taping.flush()
        taping.close()
    (segment,) = segments(Recording.open(tmp_path).folder)
    whole = segment.read_bytes()
    everything = [p.data.label for _, p in Recording.open(tmp_path).packets()]
    assert everything == [str(i) for i in range(40)]
    for cut in (len(whole) - 1, len(whole) - 40, len(whole) // 2 + 3, 5, 0):
        segment.write_bytes(whole[:cut])
        reading = Recording.open(tmp_path)
        left = [p.data.label for _, p in reading.packets()]
        assert left == everything[: len(left)]
        assert len(left) % 10 == 0
        assert any("torn" in notice for notice in reading.notices) == (cut != 0)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0x10
    segment.write_bytes(flipped)
    reading = Recording.open(tmp_path)
    assert 0 < len(list(reading.packets())) < 40
    assert any("torn" in notice for notice in reading.notices)


def wait_for(done: Any) -> None:
    end = time.monotonic() + 10
    while not done():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_the_oldest_goes_when_there_is_too_much(tmp_path: Path) -> None:
    for _ in range(2):
        taping = start(tmp_path, max_bytes=80_000)
        for i in range(40):
            taping.put("m", sound(i * 1000, RNG.normal(0, 0.1, 1000)))
            taping.flush()
        taping.close()
        left = [one for folder in sessions(tmp_path) for one in segments(folder)]
        assert sum(one.stat().st_size for one in left) <= 80_000 + 10_000
    assert [folder.name for folder in sessions(tmp_path)] == [taping.folder.name]
    times = [p.t_us for _, p in Recording.open(tmp_path).packets()]
    assert times[-1] == 39_000 - 1000
    assert times[0] > 0


def test_what_is_too_old_goes_but_a_turned_clock_takes_nothing_of_today(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = start(tmp_path)
    old.put("e", events(0, 1)[0])
    old.close()
    (segment,) = segments(old.folder)
    os.utime(segment, (1, 1))
    taping = start(tmp_path, max_age_s=3600.0)
    monkeypatch.setattr(time, "time", lambda: 9e9)  # the wall clock jumps by centuries
    for packet in events(1, 4):
        taping.put("e", packet)
        taping.flush()
        taping._end_segment()
    taping.close()
    assert not old.folder.exists()
    assert [p.data.label for _, p in Recording.open(tmp_path).packets()] == ["1", "2", "3"]


def test_a_full_disk_stops_recording_aloud_and_it_goes_on_with_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taping = start(tmp_path)
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(tape.shutil, "disk_usage", lambda _: usage(3_000_000))
    taping.put("e", events(0, 1)[0])
    wait_for(lambda: taping.problem)
    assert "only 3 MB are free" in str(taping.problem)
    monkeypatch.setattr(tape.shutil, "disk_usage", lambda _: usage(10**12))
    taping.put("e", events(1, 2)[0])
    taping.close()
    assert taping.problem is None
    back = [p.data for _, p in Recording.open(tmp_path).packets()]
    assert [type(one) for one in back] == [Gap, Event]


def test_the_gap_stands_before_what_came_while_the_disk_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taping, usage = start(tmp_path), namedtuple("usage", "free")
    first, second, third = events(0, 3)

    def refusing(_: Path) -> object:
        monkeypatch.setattr(tape.shutil, "disk_usage", lambda _: usage(10**12))
        taping.put("e", second)  # before anybody knows that the first is lost
        taping.put("f", third)
        return usage(3_000_000)

    monkeypatch.setattr(tape.shutil, "disk_usage", refusing)
    taping.put("e", first)
    taping.flush()
    taping.close()
    back = [(node, type(packet.data)) for node, packet in Recording.open(tmp_path).packets()]
    assert back == [("e", Gap), ("e", Event), ("f", Event)]


def test_a_disk_that_stays_full_is_logged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    taping, usage = start(tmp_path), namedtuple("usage", "free")
    for free in (3, 2, 10**6, 1, 1):  # MB
        monkeypatch.setattr(tape.shutil, "disk_usage", lambda _, free=free: usage(free * 10**6))
        taping.put("e", events(0, 1)[0])
        taping.flush()
    taping.close()
    said = [one.getMessage().partition("only ")[2] for one in caplog.records]
    assert said == ["3 MB are free on this disk", "1 MB are free on this disk"]


def test_a_slow_disk_costs_packets_not_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tape, "MAX_WAITING", 8)
    monkeypatch.setattr(Tape, "_run", lambda self: None)
    taping = start(tmp_path)
    for packet in events(0, 20):
        taping.put("e", packet)
    assert len(taping._waiting) == 8
    assert "too slow" in str(taping.problem)
    taping._waiting = []
    taping.put("e", events(20, 21)[0])
    assert [type(p.data) for _, p in taping._waiting] == [Gap, Event]


def test_what_cannot_be_recorded_or_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DeviceError, match="cannot record"):
        start(tmp_path / "file")
    with pytest.raises(InputError, match="not a recording"):
        Recording.open(tmp_path)
    taping = start(tmp_path)
    taping.close()
    info = taping.folder / "session.json"
    info.write_text(info.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(InputError, match="newer"):
        Recording.open(tmp_path)
    info.write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        Recording.open(taping.folder)


def test_a_killed_recorder_leaves_what_it_had_written(tmp_path: Path) -> None:
    taping = start(tmp_path)
    taping.put("e", events(0, 1)[0])
    taping.flush()
    shutil.copytree(tmp_path, tmp_path.parent / "killed")  # as the disk is at this instant
    taping.close()
    assert len(list(Recording.open(tmp_path.parent / "killed").packets())) == 1


def test_what_is_written_after_a_torn_chunk_can_be_read(tmp_path: Path) -> None:
    class Full:
        """A disk that takes half of what it is given."""

        def __init__(self, file: Any) -> None:
            self.file = file

        def write(self, data: bytes) -> int:
            self.file.write(data[: len(data) // 2])
            raise OSError(28, "no space left")

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

    taping = start(tmp_path)
    for i in range(3):
        if i == 1:
            taping._file = Full(taping._file)
        taping.put("e", events(i, i + 1)[0])
        taping.flush()
        assert ("no space" in (taping.problem or "")) == (i == 1)
    taping.close()
    kept = [packet.data for _, packet in Recording.open(tmp_path).packets()]
    assert [one.label if isinstance(one, Event) else one.reason for one in kept] == [
        "0", "not recorded", "2"]  # fmt: skip
