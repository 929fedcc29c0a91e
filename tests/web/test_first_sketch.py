"""What a newcomer pastes first runs as it is written: `tmstream new`, the README, the studio's lines."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tmstream.cli.new import SKETCH

from . import fake
from .server import CLIENT, Stand
from .test_sketches import P5, needs_p5, page_of, stand, with_p5

__all__ = ["needs_p5", "stand"]

NEW = SKETCH.format(name="mine", folder="mine", project="mine.tms")
READ = re.findall(r"```js\n(.*?)```", (CLIENT / "README.md").read_text("utf-8"), re.DOTALL)[0]
#: Share of the canvas that is not the colour of its first pixel.
DRAWN = """(() => {
  const canvas = document.querySelector("canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let other = 0;
  for (let i = 0; i < data.length; i += 4) other += data[i] !== data[0] ? 1 : 0;
  return other / (data.length / 4);
})()"""


@pytest.mark.parametrize("p5", P5)
@pytest.mark.parametrize("sketch", [NEW, READ], ids=["tmstream new", "README"])
@pytest.mark.usefixtures("needs_p5")
def test_it_runs_as_it_is_written(
    p5: str, sketch: str, stand: Stand, visit: Callable[..., Any], tmp_path: Path
) -> None:
    page_of(tmp_path, with_p5(p5, sketch))
    page = visit(f"http://localhost:{stand.port}/page/")
    page.wait_for_function("tm && tm.connected && frameCount > 2")
    before = page.evaluate(DRAWN)
    stand.say(fake.prediction(1.0, 1, "clap"), fake.event("trigger", "clap", 1.0))
    page.wait_for_function(f"{DRAWN} > {before}")
    assert page.complaints == []
