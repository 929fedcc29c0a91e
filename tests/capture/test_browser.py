"""A browser's microphone and camera: frames in by the socket, packets out of a source."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmstream.capture.browser import (
    MOST_PIXELS,
    BrowserCamera,
    BrowserMicrophone,
    decode_picture,
    decode_sound,
    follows,
    jpeg_size,
)
from tmstream.core.errors import InputError
from tmstream.core.messages import Hello
from tmstream.core.packet import Audio, Gap, Packet
from tmstream.core.services import Commands
from tmstream.server.hub import Hub
from tmstream.server.settings import ServerSettings
from tmstream.server.uplink import FLOAT32, HEADER, INT16, JPEG, Block, Uplink, parse
from tmstream.testing import FakeServices

SENDER = object()


def frame(form: int, payload: bytes, seq: int = 0, rate_hz: int = 16000, age_us: int = 0,
          channel: int = 0) -> bytes:  # fmt: skip
    return HEADER.pack(form, channel, 0, seq, 0 if form == JPEG else rate_hz, age_us) + payload


def tone(n: int, rate_hz: int = 16000, start: int = 0) -> np.ndarray[Any, Any]:
    return (0.5 * np.sin(2 * np.pi * 440 * (start + np.arange(n)) / rate_hz)).astype("<f4")


def picture(width: int = 64, height: int = 48) -> bytes:
    import cv2

    rgb = np.zeros((height, width, 3), np.uint8)
    rgb[:, : width // 2, 0] = 255
    return cv2.imencode(".jpg", rgb[:, :, ::-1])[1].tobytes()


class Bench:
    """A source beside a mailbox, without sockets, on a clock that is turned by hand."""

    def __init__(self, node: Any) -> None:
        hello = Hello("", "", None, [], [], [], [], "", 0)
        self.hub = Hub(ServerSettings(port=0), Commands(), lambda: hello)
        self.services = FakeServices(self.hub)
        self.node = node
        self.acks: list[tuple[str, int, str | None]] = []
        self.packets: AsyncIterator[Packet[Any]]

    async def __aenter__(self) -> Bench:
        await self.node.open(self.services)
        self.packets = self.node.packets()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.packets.aclose()  # type: ignore[attr-defined]
        await self.node.close()

    def put(self, data: bytes, sender: object = SENDER) -> None:
        def acknowledge(*ack: Any) -> None:
            self.acks.append(ack)

        self.hub.uplink.put(parse(data, sender, acknowledge, self.services.clock.now_us()))

    async def next(self) -> Packet[Any]:
        return await asyncio.wait_for(anext(self.packets), 5)


def test_sound_is_counted_in_samples_and_acknowledged() -> None:
    async def go() -> None:
        async with Bench(BrowserMicrophone()) as bench:
            wave = tone(3200)
            for i in range(10):
                bench.services.clock.sleep(0.02)
                bench.put(frame(FLOAT32, wave[i * 320 :][:320].tobytes(), i, age_us=0))
                packet = await bench.next()
                assert packet.t_us == i * 20_000
                assert packet.data.samples.shape == (320, 1)
                np.testing.assert_array_equal(packet.data.samples[:, 0], wave[i * 320 :][:320])
            assert bench.acks == [("microphone", i, None) for i in range(10)]

    asyncio.run(go())


def test_sound_at_another_rate_is_resampled_without_seams() -> None:
    async def go() -> None:
        async with Bench(BrowserMicrophone()) as bench:
            wave, heard = tone(48_000, 48_000), []
            for i in range(50):
                bench.services.clock.sleep(0.02)
                bench.put(frame(FLOAT32, wave[i * 960 :][:960].tobytes(), i, 48_000))
            while sum(map(len, heard)) < 15_000:
                heard.append((await bench.next()).data.samples[:, 0])
            joined = np.concatenate(heard)
            expected = tone(len(joined))
            assert np.abs(joined[500:] - expected[500:]).max() < 0.01

    asyncio.run(go())


def test_a_lost_block_and_another_browser_are_gaps_and_time_never_runs_back() -> None:
    async def go() -> None:
        async with Bench(BrowserMicrophone()) as bench:
            block = tone(320).tobytes()
            for seq, sender in [(0, "a"), (1, "a"), (5, "a"), (6, "a"), (0, "b")]:
                bench.services.clock.sleep(0.02)
                bench.put(frame(INT16, block[:640], seq), sender)
            made = [await bench.next() for _ in range(7)]
            kinds = ["".join(type(one.data).__name__[0] for one in made)]
            assert kinds == ["AAGAAGA"]
            times = [one.t_us for one in made]
            assert times == sorted(set(times))

    asyncio.run(go())


def test_of_two_pages_the_one_that_began_last_is_heard_until_the_other_begins_anew() -> None:
    now_s, refused = 0.0, []
    uplink = Uplink(lambda: now_s)
    box = uplink.attach("microphone", 0)

    def put(senders: str, pause_s: float = 0.02) -> str:
        """Let pages send in turn; returns whose blocks arrived."""
        nonlocal now_s
        for sender in senders:
            now_s += pause_s
            block = frame(FLOAT32, tone(320).tobytes())
            uplink.put(parse(block, sender, lambda *ack: refused.append(ack[2]), 0))
        heard = [block.sender for block in box._blocks]
        box._blocks.clear()
        return "".join(map(str, heard))

    assert put("aabbabab") == "aabbbb"
    assert set(refused) == {"another page sends its microphone now"}
    assert put("ab" * 20) == "b" * 20
    assert put("a", pause_s=1.1) == "a", "it was switched on again"
    assert put("bbaa") == "bb"
    uplink.put(parse(frame(JPEG, picture()), "a", lambda *ack: refused.append(ack[2]), 0))
    assert refused[-1] == "this pipeline has no browser_camera with channel 0"
    many = "".join(map(chr, range(1000, 1040)))
    assert put(many, pause_s=0.1) == many
    assert len(uplink._pages["microphone", 0]) < 20, "pages come and go for months"


def test_a_browser_that_lags_is_anchored_anew() -> None:
    async def go() -> None:
        async with Bench(BrowserMicrophone()) as bench:
            bench.services.clock.sleep(1)
            bench.put(frame(FLOAT32, tone(320).tobytes(), 0))
            assert (await bench.next()).t_us == 980_000
            bench.services.clock.sleep(5)  # the laptop slept
            bench.put(frame(FLOAT32, tone(320).tobytes(), 1))
            assert isinstance((await bench.next()).data, Gap)
            assert abs((await bench.next()).t_us - 5_980_000) < 1000

    asyncio.run(go())


def test_while_nobody_sends_the_status_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tmstream.capture.browser.STALL_S", 0.01)

    async def go() -> None:
        async with Bench(BrowserCamera()) as bench:
            waiting = asyncio.create_task(bench.next())
            while not bench.services.notices:
                await asyncio.sleep(0.001)
            assert "open the studio" in str(bench.services.notices[0])
            bench.put(frame(JPEG, picture()))
            assert (await waiting).data.pixels.shape == (48, 64, 3)
            assert bench.services.notices[-1] is None
            assert isinstance((await bench.next()).data, Gap)

    asyncio.run(go())


def test_a_performer_stands_in_until_a_browser_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tmstream.capture.browser.STALL_S", 0.2)

    async def go() -> None:
        async with Bench(BrowserMicrophone(stand_in=["hum"])) as bench:
            played = []
            for _ in range(3):
                bench.services.clock.sleep(0.02)
                played.append(await bench.next())
            assert [type(packet.data) for packet in played] == [Audio] * 3
            bench.services.clock.sleep(0.02)
            wave = tone(320)
            bench.put(frame(FLOAT32, wave.tobytes(), 7, age_us=0))
            while not isinstance((await bench.next()).data, Gap):
                pass  # what the performer had played before
            heard = await bench.next()
            np.testing.assert_array_equal(heard.data.samples[:, 0], wave)
            bench.services.clock.sleep(0.02)
            with pytest.raises(TimeoutError):  # it is silent while the browser may go on
                await asyncio.wait_for(
                    asyncio.shield(again := asyncio.create_task(bench.next())), 0.1
                )
            assert isinstance((await again).data, Gap)
            began_s = asyncio.get_running_loop().time()
            for _ in range(6):  # it goes on, and does not make up for its silence
                assert isinstance((await bench.next()).data, Audio)
            assert asyncio.get_running_loop().time() - began_s > 0.06
            assert bench.acks == [("microphone", 7, None)]

    asyncio.run(go())


def test_numbers_begin_anew_after_the_largest() -> None:
    def block(seq: int, sender: object = SENDER, rate_hz: int = 16000) -> Block:
        sound = frame(FLOAT32, tone(16).tobytes(), seq, rate_hz)
        return parse(sound, sender, lambda *_: None, 0)

    assert follows(block(2**32 - 1), block(0))
    assert not follows(None, block(0))
    for other in (block(7), block(9), block(8, object()), block(8, rate_hz=8000)):
        assert not follows(block(7), other)


def test_of_pictures_only_the_newest_waits_and_each_is_acknowledged() -> None:
    async def go() -> None:
        async with Bench(BrowserCamera()) as bench:
            bench.services.clock.sleep(1)
            for seq in range(5):
                bench.put(frame(JPEG, picture(), seq, age_us=30_000))
            packet = await bench.next()
            assert packet.t_us == 970_000
            red = packet.data.pixels[24, 8]
            assert red[0] > 200
            assert red[2] < 50
            assert bench.acks == [("camera", seq, None) for seq in range(5)]

    asyncio.run(go())


def test_a_bad_picture_is_refused_and_the_next_one_taken() -> None:
    async def go() -> None:
        async with Bench(BrowserCamera()) as bench:
            bench.services.clock.sleep(1)
            waiting = asyncio.create_task(bench.next())
            for seq, data in enumerate([b"GIF89a" + b"x" * 50, picture()[:60], picture()]):
                bench.put(frame(JPEG, data, seq))
                while len(bench.acks) <= seq:
                    await asyncio.sleep(0)
            assert (await waiting).data.pixels.shape == (48, 64, 3)
            assert [(seq, error is None) for _, seq, error in bench.acks] == [
                (0, False), (1, False), (2, True),
            ]  # fmt: skip

    asyncio.run(go())


def test_what_nobody_listens_to_is_said() -> None:
    acks: list[Any] = []
    uplink = Uplink()
    uplink.put(parse(frame(JPEG, b"x", 3, channel=2), SENDER, lambda *ack: acks.append(ack), 0))
    assert acks == [("camera", 3, "this pipeline has no browser_camera with channel 2")]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"x" * 16, frame(9, b"xxxx"), frame(FLOAT32, b"xxxxx"), frame(INT16, b"x"),
        frame(FLOAT32, b"xxxx", rate_hz=100), b"\x01\x00\x01\x00" + bytes(20),
    ],
)  # fmt: skip
def test_a_frame_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        parse(data, SENDER, lambda *_: None, 0)


def test_sound_that_is_not_finite_or_too_loud_is_tamed() -> None:
    wild = np.array([np.nan, np.inf, -np.inf, 2.0, -0.5], "<f4").tobytes()
    block = parse(frame(FLOAT32, wild), SENDER, lambda *_: None, 0)
    assert decode_sound(block).tolist() == [0, 0, 0, 1, -0.5]
    block = parse(
        frame(INT16, np.array([-32768, 16384], "<i2").tobytes()), SENDER, lambda *_: None, 0
    )
    assert decode_sound(block).tolist() == [-1, 0.5]


def test_a_picture_that_would_unfold_to_gigabytes_is_not_unfolded() -> None:
    small = bytearray(picture())
    at = small.index(b"\xff\xc0")
    small[at + 5 : at + 9] = (20_000).to_bytes(2) + (20_000).to_bytes(2)
    assert jpeg_size(bytes(small)) == (20_000, 20_000)
    with pytest.raises(InputError, match=str(MOST_PIXELS)):
        decode_picture(bytes(small))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_picture_or_an_input_error(data: bytes) -> None:
    start = picture()[:2]
    for one in (data, start + data):
        with contextlib.suppress(InputError):
            decode_picture(one)


@pytest.mark.parametrize("wrong", [{"channel": 256}, {"rate_hz": 1}, {"reanchor_s": 0.0}])
def test_a_wrong_parameter_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))}"):
        BrowserMicrophone(**wrong)


def test_over_a_real_socket_with_control_alone() -> None:
    from websockets.asyncio.client import connect

    async def go() -> None:
        hello = Hello("", "", None, [], [], [], [], "", 0)
        hub = Hub(ServerSettings(port=0), Commands(), lambda: hello)
        await hub.start()
        node = BrowserMicrophone()
        services = FakeServices(hub)
        services.clock.sleep(1)
        await node.open(services)
        packets = node.packets()
        try:
            async with connect(
                f"ws://127.0.0.1:{hub.port}/ws", compression=None, proxy=None
            ) as client:
                await client.recv()
                data = frame(INT16, bytes(400))
                await client.send(data)
                assert json.loads(await client.recv())["error"]["code"] == "not_allowed"
                code = hub.tokens.new_code()
                await client.send(json.dumps({"type": "auth", "id": 1, "code": code}))
                assert json.loads(await client.recv())["ok"]
                await client.send(frame(FLOAT32, tone(16_000).tobytes(), 7))
                packet = await asyncio.wait_for(anext(packets), 5)
                assert isinstance(packet.data, Audio)
                assert len(packet.data.samples) == 16_000
                ack = json.loads(await client.recv())
                assert ack == {"type": "media_ack", "kind": "microphone", "seq": 7}
                await client.send(b"rubbish")
                assert json.loads(await client.recv())["error"]["code"] == "bad_message"
        finally:
            await packets.aclose()
            await node.close()
            await hub.stop()

    asyncio.run(go())
