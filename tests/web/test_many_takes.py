"""A class of many takes shows the latest, and all of them to who asks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tmstream.store.project import NewExample, Project

from .running import running
from .test_studio import PIPELINE, until

CARDS = "document.querySelectorAll('[data-label=hum] .takes .play').length"


def test_the_rest_of_many_takes_is_one_button_away(
    tmp_path: Path, visitor: Callable[..., Any]
) -> None:
    rng = np.random.default_rng(1)
    with Project.open(tmp_path / "visit.tms", create=True) as project:
        for label, count in (("hum", 14), ("clap", 10)):
            for take in range(count):
                vector = rng.normal(size=1503).astype(np.float32)
                project.add([NewExample(label, "audio", vector, f"{label} {take}")])
    with running(tmp_path, PIPELINE) as address:
        page = visitor(address, viewport={"width": 390, "height": 844})
        page.wait_for_selector("[data-label=hum] .takes")
        assert page.evaluate(CARDS) == 9
        assert "no. 14" in page.inner_text("[data-label=hum] .takes li:first-child")
        assert page.locator("[data-label=clap] .takes .play").count() == 10, "one more is shown"
        assert page.locator("[data-label=clap] .more").count() == 0

        page.locator("[data-label=hum] .more button").press("Enter")
        until(page, f"{CARDS} === 14")
        assert "no. 1" in page.inner_text("[data-label=hum] .takes li:nth-child(14)")
        fold = "document.activeElement.closest('.more')?.textContent"
        assert page.evaluate(fold) == "show fewer", "the keyboard stays where it was"
        page.keyboard.press("Enter")
        until(page, f"{CARDS} === 9")
        assert page.evaluate(fold) == "5 more"
        page.close()  # it would look for the engine that ends here
