"""Judging a large project, looked at: how far it is, an end to it, and another beginning."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tmstream.store.project import NewExample, Project

from .running import running
from .test_studio import PIPELINE, part, until

LABELS, TAKES, ROWS, NUMBERS = 10, 12, 10, 1280
BAR = "document.querySelector('.judging progress')"
WORDS = "document.querySelector('.judging p').textContent"


@pytest.fixture
def large(tmp_path: Path) -> Iterator[str]:
    """Run an engine with so many pictures that judging them takes seconds."""
    rng = np.random.default_rng(0)
    with Project.open(tmp_path / "visit.tms", create=True) as project:
        for label in range(LABELS):
            middle = rng.normal(size=NUMBERS)
            project.add(
                [
                    NewExample(
                        f"class {label}", "image",
                        (middle + rng.normal(size=NUMBERS)).astype(np.float32), f"{label} {take}",
                    )
                    for take in range(TAKES)
                    for _ in range(ROWS)
                ]
            )  # fmt: skip
    with running(tmp_path, PIPELINE) as address:
        yield address


def test_judging_shows_how_far_it_is_and_can_be_stopped(
    large: str, visitor: Callable[..., Any], artefacts: Path
) -> None:
    page = visitor(large, viewport={"width": 1280, "height": 900})
    page.wait_for_selector(".adder:not([hidden]) input")
    part(page, "How good")
    until(page, f"{BAR}.checkVisibility() && {BAR}.value > 0 && {BAR}.value < {BAR}.max")
    page.screenshot(path=artefacts / "studio-judging.png")
    page.click("text=Stop judging")
    until(page, f"{WORDS}.startsWith('Judging was stopped')")
    assert page.locator("table.confusion").count() == 0

    page.click("text=Judge now")
    page.wait_for_selector("table.confusion", timeout=60_000)
    until(page, f"!{BAR}.checkVisibility()")

    page.evaluate(
        "const one = document.querySelector('[aria-label=Strictness]'); one.value = 0.8;"
        "for (const kind of ['input', 'change']) one.dispatchEvent(new Event(kind))"
    )
    until(page, f"{WORDS}.startsWith('Judging anew')")
    assert page.locator("table.confusion").count() == 1, "what was found before stays in sight"
