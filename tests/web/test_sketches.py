"""tmstream.js and the demos in a real Chromium, against a stand-in engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tmstream.core.messages import LandmarksMessage

from . import fake
from .server import CLIENT, ROOT, Stand

DEMOS = sorted(one.parent.name for one in (ROOT / "demos").glob("*/take.jsonl"))
P5 = {"p5 1.x": "p5-v1", "p5 2.x": "p5"}

Visit = Callable[..., Any]


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    with Stand({"/page/": tmp_path}) as one:
        yield one


@pytest.fixture
def needs_p5() -> None:
    if not (ROOT / "demos" / "node_modules" / "p5").is_dir():
        pytest.skip("p5 is not installed; npm install --prefix demos")


def page_of(folder: Path, scripts: str, body: str = "") -> None:
    (folder / "index.html").write_text(
        f'<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">{scripts}<body>{body}</body>',
        "utf-8",
    )


def with_p5(name: str, script: str, kind: str = "text/javascript") -> str:
    return (
        f'<script src="/demos/node_modules/{P5[name]}/lib/p5.min.js"></script>'
        f'<script src="/tmstream.js"></script><script type="{kind}">{script}</script>'
    )


GLOBAL = {
    "p5 2.x": """
        let tm, told = [], drawn = 0;
        async function setup() { createCanvas(200, 100); tm = await tmstream.connect(); tm.classifyStart(gotResults); }
        function gotResults(results, error) { told.push(results[0].label); }
        function classEntered(label, event) { told.push("entered " + label); }
        function draw() { drawn += tm.triggered("clap"); background(drawn ? 255 : 0, 0, 0); }
    """,
    "p5 1.x": """
        let tm, told = [], drawn = 0;
        function preload() { tm = tmstream.connect(); }
        function setup() { createCanvas(200, 100); tm.classifyStart(gotResults); }
        function gotResults(results, error) { told.push(results[0].label); }
        function classEntered(label, event) { told.push("entered " + label); }
        function draw() { drawn += tm.triggered("clap"); background(drawn ? 255 : 0, 0, 0); }
    """,
}

RED = "() => document.querySelector('canvas').getContext('2d').getImageData(5, 5, 1, 1).data[0] === 255"


@pytest.mark.parametrize("p5", P5)
@pytest.mark.usefixtures("needs_p5")
def test_a_global_sketch(p5: str, stand: Stand, visit: Visit, tmp_path: Path) -> None:
    page_of(tmp_path, with_p5(p5, GLOBAL[p5]))
    page = visit(f"http://localhost:{stand.port}/page/")
    page.wait_for_function("typeof tm !== 'undefined' && tm && tm.connected && frameCount > 2")
    assert not page.evaluate(RED)
    stand.say(
        fake.prediction(1.0, 1, "clap"),
        fake.event("trigger", "clap", 1.0),
        fake.event("enter", "hum", 1.1),
    )
    page.wait_for_function(RED)
    assert page.evaluate("told") == ["clap", "entered hum"]
    assert page.evaluate("drawn") == 1
    stand.say(landmarks(0.25))
    page.wait_for_function("tm.bodies.length === 1")
    assert page.evaluate("Math.round(tm.bodies[0].left_wrist.x)") == 50  # of 200 pixels
    page.evaluate("remove()")
    page.wait_for_function("!tm.connected")
    assert page.complaints == []


def landmarks(x: float) -> msgspec.Struct:
    return LandmarksMessage(space="body", subject="p1", t_us=1, points=[[x, 0.5, 0.0, 1.0]] * 33)


@pytest.mark.parametrize("p5", P5)
@pytest.mark.usefixtures("needs_p5")
def test_instance_mode_in_a_module(p5: str, stand: Stand, visit: Visit, tmp_path: Path) -> None:
    script = """
        import "/tmstream.js";
        new p5((s) => {
          s.setup = () => { s.createCanvas(200, 100); window.tm = tmstream.connect({ sketch: s }); s.hits = 0; };
          s.classTriggered = (label) => { s.hits += label === "clap" ? 1 : 100; };
          s.draw = () => { s.background(s.hits === 1 ? 255 : 0, 0, 0); };
        });
    """
    page_of(
        tmp_path, with_p5(p5, script, "module").replace('<script src="/tmstream.js"></script>', "")
    )
    page = visit(f"http://localhost:{stand.port}/page/")
    page.wait_for_function("window.tm && tm.connected")
    stand.say(fake.event("trigger", "clap", 1.0))
    page.wait_for_function(RED)
    assert page.complaints == []


def test_a_plain_page_and_its_keys(stand: Stand, visit: Visit, tmp_path: Path) -> None:
    script = '<script src="/tmstream.js"></script><script>const heard = []; const tm = tmstream.connect({ simulateKeys: true }); tm.on("trigger", (e) => heard.push([e.label, Boolean(e.simulated)]));</script>'
    page_of(tmp_path, script)
    page = visit(f"http://localhost:{stand.port}/page/")
    page.wait_for_function("tm.connected")
    stand.say(fake.event("trigger", "whistle", 1.0))
    page.wait_for_function("heard.length === 1")
    page.keyboard.press("1")
    page.evaluate("document.body.append(document.createElement('input'))")
    page.focus("input")
    page.keyboard.press("2")  # somebody writes a number
    assert page.evaluate("heard") == [["whistle", False], ["clap", True]]
    assert page.complaints == []


@pytest.mark.parametrize(
    ("address", "allow", "words"),
    [
        ("", False, "is running, but this page"),
        ("localhost:1", True, "tmstream is not running at localhost:1"),
        ("OTHER", True, "it is not tmstream"),
    ],
)
def test_it_says_why_there_is_no_connection(
    address: str, allow: bool, words: str, stand: Stand, visit: Visit, tmp_path: Path
) -> None:
    stand.allow = allow
    page_of(
        tmp_path,
        f'<script src="/tmstream.js"></script><script>const tm = tmstream.connect({json.dumps(address)});</script>',
        "<canvas></canvas>",
    )
    with Stand({}) as other:
        other.engine = "a fridge"
        if address == "OTHER":
            other.allow = False
            text = (
                (tmp_path / "index.html")
                .read_text("utf-8")
                .replace("OTHER", f"localhost:{other.port}")
            )
            (tmp_path / "index.html").write_text(text, "utf-8")
        page = visit(f"http://localhost:{stand.port}/page/")
        notice = page.wait_for_selector("[data-tmstream=notice]", timeout=15_000)
        assert words in notice.inner_text()
        assert words in page.evaluate("tm.problem")
    if not allow:
        stand.allow = True  # it keeps trying
        page.wait_for_function("tm.connected", timeout=15_000)
        assert page.query_selector("[data-tmstream=notice]") is None


def test_quiet_keeps_the_projector_clean(visit: Visit, stand: Stand, tmp_path: Path) -> None:
    page_of(
        tmp_path,
        '<script src="/tmstream.js"></script><script>const tm = tmstream.connect("localhost:1", { quiet: true });</script>',
    )
    page = visit(f"http://localhost:{stand.port}/page/")
    page.wait_for_function("tm.problem")
    assert page.query_selector("[data-tmstream=notice]") is None


#: Share of bright pixels in the ring where only a flower reaches.
BRIGHT = """() => {
  const canvas = document.querySelector("canvas");
  const size = Math.min(canvas.width, canvas.height);
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let bright = 0;
  for (let y = 0; y < canvas.height; y += 2) for (let x = 0; x < canvas.width; x += 2) {
    const far = Math.hypot(x - canvas.width / 2, y - canvas.height / 2) / size;
    const at = 4 * (y * canvas.width + x);
    if (far > 0.36 && far < 0.48 && data[at] + data[at + 1] + data[at + 2] > 200) bright += 1;
  }
  return bright;
}"""


@pytest.mark.usefixtures("needs_p5")
def test_hello_opens_a_flower_for_a_clap(stand: Stand, visit: Visit) -> None:
    page = visit(f"http://localhost:{stand.port}/demos/hello/")
    page.wait_for_function("typeof tm !== 'undefined' && tm && tm.connected && frameCount > 5")
    assert page.evaluate("tm.source") == "engine"
    before = page.evaluate(BRIGHT)
    stand.say(fake.event("trigger", "clap", 1.0))
    page.wait_for_function(f"({BRIGHT})() > {before + 50}", timeout=10_000)
    assert page.complaints == []


#: More than any demo shows while it waits.
COLOURS = 13

#: Watch the canvas as a grid of lightness, and find the largest share of it that went up and down
#: by a tenth more than three times within one second (WCAG 2.3.1, general flash): for two seconds,
#: or, where drawing is slow, until so many colours have been seen, at most twenty.
FLASHES = """(wanted = 0) => new Promise((resolve) => {
  const [wide, high] = [16, 10];
  const small = new OffscreenCanvas(wide, high).getContext("2d", { willReadFrequently: true });
  const canvas = document.querySelector("canvas");
  const turns = Array.from({ length: wide * high }, () => []);
  const state = Array.from({ length: wide * high }, () => ({ extreme: null, way: 1 }));
  const colours = new Set();
  const began = performance.now();
  const linear = (v) => (v / 255) ** 2.2;
  const look = () => {
    small.drawImage(canvas, 0, 0, wide, high);
    const data = small.getImageData(0, 0, wide, high).data;
    const now = performance.now() - began;
    for (let i = 0; i < wide * high; i++) {
      const light = 0.2126 * linear(data[4 * i]) + 0.7152 * linear(data[4 * i + 1]) + 0.0722 * linear(data[4 * i + 2]);
      colours.add((data[4 * i] >> 3) * 1024 + (data[4 * i + 1] >> 3) * 32 + (data[4 * i + 2] >> 3));
      const one = state[i];
      one.extreme ??= light;
      if ((light - one.extreme) * one.way > 0) one.extreme = light; // still on its way
      if (Math.abs(light - one.extreme) >= 0.1) { turns[i].push(now); one.way *= -1; one.extreme = light; }
    }
    if (now < 2000 || (colours.size < wanted && now < 20000)) return requestAnimationFrame(look);
    let worst = 0;
    for (let at = 0; at <= now - 1000; at += 250) {
      const share = turns.filter((times) => times.filter((t) => t >= at && t < at + 1000).length > 6).length / turns.length;
      worst = Math.max(worst, share);
    }
    resolve({ worst, colours: colours.size });
  };
  look();
})"""


@pytest.mark.parametrize(("hz", "flashes"), [(2, False), (6, True)])
def test_the_flash_meter_tells_a_flash(
    hz: int, flashes: bool, visit: Visit, stand: Stand, tmp_path: Path
) -> None:
    # Its time passes by the picture: however slowly this machine draws, none of them is left out.
    script = f"""<canvas></canvas><script>
        const context = document.querySelector("canvas").getContext("2d");
        let pictures = 0;
        performance.now = () => 1000 / 60 * pictures;
        const draw = () => {{
          pictures += 1;
          context.fillStyle = Math.floor(performance.now() / 1000 * {2 * hz}) % 2 ? "#ddd" : "#222";
          context.fillRect(0, 0, 300, 150);
          requestAnimationFrame(draw);
        }};
        requestAnimationFrame(draw);</script>"""
    page_of(tmp_path, "", script)
    page = visit(f"http://localhost:{stand.port}/page/")
    assert (page.evaluate(FLASHES)["worst"] > 0.9) is flashes


@pytest.mark.parametrize("demo", DEMOS)
@pytest.mark.usefixtures("needs_p5")
def test_every_demo_plays_its_take_offline(demo: str, stand: Stand, visit: Visit) -> None:
    page = visit(f"http://localhost:{stand.port}/demos/{demo}/#take")
    page.wait_for_function(
        "typeof tm !== 'undefined' && tm && tm.source === 'take' && frameCount > 5"
    )
    seen = page.evaluate(FLASHES, COLOURS)
    assert seen["colours"] >= COLOURS, "an empty canvas"
    assert seen["worst"] < 0.25, "it flashes"
    assert (
        page.evaluate(
            "document.querySelector('[id$=fallbackDesc], [id$=Description]').innerText.length"
        )
        > 40
    )
    assert page.complaints == []
    assert page.outside == []
    assert stand.received == []


def test_the_gallery_shows_every_demo(stand: Stand, visit: Visit) -> None:
    page = visit(f"http://localhost:{stand.port}/demos/")
    links = page.eval_on_selector_all("li a", "all => all.map((one) => one.getAttribute('href'))")
    assert sorted(links) == [f"{demo}/" for demo in DEMOS]
    assert len(links) >= 6
    page.eval_on_selector_all("img", "all => all.forEach((one) => { one.loading = 'eager'; })")
    page.wait_for_function(
        "[...document.images].every((one) => one.complete && one.naturalWidth > 100)"
    )
    assert page.complaints == []


def test_demos_are_short_and_described() -> None:
    for demo in DEMOS:
        folder = ROOT / "demos" / demo
        source = (folder / "sketch.js").read_text("utf-8")
        assert len(source.splitlines()) < 150, demo
        assert "describe(" in source
        assert len((folder / "README.md").read_text("utf-8").splitlines()) <= 10
        assert (folder / "take.jsonl").stat().st_size < 500_000


def test_the_take_of_the_masks_is_what_is_staged() -> None:
    _, *played = (ROOT / "demos" / "masks" / "take.jsonl").read_bytes().splitlines()
    assert played == [msgspec.json.encode(one) for one in fake.faces(5.6)]


def test_p5_is_pinned_to_one_version() -> None:
    """The offline copy, the network copy and the hosted template are the same files."""
    wanted = json.loads((ROOT / "demos" / "package.json").read_text("utf-8"))["dependencies"]
    loader = (ROOT / "demos" / "load-p5.js").read_text("utf-8")
    assert f"npm/p5@{wanted['p5']}/" in loader
    assert f"npm/p5@{wanted['p5-v1'].rpartition('@')[2]}/" in loader
    assert f"npm/p5@{wanted['p5']}/" in (ROOT / "demos" / "hosted" / "index.html").read_text(
        "utf-8"
    )


@pytest.mark.usefixtures("needs_p5")
def test_the_integrity_hashes_are_those_of_the_installed_files() -> None:
    import base64
    import hashlib

    loader = (ROOT / "demos" / "load-p5.js").read_text("utf-8")
    for name in P5.values():
        built = (ROOT / "demos" / "node_modules" / name / "lib" / "p5.min.js").read_bytes()
        assert base64.b64encode(hashlib.sha384(built).digest()).decode() in loader


def test_the_client_is_one_classic_script() -> None:
    source = (CLIENT / "tmstream.js").read_text("utf-8")
    assert "\nexport " not in source
    assert "\nimport " not in source
