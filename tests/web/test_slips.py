"""One wrong input at each door of the studio: one clear line, and nothing lost. And one fader for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .test_files import drop
from .test_studio import engine, hold, part, takes, until

__all__ = ["engine"]

MARKUP = "<img src=x onerror=alert(1)><b>hi</b>"
TOASTS = "[...document.querySelectorAll('.toast')].map((one) => one.textContent)"
LABELS = "[...document.querySelectorAll('.class')].map((one) => one.dataset.label)"
FADER = "document.querySelector('[aria-label=Strictness]')"


def said(page: Any, words: str) -> None:
    """Wait until a toast says so."""
    until(page, f"{TOASTS}.some((text) => text.includes({words!r}))")
    page.evaluate("document.getElementById('toasts').replaceChildren()")


def named(page: Any, name: str) -> None:
    page.fill("[aria-label='Name of a new class']", name)
    page.click("text=Add class")


def test_each_slip_is_told_in_one_line(engine: str, visitor: Callable[..., Any]) -> None:
    page = visitor(engine, viewport={"width": 1280, "height": 800})
    page.wait_for_selector(".adder:not([hidden]) input")
    page.on("dialog", lambda dialog: dialog.dismiss())
    assert page.locator(".uplink button:visible").all_inner_texts() == ["My microphone"]
    assert page.locator("text=That was it").is_disabled(), (
        "nothing has been taught that it could be"
    )

    named(page, "   ")
    said(page, "Give the class a name first.")
    named(page, "x" * 200)
    said(page, "A name has at most 80 characters; this one has 200.")
    assert page.input_value("[aria-label='Name of a new class']") == "x" * 200, "it can be mended"
    named(page, "hum")
    named(page, " hum ")
    said(page, "There is a class “hum” already.")
    named(page, MARKUP)
    assert page.evaluate(LABELS) == [MARKUP, "hum"]
    assert page.locator("main img, main b:has-text('hi')").count() == 0

    hold(page, "hum", 2.5)  # the stand-in hums
    page.wait_for_selector('[data-label="hum"] .takes')
    before = takes(page, "hum")
    page.click("[data-label='hum'] .play")
    page.wait_for_selector("[data-label='hum'] .takes select")
    assert page.locator("[data-label='hum'] .takes select option").all_inner_texts() == ["move to …", MARKUP]  # fmt: skip

    home = page.url
    page.evaluate(
        "window.left = []; addEventListener('drop', (e) => left.push(!e.defaultPrevented))"
    )
    drop(page, "#live", {"a.wav": b"RIFF"})
    said(page, "Drop files on a class.")
    drop(page, "#teach .panel", {"notes.pdf": b"%PDF"})
    until(page, "document.querySelector('.job p').textContent === 'nothing taken, 1 file skipped'")
    part(page, "Engine")
    page.get_by_role("button", name="Save", exact=True).click()
    said(page, "Give the snapshot a name first.")

    page.click("#top >> text=Lock")
    page.wait_for_selector("text=Locked for the show.")
    assert page.locator(".adder:visible").count() == 1, "only the one for snapshots"
    drop(page, "[data-label='hum']", {"a.wav": b"RIFF"})
    said(page, "Locked: files are taken once it is unlocked.")
    assert page.evaluate("left") == [False, False], "a dropped file would replace the studio"
    page.click("text=Unlock")
    page.wait_for_selector(".adder:visible input")
    assert (page.url, takes(page, "hum")) == (home, before)

    wrong = visitor(f"{home}#c=wrong")
    said(wrong, "belongs to an earlier start. Open the studio anew: tmstream open")
    wrong.wait_for_selector("text=Looking only.")


def test_the_fader_follows_whoever_moves_it(engine: str, visitor: Callable[..., Any]) -> None:
    page = visitor(engine)
    page.wait_for_selector(".adder:not([hidden]) input")
    other = visitor(page.url)  # may only look; it is told all the same
    other.wait_for_selector("text=Looking only.")
    for value in ("0.8", "0.35"):
        page.evaluate(f"{FADER}.value = {value}; {FADER}.dispatchEvent(new Event('input'))")
        page.evaluate(f"{FADER}.dispatchEvent(new Event('change'))")
        until(other, f"{FADER}.value === '{value}'", timeout=10_000)
    assert other.locator("[aria-label='Strictness']").is_disabled()


def test_receipts_scenes_and_snapshots_tell_the_truth(
    engine: str, visitor: Callable[..., Any]
) -> None:
    page = visitor(engine)
    page.wait_for_selector(".adder:not([hidden]) input")
    page.on("dialog", lambda dialog: dialog.accept())
    named(page, "hum")
    hold(page, "hum", 4.5)
    page.wait_for_selector('[data-label="hum"] .takes')
    assert "no. 1" in page.inner_text('[data-label="hum"] .takes li:last-child small')
    part(page, "Engine")
    page.fill("[aria-label='Name of a snapshot']", "opening")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_selector("text=Restore")
    assert "undefined" not in page.inner_text("#side")

    scene = page.locator("[data-key='scene hum']")
    scene.click()
    pressed = "document.querySelector('[data-key=\"scene hum\"]').getAttribute('aria-pressed')"
    until(page, f"{pressed} === 'true'")
    page.click("#top >> text=Undo")
    until(page, f"{pressed} === 'false'", timeout=5_000)

    part(page, "Why")  # one sound gives several examples; what is deleted is the sound
    page.locator(".answer", has_text="hum").first.click(timeout=15_000)
    page.wait_for_selector(".votes .takes li")
    before = takes(page, "hum")
    page.locator(".votes .remove").first.evaluate("(one) => one.click()")
    said(page, "example deleted")
    until(page, f"parseInt(document.querySelector('[data-label=hum] .count')?.textContent ?? '0') === {before - 1}")  # fmt: skip


def test_who_records_again_at_once_is_asked_to_wait_and_then_recorded(
    engine: str, visitor: Callable[..., Any]
) -> None:
    page = visitor("about:blank", viewport={"width": 1280, "height": 800})
    sent: list[str] = []
    page.on("websocket", lambda line: line.on("framesent", lambda frame: sent.append(str(frame))))
    page.goto(engine)
    page.wait_for_selector(".adder:not([hidden]) input")
    named(page, "hum")
    button = "document.querySelector('[data-label=hum] .record').textContent"
    hold(page, "hum", 2.5)
    page.mouse.down()
    until(page, f"{button} === 'One moment…'")
    until(page, f"{button} === 'Recording…'")
    page.wait_for_timeout(2500)
    page.mouse.up()
    page.mouse.down()
    until(page, f"{button} === 'One moment…'")
    page.mouse.up()
    said(page, "Not recorded: it was still listening")
    until(page, f"{button} === 'Hold to record'")
    page.wait_for_selector('[data-label="hum"] .takes')
    assert sum('"record_start"' in frame for frame in sent) == 2
    assert takes(page, "hum") >= 2

    assert page.locator(".toast >> text=Take back").count() == 1
    page.click("#top >> text=Undo")
    until(page, f"{TOASTS}.some((text) => text.startsWith('taken back'))")
    assert page.locator(".toast >> text=Take back").count() == 0, "it is taken back already"
