"""The studio as a person uses it: a real engine, a real Chromium, an injected microphone take."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tmstream.server import policy

from ..server.test_policy import COMMANDS, sample
from .conftest import PART_S
from .running import running
from .server import Stand

STUDIO = Path(__file__).resolve().parents[2] / "tmstream" / "web" / "studio"
PIPELINE = """
server: {port: 0}
project: visit.tms
nodes:
  mic:    {type: browser_microphone, stand_in: [hum]}
  sound:  {type: audio_embedding, from: mic}
  head:   {type: knn, from: sound, k: 5}
  calm:   {type: smooth, from: head, tau_s: 0.2}
  events: {type: events, from: calm}
  bars:   {type: spectrum, from: mic, hz: 20}
  out:    {type: websocket, from: [calm, events, bars]}
"""


#: Write down when the injected microphone begins with its take.
NOTE_WHEN = """(() => {
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    const stream = await ask(wanted);
    window.began = performance.now();
    return stream;
  };
})()"""


def part_begins(page: Any, number: int) -> None:
    """Wait until the take comes to its first (0: claps) or second (1: whistles) half again."""
    whole_ms = 2 * PART_S * 1000
    heard_ms = page.evaluate("performance.now() - window.began")
    page.wait_for_timeout((number * whole_ms / 2 - heard_ms) % whole_ms)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[str]:
    """Run an engine; gives the studio's address with its one-time code."""
    with running(tmp_path, PIPELINE) as address:
        yield address


def hold(
    page: Any, label: str, seconds: float, *, during: Callable[[], object] = lambda: None
) -> None:
    """Hold the record button as a finger does; ``during`` that look at something."""
    button = f'[data-label="{label}"] .record'
    page.wait_for_selector(button)
    # In one step: the card may be drawn anew at any moment.
    x, y = page.evaluate(
        """(button) => {
            const found = document.querySelector(button);
            found.scrollIntoView({ block: "nearest", behavior: "instant" });
            const { x, y } = found.getBoundingClientRect();
            return [x, y];
        }""",
        button,
    )
    page.mouse.move(x + 30, y + 15)
    page.mouse.down()
    during()
    page.wait_for_timeout(seconds * 1000)
    page.mouse.up()


def takes(page: Any, label: str) -> int:
    return int(page.inner_text(f'[data-label="{label}"] .count').split()[0])


def part(page: Any, name: str) -> None:
    page.locator("#side .segments").first.get_by_role("button", name=name, exact=True).click()


def until(page: Any, expression: str, *, timeout: float = 30_000) -> None:
    """Wait for a truth. The studio's policy forbids eval, which playwright's own waiting needs."""
    for _ in range(round(timeout / 50)):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never true: {expression}")


def test_a_visit(engine: str, visitor: Callable[..., Any], artefacts: Path) -> None:
    page = visitor(engine, viewport={"width": 1440, "height": 900}, color_scheme="light")
    home = engine.partition("#")[0]
    page.wait_for_selector(".adder:not([hidden]) input")
    assert page.url == home, "the code is gone from the address"
    until(page, "document.querySelector('.now').textContent.includes('none')")  # the performer hums

    for label in ("clap", "whistle"):
        page.fill("[aria-label='Name of a new class']", label)
        page.click("text=Add class")
    page.evaluate(NOTE_WHEN)
    page.click("text=My microphone")
    page.wait_for_selector(".switch[aria-pressed=true]")
    part_begins(page, 1)
    hold(page, "whistle", PART_S - 1.6)
    page.wait_for_selector('[data-label="whistle"] .takes')
    part_begins(page, 0)
    hold(page, "clap", PART_S - 1.2)
    page.wait_for_selector('[data-label="clap"] .takes')
    assert takes(page, "clap") >= 3
    assert takes(page, "whistle") >= 2

    # It answers while the take goes round.
    for label in ("clap", "whistle"):
        until(page, f"document.querySelector('.now').textContent === '{label}'", timeout=20_000)
    until(
        page,
        "[...document.querySelectorAll('.takes canvas')].every((one) => one.getContext('2d').getImageData(0, 0, one.width, one.height).data.some((v) => v))",
    )
    page.screenshot(path=artefacts / "studio-desktop.png")

    part(page, "How good")
    page.wait_for_selector("table.confusion")
    assert page.locator("table.confusion tbody tr").count() == 2
    page.screenshot(path=artefacts / "studio-how-good.png")

    before = takes(page, "clap")
    page.hover('[data-label="clap"] .takes li')
    page.click('[data-label="clap"] .takes .remove')
    until(
        page,
        f"parseInt(document.querySelector('[data-label=clap] .count').textContent) === {before - 1}",
    )
    page.click("text=Undo")
    until(
        page,
        f"parseInt(document.querySelector('[data-label=clap] .count').textContent) === {before}",
    )

    part(page, "Why")
    page.locator(".answer", has_text="clap").first.click(timeout=15_000)
    page.wait_for_selector(".votes .takes li")
    page.screenshot(path=artefacts / "studio-why.png")

    part(page, "Engine")
    page.wait_for_selector(".nodes tbody tr:nth-child(7)")
    page.fill("[aria-label='Name of a snapshot']", "before the opening")
    page.locator(".adder", has=page.locator("[aria-label='Name of a snapshot']")).get_by_role(
        "button"
    ).click()
    page.wait_for_selector("text=Restore")

    part(page, "Sketch")
    sketch = page.context.new_page()
    sketch.goto(home.replace("127.0.0.1", "localhost") + "demos/")
    sketch.add_script_tag(url="/tmstream.js")
    sketch.evaluate(
        "window.tm = tmstream.connect(); window.heard = []; tm.on('trigger', (e) => heard.push([e.label, Boolean(e.simulated)])); 0"
    )
    sketch.wait_for_function("tm.connected")
    page.bring_to_front()
    page.locator(".chips .chip", has_text="whistle").locator("visible=true").click()
    sketch.wait_for_function("heard.some(([label, simulated]) => label === 'whistle' && simulated)")
    assert refused(sketch) == []
    page.bring_to_front()  # behind another page it draws once a second, and each click waits for it

    page.click("text=Lock")
    page.wait_for_selector("text=Locked")
    assert page.locator('[data-label="clap"] .record').is_disabled()
    page.click("text=Locked")
    page.wait_for_selector('[data-label="clap"] .record:not([disabled])')

    # A reload has lost the session, which lived in the page's memory only.
    page.reload()
    page.wait_for_selector("text=Looking only.")
    assert page.locator("[data-label] .record").count() == 0

    page.set_viewport_size({"width": 390, "height": 844})
    for name in ("Now", "Classes", "Why", "How good", "Engine", "Sketch"):
        page.locator("#tabs").get_by_role("button", name=name, exact=True).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, (
            f"{name} is wider than a phone"
        )
    page.emulate_media(color_scheme="dark")
    page.locator("#tabs").get_by_role("button", name="Classes", exact=True).click()
    page.screenshot(path=artefacts / "studio-phone.png")


def refused(sketch: Any) -> list[str]:
    """Return the commands above a viewer's role that a sketch's page was *not* refused."""
    commands = [
        {"type": kind.__struct_config__.tag}
        | {name: value for name, value in msgspec.to_builtins(sample(kind)).items() if name != "id"}
        for kind in COMMANDS
        if not policy.may("viewer", sample(kind))
    ]
    assert len(commands) > 25, "the table of who may do what has lost its rows"
    return list(
        sketch.evaluate(
            """async (commands) => {
              const taken = [];
              for (const { type, ...fields } of commands) {
                await new Promise((resolve) => setTimeout(resolve, 60));
                await tm._line.command(type, fields).then(
                  () => taken.push(type),
                  (error) => { if (!/not for a client with the role/.test(error.message)) taken.push(`${type}: ${error}`); },
                );
              }
              return taken;
            }""",
            commands,
        )
    )


def test_the_page_is_small_and_loads_nothing_from_elsewhere() -> None:
    files = [one for one in STUDIO.iterdir() if one.is_file()]
    assert sum(one.stat().st_size for one in files) < 300_000
    for one in files:
        text = one.read_text("utf-8")
        assert not re.search(r"https?://(?!www\.w3\.org)\w", text.replace("https://my.host", "")), (
            one.name
        )
    assert " style=" not in (STUDIO / "index.html").read_text("utf-8")
    for one in STUDIO.glob("*.js"):
        assert "innerHTML" not in one.read_text("utf-8"), "labels are anybody's words"


def test_every_command_of_the_studio_is_on_the_wire() -> None:
    from tmstream.core.messages import ClientMessage

    known = {
        kind.__struct_config__.tag
        for kind in msgspec.inspect.type_info(ClientMessage).types and ClientMessage.__args__
    }
    sent = set()
    for one in STUDIO.glob("*.js"):
        sent |= set(re.findall(r'(?:command|change)\("(\w+)"', one.read_text("utf-8")))
    assert len(sent) > 12
    assert sent <= known, json.dumps(sorted(sent - known))


def test_the_studio_lets_a_foreign_page_listen(engine: str, chromium: Any, tmp_path: Path) -> None:
    port = re.search(r":(\d+)/", engine)
    assert port
    script = f'<script src="/tmstream.js"></script><script>const tm = tmstream.connect("localhost:{port[1]}");</script>'
    (tmp_path / "index.html").write_text(f'<!doctype html><meta charset="utf-8">{script}', "utf-8")
    context = chromium.new_context()
    studio = context.new_page()
    studio.goto(engine)
    studio.wait_for_selector(".adder:not([hidden]) input")
    with Stand({"/page/": tmp_path}) as elsewhere:
        foreign = context.new_page()
        foreign.goto(f"http://localhost:{elsewhere.port}/page/")
        notice = foreign.wait_for_selector("[data-tmstream=notice]", timeout=15_000)
        assert (
            f"this page (http://localhost:{elsewhere.port}) is not on its list"
            in notice.inner_text()
        )
        assert f"http://localhost:{elsewhere.port}" in studio.inner_text("#banners")
        studio.click("text=Let it listen")
        foreign.wait_for_function("tm.connected", timeout=20_000)
        assert foreign.query_selector("[data-tmstream=notice]") is None
    context.close()


def test_it_can_be_used_by_everybody(engine: str, chromium: Any) -> None:
    """axe-core finds nothing serious, on a desk and on a phone, light and dark."""
    axe = STUDIO.parents[2] / "demos" / "node_modules" / "axe-core" / "axe.min.js"
    if not axe.is_file():
        pytest.skip("axe-core is not installed; npm install --prefix demos")
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, bypass_csp=True)
    page = context.new_page()
    page.goto(engine)
    page.wait_for_selector(".adder:not([hidden]) input")
    page.fill("[aria-label='Name of a new class']", "hum")
    page.click("text=Add class")
    hold(page, "hum", 2.5)
    page.wait_for_selector('[data-label="hum"] .takes')
    page.add_script_tag(content=axe.read_text("utf-8"))
    serious = """async () => (await axe.run()).violations
        .filter((one) => one.impact === "serious" || one.impact === "critical")
        .map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(" ")}`)"""
    assert page.evaluate("axe.run().then((found) => found.passes.length)") > 20
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for name in ("Why", "How good", "Engine", "Sketch"):
            part(page, name)
            page.wait_for_timeout(300)
            assert page.evaluate(serious) == [], f"{scheme} {name}"
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate(serious) == []
    context.close()
