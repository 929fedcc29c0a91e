"""Sound and pictures of a browser at the door: not too long, and not too many."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.server.conftest import Join, RunningHub
from tmstream.server import client
from tmstream.server.uplink import HEADER, JPEG

PICTURE = HEADER.pack(JPEG, 0, 0, 1, 0, 0) + b"jpeg"


def told(running_hub: RunningHub, join: Join, *frames: bytes, **limits: Any) -> list[str]:
    """Return what each frame was answered: why it was refused, or by whom it was acknowledged."""

    async def go() -> list[str]:
        async with running_hub(limits=limits) as hub, join(hub, control=True) as talk:
            answers = []
            for frame in frames:
                await talk.socket.send(frame)
                answer = await talk.get()
                refused = answer["type"] == "reply"
                answers.append(answer["error"]["code"] if refused else answer["kind"])
            return answers

    return asyncio.run(go())


def test_a_frame_that_is_too_long_is_refused(running_hub: RunningHub, join: Join) -> None:
    long = PICTURE + bytes(2000)
    answers = told(running_hub, join, PICTURE, long, PICTURE, media_bytes=1000)
    assert answers == ["camera", "too_long", "camera"]


def test_more_frames_than_anybody_needs_are_refused(
    running_hub: RunningHub, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MEDIA_PER_S", 1.0)
    assert told(running_hub, join, PICTURE, PICTURE) == ["camera", "too_many"]


def test_sound_that_ends_within_a_sample_is_refused(running_hub: RunningHub, join: Join) -> None:
    torn = HEADER.pack(2, 0, 0, 1, 16_000, 0) + b"odd"
    assert told(running_hub, join, torn) == ["bad_message"]
