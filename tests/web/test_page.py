"""The studio's page alone: the test plays its engine, and may let it answer late, or refuse."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from . import fake
from .server import Stand
from .test_sketches import P5, needs_p5, page_of, with_p5
from .test_studio import STUDIO, part, until

__all__ = ["needs_p5"]

TAKES = 3
WORDS = "document.querySelector('.judging p').textContent"
FOCUS = "document.activeElement.dataset.key ?? document.activeElement.id"
QUESTION = "document.querySelector('.marks p').textContent"


class Player:
    """Answers what the page asks; what is `held` waits for `release`, what is `refused` fails."""

    def __init__(self, page: Any) -> None:
        self.examples = [
            {"id": f"{label}{take}", "label": label, "take": f"{label} {take}", "space": "audio",
             "phase": "final", "created_us": take, "source": "", "has_clip": False}
            for label in ("clap", "hum") for take in range(TAKES)
        ]  # fmt: skip
        self.held: set[str] = set()
        self.refused: set[str] = set()
        self.asked: list[dict[str, Any]] = []
        self.waiting: list[dict[str, Any]] = []
        self.stopped: list[int] = []
        self.jobs = 0
        page.route_web_socket("**/ws", self._open)

    def _open(self, line: Any) -> None:
        self.line = line
        line.on_message(self._hear)
        self.say(msgspec.structs.replace(fake.hello("control"), labels=["clap", "hum"]))

    def say(self, *messages: msgspec.Struct) -> None:
        for message in messages:
            self.line.send(msgspec.json.encode(message).decode())

    def _hear(self, text: str) -> None:
        command = json.loads(text)
        self.asked.append(command)
        (self.waiting.append if command["type"] in self.held else self._answer)(command)

    def release(self) -> None:
        self.held.clear()
        while self.waiting:
            self._answer(self.waiting.pop(0))

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.asked if one["type"] == kind]

    def _answer(self, command: dict[str, Any]) -> None:
        reply: dict[str, Any] = {"type": "reply", "id": command["id"], "ok": True}
        if command["type"] in self.refused:
            reply |= {"ok": False, "error": {"code": "input", "message": "not just now"}}
        else:
            reply["result"] = self._result(command)
        self.line.send(json.dumps(reply))

    def _result(self, command: dict[str, Any]) -> Any:
        match command:
            case {"type": "examples"}:
                return self.examples
            case {"type": "evaluate"}:
                self.jobs += 1
                return {"job": self.jobs}
            case {"type": "stop_job", "job": job}:
                self.stopped.append(job)
            case {"type": "job", "job": job}:
                state = "stopped" if job in self.stopped else "running"
                return {"state": state, "done": 1, "total": 10, "note": "", "files": []}
            case {"type": "delete_examples", "ids": ids}:
                self.examples = [one for one in self.examples if one["id"] not in ids]
            case {"type": "rename_label", "label": label, "to": to}:
                self.examples = [
                    one | {"label": to} if one["label"] == label else one for one in self.examples
                ]
            case {"type": "neighbours" | "list_snapshots" | "lint"}:
                return []
        return {}


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    with Stand({"/studio/": STUDIO, "/page/": tmp_path}) as one:
        yield one


@pytest.fixture
def opened(stand: Stand, visit: Callable[..., Any]) -> Iterator[tuple[Any, Player]]:
    page = visit("about:blank", width=1280)
    player = Player(page)
    page.goto(f"http://localhost:{stand.port}/studio/")
    page.wait_for_selector("[data-label=hum] .takes")
    yield page, player
    assert page.complaints == []


def test_a_judgement_asked_for_before_the_stop_is_stopped_when_it_begins(
    opened: tuple[Any, Player],
) -> None:
    page, player = opened
    part(page, "How good")
    until(page, f"{WORDS} === 'Judging …'")
    player.held.add("evaluate")
    page.evaluate("document.querySelector('[aria-label=\"Name of a new class\"]').value = 'snap'")
    page.click("text=Add class")  # a change: it is judged anew
    while not player.waiting:
        page.wait_for_timeout(20)
    page.click("text=Stop judging")
    page.wait_for_timeout(50)
    player.release()
    until(page, f"{WORDS}.startsWith('Judging was stopped')", timeout=15_000)
    assert player.stopped == [1, 2]


def test_the_keyboard_stays_near_what_was_deleted_or_renamed(opened: tuple[Any, Player]) -> None:
    page, _ = opened
    takes = "document.querySelectorAll('[data-label=clap] .takes li').length"
    ink = "document.querySelector('.class').style.getPropertyValue('--ink')"
    page.focus("[data-key='remove clap1']")
    page.keyboard.press("Enter")
    until(page, f"{takes} === {TAKES - 1}")
    assert page.evaluate(FOCUS) == "remove clap0", "the newest is first: the one after it"

    before = page.evaluate(ink)
    page.fill("[data-key='name clap']", "zither")
    page.keyboard.press("Enter")
    until(page, f"{FOCUS} === 'hold zither'")
    assert page.evaluate(ink.replace(".class", "[data-label=zither]")) == before


def test_a_refused_recording_gives_the_button_back(opened: tuple[Any, Player]) -> None:
    page, player = opened
    player.refused.add("record_start")
    button = "document.querySelector('[data-label=hum] .record').textContent"
    page.focus("[data-key='hold hum']")
    for _ in range(2):
        page.keyboard.down("Space")
        until(page, "document.querySelector('.toast')?.textContent === 'not just now'")
        until(page, f"{button} === 'Hold to record'", timeout=10_000)  # while it is still held
        page.keyboard.up("Space")
    assert page.locator(".toast").count() == 1, "the same line once"


def test_an_answer_that_was_clicked_is_the_one_that_was_wrong(opened: tuple[Any, Player]) -> None:
    page, player = opened
    player.say(fake.prediction(10.0, 1, "clap"), fake.prediction(12.0, 2, "hum"))
    page.locator(".answer", has_text="clap").click()
    assert "Was “clap” at" in page.evaluate(QUESTION)
    page.keyboard.press("n")
    until(page, f"{QUESTION} === 'Was its last answer right?'")
    (mark,) = player.of("mark")
    assert (mark["label"], mark["seconds"], mark["until_us"]) == (None, 0.1, 10_050_000)
    page.keyboard.press("n")
    until(page, "document.querySelectorAll('.toast').length === 1")
    assert "until_us" not in player.of("mark")[-1]


CODE = "document.querySelector('pre code').textContent"


@pytest.mark.parametrize(
    ("phase", "kinds"), [("final", ["p5 1.x"]), ("frame", ["p5 2.x", "plain page"])]
)
@pytest.mark.usefixtures("needs_p5")
def test_the_lines_to_paste_and_the_test_event_fit_what_was_taught(
    phase: str, kinds: list[str], opened: tuple[Any, Player], stand: Stand,
    visit: Callable[..., Any], tmp_path: Path,
) -> None:  # fmt: skip
    """A sound triggers; a pose or a picture never does, it is entered and left."""
    page, player = opened
    for one in player.examples:
        one["phase"] = phase
    page.reload()
    page.wait_for_selector("[data-label=hum] .takes")
    part(page, "Sketch")
    page.locator("[data-key='test clap']").click()
    sent = ["enter", "leave"] if phase == "frame" else ["trigger", "enter", "leave"]
    while len(player.of("simulate")) < len(sent):
        page.wait_for_timeout(50)
    assert [one["event"] for one in player.of("simulate")] == sent
    for kind in kinds:
        page.locator(f"[data-key='kind {kind}']").click()
        lines = page.evaluate(CODE).replace("http://localhost/", "/")
        if kind in P5:
            lines = with_p5(kind, lines.partition("// in sketch.js")[2])
        page_of(tmp_path, "", lines)
        sketch = visit(f"http://localhost:{stand.port}/page/")
        sketch.wait_for_function("tm && tm.connected && (typeof draw !== 'function' || frameCount > 2)")  # fmt: skip
        stand.say(*(fake.event(event, "clap", 1.0) for event in sent[:-1]))
        found = "size > 60" if kind in P5 else "document.body.style.background.startsWith('gold')"
        sketch.wait_for_function(found)
        assert sketch.complaints == []
