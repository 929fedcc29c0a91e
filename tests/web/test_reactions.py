"""Whoever claps or moves sees it: every sketch answers on its canvas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tmstream.core.messages import LandmarksMessage

from . import fake
from .server import Stand
from .test_sketches import DEMOS, needs_p5, stand

__all__ = ["needs_p5", "stand"]

#: Watch the canvas as a grid for two seconds: the largest share of it that differed from what it was.
MOST = """() => new Promise((resolve) => {
  const [wide, high] = [64, 40];
  const small = new OffscreenCanvas(wide, high).getContext("2d", { willReadFrequently: true });
  const look = () => {
    small.drawImage(document.querySelector("canvas"), 0, 0, wide, high);
    return small.getImageData(0, 0, wide, high).data;
  };
  const [before, began] = [look(), performance.now()];
  let most = 0;
  const again = () => {
    const now = look();
    let other = 0;
    for (let i = 0; i < now.length; i += 4) {
      other += [0, 1, 2].some((at) => Math.abs(now[i + at] - before[i + at]) > 16);
    }
    most = Math.max(most, other / (wide * high));
    if (performance.now() - began < 2000) requestAnimationFrame(again);
    else resolve(most);
  };
  again();
})"""


def somebody(demo: str, pose: str | None, x: float) -> msgspec.Struct:
    if demo == "masks":
        points = fake.face(1.0, x, pose and "wow")
        return LandmarksMessage(space="face", subject="f1", t_us=1, points=points, aspect=4 / 3)
    points = fake.skeleton(1.0, x, pose)
    return LandmarksMessage(space="body", subject="p1", t_us=1, points=points)


def clap() -> list[msgspec.Struct]:
    return [
        fake.event("trigger", "clap", 1.0),
        fake.event("enter", "clap", 1.0),
    ]


#: What is done before a sketch that waits for people; the others are clapped at.
MOVES = ("garden", "instrument", "masks", "puppet")
SEES = ("duet", *MOVES)


@pytest.mark.parametrize("demo", DEMOS)
@pytest.mark.usefixtures("needs_p5")
def test_it_reacts_to_what_is_done_before_it(
    demo: str, stand: Stand, visit: Callable[..., Any]
) -> None:
    page = visit(f"http://localhost:{stand.port}/demos/{demo}/")
    page.wait_for_function("typeof tm !== 'undefined' && tm && tm.connected && frameCount > 5")
    if demo in SEES:  # from then on it no longer plays its recorded take
        stand.say(somebody(demo, None, 0.4))
    page.wait_for_function("tm.source === 'engine'")
    if demo in SEES:  # that body is gone again after a second, and what it left
        page.wait_for_timeout(3000)
    idle = page.evaluate(MOST)
    page.evaluate(f"() => {{ window.watched = ({MOST})(); }}")
    for _ in range(10):  # who is not seen for a second has left
        stand.say(*([somebody(demo, "arms up", 0.6)] if demo in MOVES else clap()))
        page.wait_for_timeout(100)
        if demo not in MOVES:
            break
    assert page.evaluate("watched") > 1.5 * idle + 0.005
    assert page.complaints == []


@pytest.mark.usefixtures("needs_p5")
def test_a_finger_plucks_the_harp_where_there_is_no_camera(
    stand: Stand, visit: Callable[..., Any]
) -> None:
    page = visit(f"http://localhost:{stand.port}/demos/instrument/#take")
    page.wait_for_function("typeof tm !== 'undefined' && tm && frameCount > 5")
    page.evaluate("strings.forEach((string) => { string.swing = 0; })")
    page.mouse.move(100, 250)
    page.wait_for_timeout(300)
    page.mouse.click(700, 250)
    page.wait_for_function("strings.filter((string) => string.swing > 0.05).length > 4")
    page.wait_for_function("sound.state === 'running'")
    assert page.complaints == []
