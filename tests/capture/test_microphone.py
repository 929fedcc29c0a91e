"""A microphone: its stamps and its faults, through a PortAudio without hardware."""

from __future__ import annotations

import asyncio
import builtins
import sys
import threading
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tmstream.capture import microphone
from tmstream.capture.microphone import Microphone
from tmstream.core.errors import DeviceError
from tmstream.core.packet import Audio, Gap, Packet
from tmstream.testing import FakeServices

Script = Callable[[Callable[..., None]], None]


class FakeDevice(ModuleType):
    """PortAudio without hardware: one device, whose callback a test plays on a thread."""

    class PortAudioError(Exception):
        pass

    def __init__(self, script: Script, rate: float = 16000.0, channels: int = 1) -> None:
        super().__init__("sounddevice")
        self.rate, self.channels, self.script = rate, channels, script
        self.closed = 0

    def _terminate(self) -> None: ...
    def _initialize(self) -> None: ...

    def query_devices(self, device: Any = None, kind: str | None = None) -> Any:
        found = {
            "index": 0, "name": "Fake", "max_input_channels": self.channels,
            "default_samplerate": self.rate,
        }  # fmt: skip
        if kind is None:
            return [found]
        if device not in (None, 0, "Fake"):
            raise ValueError("no such device")
        return found

    def check_input_settings(self, *_: Any, samplerate: float, channels: int, **__: Any) -> None:
        if samplerate != self.rate or channels > self.channels:
            raise self.PortAudioError("Invalid sample rate")

    def InputStream(self, *, callback: Any, samplerate: float, **_: Any) -> Any:
        def hear(samples: np.ndarray, overflow: bool = False) -> None:
            status = SimpleNamespace(input_overflow=overflow)
            callback(samples.astype(np.float32), len(samples), None, status)

        def close(ignore_errors: bool = True) -> None:
            self.closed += 1

        return SimpleNamespace(
            samplerate=samplerate, latency=0.01, close=close, start=lambda: self.script(hear)
        )


def listen(
    monkeypatch: pytest.MonkeyPatch,
    fake: FakeDevice,
    services: FakeServices | None = None,
    **params: Any,
) -> tuple[list[Packet[Any]], str, list[str | None]]:
    """Everything heard until the device fails, why it failed, and the notices."""
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    monkeypatch.setattr(microphone, "SILENT_S", 0.05)
    monkeypatch.setattr(microphone, "FIRST_S", 0.05)
    services = services or FakeServices()

    async def run() -> tuple[list[Packet[Any]], str]:
        node, heard = Microphone(**params), []
        try:
            await node.open(services)
            async for packet in node.packets():
                heard.append(packet)
        except DeviceError as error:
            return heard, str(error)
        finally:
            await node.close()
        raise AssertionError("a microphone never ends by itself")

    return *asyncio.run(run()), services.notices


def blocks(*values: float, size: int = 160, channels: int = 1) -> Script:
    def script(hear: Callable[..., None]) -> None:
        for value in values:
            hear(np.full((size, channels), value))

    return script


def test_blocks_arrive_in_order_and_a_device_that_stops_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    device = FakeDevice(blocks(0.1, 0.2, 0.3))
    heard, why, _ = listen(monkeypatch, device)
    assert [float(p.data.samples[0, 0]) for p in heard] == pytest.approx([0.1, 0.2, 0.3])
    assert list(np.diff([p.t_us for p in heard])) == [10_000, 10_000]
    assert {(p.data.samples.shape, p.data.rate_hz) for p in heard} == {((160, 1), 16000)}
    assert why.startswith("Fake: gave no sound for")
    assert device.closed == 1
    assert not microphone._listening


def test_a_source_that_is_mute_at_low_latency_is_asked_again_with_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []

    class Hasty(FakeDevice):
        def InputStream(self, *, latency: Any, **kwargs: Any) -> Any:
            asked.append(latency)
            stream = super().InputStream(**kwargs)
            if latency == "low":
                stream.start = lambda: None
            return stream

    heard, _, _ = listen(monkeypatch, Hasty(blocks(0.1)))
    assert asked == ["low", microphone.PATIENT_S]
    assert len(heard) == 1


def test_an_opening_that_hangs_is_left_alone_and_what_it_opened_late_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ending PortAudio, or entering it, beside a thread that hangs in there crashes the process."""
    hangs, entered, ended = threading.Event(), [], []

    class Hanging(FakeDevice):
        def _terminate(self) -> None:
            assert hangs.is_set() or not entered, "ended beside a thread that is inside"
            ended.append(True)

        def InputStream(self, **kwargs: Any) -> Any:
            entered.append(True)
            hangs.wait(20)
            return super().InputStream(**kwargs)

    device = Hanging(blocks(0.1))
    monkeypatch.setattr(microphone, "OPEN_S", 0.1)
    _, why, _ = listen(monkeypatch, device)
    assert why == "Fake: did not open within 0 s"
    _, why, _ = listen(monkeypatch, device)
    assert "still hangs" in why or "did not open" in why
    assert (len(entered), len(ended)) == (1, 1)
    hangs.set()
    with microphone._inside:  # the one that hung has come out
        assert device.closed == 1
    assert not microphone._listening
    monkeypatch.setattr(microphone, "OPEN_S", 5.0)
    heard, why, _ = listen(monkeypatch, device)
    assert (len(heard), device.closed) == (1, 2), why


def test_whatever_portaudio_refuses_is_a_fault_of_the_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Refusing(FakeDevice):
        def query_devices(self, *_: Any, **__: Any) -> Any:
            raise self.PortAudioError("PortAudio not initialized")

    _, why, _ = listen(monkeypatch, Refusing(blocks()))
    assert "cannot be opened (PortAudio not initialized)" in why


def test_stereo_at_another_rate_becomes_mono_at_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    device = FakeDevice(blocks(*[0.25] * 50, size=480, channels=2), 48000.0, 2)
    heard, _, _ = listen(monkeypatch, device)
    samples = np.concatenate([p.data.samples for p in heard])
    assert {p.data.rate_hz for p in heard} == {16000}
    assert 7000 < len(samples) <= 8000
    np.testing.assert_allclose(samples[500:-500], 0.25, atol=1e-3)
    counts = np.cumsum([0, *(len(p.data.samples) for p in heard[:-1])])
    expected = heard[0].t_us + counts * 62.5
    np.testing.assert_allclose([p.t_us for p in heard], expected, atol=2)


def test_an_overflow_is_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    services = FakeServices()

    def script(hear: Callable[..., None]) -> None:
        services.clock.sleep(1.0)
        hear(np.full((160, 1), 0.1))
        services.clock.sleep(0.1)
        hear(np.full((160, 1), 0.2), overflow=True)

    heard, _, _ = listen(monkeypatch, FakeDevice(script), services)
    assert [type(p.data) for p in heard] == [Audio, Gap, Audio]
    # Heard 10 ms long and 10 ms under way; and not 10 ms apart, as if nothing were missing.
    assert [p.t_us for p in heard] == [980_000, 1_080_000, 1_080_000]


def test_after_a_loss_nothing_of_before_is_left_in_the_resampler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def script(hear: Callable[..., None]) -> None:
        for value, overflow in [*[(0.5, False)] * 9, (-0.5, True), *[(-0.5, False)] * 9]:
            hear(np.full((480, 2), value), overflow=overflow)

    heard, _, _ = listen(monkeypatch, FakeDevice(script, 48000.0, 2))
    gap = [type(p.data) for p in heard].index(Gap)
    assert min(p.data.samples.min() for p in heard[:gap]) > -0.1
    assert max(p.data.samples.max() for p in heard[gap + 1 :]) < 0.1
    assert heard[gap + 1].t_us == heard[gap].t_us


def test_of_many_channels_two_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Wide(FakeDevice):
        def InputStream(self, *, channels: int, **kwargs: Any) -> Any:
            asked.append(channels)
            return super().InputStream(channels=channels, **kwargs)

    listen(monkeypatch, Wide(blocks(0.1, size=480, channels=2), 48000.0, 8))
    assert asked == [2]


def test_portaudio_starts_anew_only_while_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[bool] = []
    device = FakeDevice(blocks(0.1))
    monkeypatch.setattr(device, "_terminate", lambda: ended.append(True))
    monkeypatch.setitem(sys.modules, "sounddevice", device)

    async def run() -> None:
        one, other = Microphone(), Microphone()
        await one.open(FakeServices())
        await other.open(FakeServices())  # ended now, the stream of the other would be closed
        assert len(ended) == 1
        await one.close()
        await other.close()
        await one.open(FakeServices())
        assert len(ended) == 2
        await one.close()

    asyncio.run(run())


def test_a_stream_that_does_not_start_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(hear: Callable[..., None]) -> None:
        raise FakeDevice.PortAudioError("Device busy")

    device = FakeDevice(refuse)
    _, why, _ = listen(monkeypatch, device)
    assert "cannot be opened (Device busy)" in why
    assert device.closed == 1


def test_only_zeros_are_a_fault_that_is_told_and_taken_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, _, notices = listen(monkeypatch, FakeDevice(blocks(*[0.0] * 12, 0.1)))
    assert len(notices) == 2
    assert "only zeros" in (notices[0] or "")
    assert "permitted" in (notices[0] or "")
    assert notices[1] is None


def test_an_unknown_device_names_those_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    _, why, _ = listen(monkeypatch, FakeDevice(blocks()), device="Rode")
    assert "no microphone 'Rode'; there are: 0 'Fake'" in why


def test_without_portaudio_it_says_what_to_install_and_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)

    async def run() -> None:
        await Microphone().open(FakeServices())

    with pytest.raises(DeviceError, match=r"apt-get install libportaudio2.*--source mic=FILE"):
        asyncio.run(run())


@pytest.mark.parametrize("bad", [{"rate_hz": 5}, {"rate_hz": 999_999}])
def test_a_parameter_out_of_range_is_named(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        Microphone(**bad)
