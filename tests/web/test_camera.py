"""Teaching with a camera by clicking; and the engine's own camera, seen in the studio and in sketches."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import FLAGS
from .running import running
from .server import ROOT
from .test_studio import hold, part, takes, until

PART_S = 3.2
TAUGHT = """
server: {port: 0}
project: visit.tms
nodes:
  cam:    {type: browser_camera}
  body:   {type: body_landmarks, from: cam}
  pose:   {type: body_embedding, from: body}
  head:   {type: knn, from: pose}
  calm:   {type: smooth, from: head, tau_s: 0.2}
  out:    {type: websocket, from: [calm, body, cam]}
"""
DRAWN = """
server: {port: 0}
realtime: true
project: visit.tms
nodes:
  cam:    {type: walker, moves: [wave], picture: true, people: 2}
  who:    {type: walker, moves: [wave], people: 2}
  pose:   {type: body_embedding, from: who}
  head:   {type: knn, from: pose, strictness: 0.7}
  out:    {type: websocket, from: [head, cam, who], share_video: true}
"""
#: Whether the picture of the page's own camera carries the second half's white corner.
SECOND_HALF = """(() => {
  const video = document.querySelector("video.own");
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0, video.videoWidth / 12, video.videoHeight / 12, 0, 0, 1, 1);
  return context.getImageData(0, 0, 1, 1).data[0] > 128;
})()"""
LIT = """(() => {
  const canvas = document.querySelector("%s");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let lit = 0;
  for (let i = 0; i < data.length; i += 4) lit += data[i + 3] === 255 ? 1 : 0;
  return lit / (data.length / 4);
})()"""


@pytest.fixture(scope="module")
def clip(needs_data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One person at rest for a while, then with a hand at the head, round and round at 30 fps."""
    import cv2

    video = cv2.VideoCapture(str(needs_data("webcam_clips") / "asl_learn.mkv"))
    frames = []
    while (got := video.read())[0]:
        frames.append(cv2.resize(got[1], (640, 480)))
    rate_hz = video.get(cv2.CAP_PROP_FPS)
    path = tmp_path_factory.mktemp("clip") / "clip.mjpeg"
    with path.open("wb") as file:
        for second, (start_s, stop_s) in enumerate(((0.0, 0.1), (0.75, 0.95))):
            few = [one.copy() for one in frames[round(start_s * rate_hz) : round(stop_s * rate_hz)]]
            for one in few:
                one[:48, :64] = 255 * second
            jpegs = [cv2.imencode(".jpg", one)[1].tobytes() for one in few]
            there_and_back = [*jpegs, *jpegs[-2:0:-1]]
            for i in range(round(PART_S * 30)):
                file.write(there_and_back[i // 3 % len(there_and_back)])
    return path


def test_a_visit_with_a_camera(
    needs_vision: Callable[[str], None],
    needs_chromium: str,
    chromium: Any,
    clip: Path,
    tmp_path: Path,
    artefacts: Path,
) -> None:
    needs_vision("body_landmarks")
    complaints: list[str] = []
    browser = chromium.browser_type.launch(
        executable_path=needs_chromium, args=[*FLAGS, f"--use-file-for-fake-video-capture={clip}"]
    )
    with running(tmp_path, TAUGHT) as address:
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        page.wait_for_selector(".adder:not([hidden]) input")
        for label in ("rest", "think"):
            page.fill("[aria-label='Name of a new class']", label)
            page.click("text=Add class")
        page.click("text=My camera")
        until(page, "document.querySelector('video.own').videoWidth > 0")
        until(page, LIT % ".picture" + " > 0.002")  # a skeleton over it
        for _ in range(2):  # of one take alone nothing could be judged
            for label, second in (("rest", "!"), ("think", "")):
                until(page, f"{'' if second else '!'}{SECOND_HALF}")
                until(page, f"{second}{SECOND_HALF}")
                page.wait_for_timeout(400)
                hold(page, label, 1.4)
        for label in ("rest", "think"):
            counted = f"parseInt(document.querySelector('[data-label={label}] .count').textContent)"
            until(page, f"{counted} === 2")

        for second, label in (("!", "rest"), ("", "think")):
            until(page, f"{second}{SECOND_HALF} && document.querySelector('.now').textContent === '{label}'")  # fmt: skip
        part(page, "How good")
        page.wait_for_selector("table.confusion")
        assert page.locator("table.confusion td.wrong").count() == 0
        page.screenshot(path=artefacts / "studio-camera.png")
        page.emulate_media(color_scheme="dark")
        page.screenshot(path=artefacts / "studio-camera-dark.png")

        page.hover('[data-label="think"] .takes li')
        page.click('[data-label="think"] .takes .remove')
        until(page, f"{counted} === 1")
        page.click("text=Undo")
        until(page, f"{counted} === 2")

        page.set_viewport_size({"width": 390, "height": 844})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.locator("#tabs").get_by_role("button", name="Now", exact=True).click()
            page.wait_for_timeout(300)
            page.screenshot(path=artefacts / f"studio-camera-phone-{scheme}.png")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.reload()
        page.wait_for_selector("text=Looking only.")
        until(page, "document.querySelectorAll('.bars li').length === 2")  # what was taught is kept
    browser.close()
    # The engine went before the page did.
    assert [one for one in complaints if "WebSocket" not in one] == []


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """An engine whose camera is a drawing of two people, and the folder of its own sketch."""
    folder = tmp_path_factory.mktemp("drawn")
    sketch = folder / "sketch"
    sketch.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMSTREAM_STATE", str(folder / "state"))
        with running(folder, DRAWN, "--sketch", str(sketch)) as address:
            yield address, sketch


def test_the_studio_shows_the_engines_camera_and_its_graph(
    drawn: tuple[str, Path], visit: Callable[..., Any], artefacts: Path
) -> None:
    page = visit(drawn[0], width=1440, height=900)
    page.wait_for_selector(".adder:not([hidden]) input")
    until(page, LIT % ".picture" + " > 0.9")  # a picture fills the stage, not lines alone
    page.locator("#side .segments").get_by_role("button", name="How good", exact=True).click()
    assert page.input_value("[aria-label=Strictness]") == "0.7"
    part(page, "Engine")
    until(page, "document.querySelectorAll('.graph .node.running').length === 5")
    said = page.get_attribute(".graph svg", "aria-label")
    assert "cam is a walker" in said
    assert "out reads head and cam and who" in said
    assert page.locator(".graph .edge").count() == 5
    assert re.search(r"\d/s", page.locator(".graph .figures").first.text_content())
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=artefacts / f"studio-engine-{scheme}.png")
    part(page, "Sketch")
    page.click("text=Link for phones")
    until(page, "document.querySelector('.guests').textContent.includes('only listens to this machine')")  # fmt: skip
    page.click("text=Invite an attendant")
    until(page, "document.querySelector('.guests a')?.href.includes('/attendant/#c=')")
    assert page.complaints == []


SKETCHES = {
    "p5 1.x": ("p5-v1", "function setup() { createCanvas(320, 240); tm = tmstream.connect(OPTIONS); }"),
    "p5 2.x": ("p5", "async function setup() { createCanvas(320, 240); tm = await tmstream.connect(OPTIONS); }"),
}  # fmt: skip


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("p5", SKETCHES)
def test_a_sketch_draws_the_engines_camera(
    drawn: tuple[str, Path], visit: Callable[..., Any], artefacts: Path, p5: str, mirror: bool
) -> None:
    if not (ROOT / "demos" / "node_modules" / "p5").is_dir():
        pytest.skip("p5 is not installed; npm install --prefix demos")
    package, setup = SKETCHES[p5]
    setup = setup.replace("OPTIONS", f"{{ mirror: {str(mirror).lower()} }}")
    draw = """function draw() {
      background(255, 0, 0);
      if (tm?.video) image(tm.video, 0, 0, width, height);
      window.hands = (tm?.bodies ?? []).map((one) => one.right_wrist.y < one.nose.y && one.right_wrist);
    }
    function lit() { // the brightest green near each right hand, once it is raised
      const context = document.querySelector("canvas").getContext("2d");
      return hands.map((hand) => hand && Math.max(...context.getImageData(hand.x - 15, hand.y - 15, 30, 30).data.filter((_, i) => i % 4 === 1)));
    }"""
    (drawn[1] / "index.html").write_text(
        '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">'
        f'<script src="/vendor/{package}/lib/p5.min.js"></script><script src="/tmstream.js"></script>'
        f"<script>let tm; {setup} {draw}</script>",
        "utf-8",
    )
    home = drawn[0].partition("#")[0].replace("127.0.0.1", "localhost")
    page = visit(f"{home}sketch/")
    page.wait_for_function("typeof tm !== 'undefined' && tm?.video && window.hands?.length === 2")
    page.wait_for_function(
        "document.querySelector('canvas').getContext('2d').getImageData(2, 2, 1, 1).data[0] < 250"
    )
    assert page.evaluate("tm.video.width >= 320 && tm.video.height >= 240")
    # The skeletons lie on the people who were drawn in light chalk: nobody raises the left hand,
    # so in a picture turned the wrong way round there is nothing at the right hands.
    page.wait_for_function("lit().length === 2 && Math.min(...lit()) > 120")
    page.screenshot(path=artefacts / f"video-{package}{'-mirror' if mirror else ''}.png")
    assert page.complaints == []


def test_of_two_people_the_one_is_marked_whose_answer_was_clicked(
    visit: Callable[..., Any], tmp_path: Path
) -> None:
    with running(tmp_path, DRAWN) as address:
        page = visit("about:blank", width=1440, height=900)
        sent: list[dict[str, Any]] = []
        page.on("websocket", lambda line: line.on("framesent", lambda frame: sent.append(
            json.loads(frame) if isinstance(frame, str) else {}
        )))  # fmt: skip
        page.goto(address)
        page.wait_for_selector(".adder:not([hidden]) input")
        page.fill("[aria-label='Name of a new class']", "wave")
        page.click("text=Add class")
        hold(page, "wave", 2.0)
        page.wait_for_selector('[data-label="wave"] .takes')
        for who in ("p2", "p1"):
            page.locator(".answer", has_text=f" · {who} · ").first.click(timeout=15_000)
            assert f"” to {who} at " in page.inner_text(".marks p >> nth=0")
            page.click("text=That was it")
            until(page, "[...document.querySelectorAll('.toast')].some((one) => one.textContent.includes('learned'))")  # fmt: skip
            (mark,) = [one for one in sent if one.get("type") == "mark"]
            assert mark["subject"] == who
            sent.clear()


def test_of_two_people_the_nearest_is_taught_or_everybody_as_is_said(
    visit: Callable[..., Any], tmp_path: Path, artefacts: Path
) -> None:
    with running(tmp_path, DRAWN) as address:
        page = visit(address, width=1280, height=900)
        page.wait_for_selector(".adder:not([hidden]) input")
        page.fill("[aria-label='Name of a new class']", "wave")
        page.click("text=Add class")
        said = page.locator(".company")
        said.get_by_text("2 people in the picture: learn from").wait_for()
        page.screenshot(path=artefacts / "studio-two-people.png")
        nearest = ""

        def learning() -> None:
            said.get_by_text("2 people in the picture: learning from").wait_for()
            nonlocal nearest
            assert page.locator(".company select").is_disabled()
            (nearest,) = re.findall(r"the nearest \((p[12])\)", said.inner_text())

        hold(page, "wave", 1.5, during=learning)
        toast = page.locator(".toast", has_text=" recorded")
        assert toast.inner_text().startswith("wave: ")
        assert f" recorded of {nearest} alone" in toast.inner_text()
        page.wait_for_selector('[data-label="wave"] .takes')
        assert takes(page, "wave") == 1
        page.screenshot(path=artefacts / "studio-taken.png")

        page.select_option("[aria-label='Whom it learns from']", "all")
        hold(page, "wave", 1.5, during=learning)
        page.locator(".toast", has_text="of 2 people (p1, p2)").wait_for()
        counted = "parseInt(document.querySelector('[data-label=wave] .count').textContent)"
        until(page, f"{counted} === 3")  # a take each
        page.click("text=Take back")
        until(page, f"{counted} === 1")
        assert page.complaints == []
