"""Make a folder with a p5 sketch to start from."""

from __future__ import annotations

from pathlib import Path

import click

INDEX = """\
<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>{name}</title>
    <style>html, body {{ margin: 0; overflow: hidden; background: #101418; }}</style>
    <script src="{p5}"></script>
    <script src="/tmstream.js"></script>
    <script src="sketch.js"></script>
  </head>
  <body></body>
</html>
"""

SKETCH = """\
// {name}: what tmstream hears and sees moves this sketch.
// Start it with:  tmstream run sound --project {project} --sketch {folder}
const tm = tmstream.connect();

let rings = [];

function setup() {{
  createCanvas(windowWidth, windowHeight);
  colorMode(HSB, 360, 100, 100, 1);
  textAlign(CENTER, CENTER);
}}

// Called once for each recognised sound or movement; event.confidence is 0..1.
function classTriggered(label, event) {{
  rings.push({{ label, x: random(0.2, 0.8) * width, y: random(0.2, 0.8) * height, age: 0 }});
}}

function draw() {{
  background(225, 35, 12);
  drawNow();
  for (const ring of rings) {{
    ring.age += deltaTime / 1000;
    const left = 1 - ring.age / 2; // after two seconds it is gone
    fill(hueOf(ring.label), 65, 95, 0.4 * left);
    stroke(hueOf(ring.label), 50, 100, left);
    strokeWeight(10 * left);
    circle(ring.x, ring.y, 60 + 400 * sqrt(ring.age));
    noStroke();
    fill(0, 0, 100, left);
    textSize(30);
    text(ring.label, ring.x, ring.y);
  }}
  rings = rings.filter(ring => ring.age < 2);
  drawWords();
}}

// What lasts: a disc as large as the room is loud, in the colour of what is heard or seen now.
function drawNow() {{
  const near = tm.label === null ? 0 : tm.closeness(tm.label);
  const hue = tm.label === null ? 225 : hueOf(tm.label);
  noStroke();
  for (let glow = 4; glow > 0; glow--) {{
    fill(hue, 30 + 40 * near, 45 + 50 * near, 0.2);
    circle(width / 2, height / 2, (60 + 150 * near + 350 * tm.level) * (1 + glow / 5));
  }}
}}

// Delete this once you know that it works.
function drawWords() {{
  if (!tm.connected) return;
  const words = tm.labels.length
    ? `I know: ${{tm.labels.join(", ")}}`
    : "Nothing was taught yet: add a class in the studio.";
  noStroke();
  fill(0, 0, 75);
  textSize(15);
  text(words, width / 2, height - 30);
}}

// The same label always has the same colour.
function hueOf(label) {{
  let sum = 0;
  for (const letter of label) sum = (sum * 31 + letter.codePointAt(0)) % 360;
  return sum;
}}

function windowResized() {{
  resizeCanvas(windowWidth, windowHeight);
}}
"""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def new(folder: Path) -> None:
    """Make FOLDER with a p5 sketch that reacts to whatever you teach."""
    from ..core.errors import InputError

    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder}: is there already and not empty; nothing was changed")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be made ({error.strerror}); choose a folder you may write in"
        ) from error
    project = _quoted(folder.with_name(f"{folder.name}.tms"))
    names = {
        "name": folder.absolute().name, "folder": _quoted(folder), "project": project, "p5": _p5(),
    }  # fmt: skip
    (folder / "index.html").write_text(INDEX.format(**names), "utf-8")
    (folder / "sketch.js").write_text(SKETCH.format(**names), "utf-8")
    click.echo(f"{folder}: index.html and sketch.js")
    click.echo(f"start it with: tmstream run sound --project {project} --sketch {_quoted(folder)}")


def _quoted(folder: Path) -> str:
    """Return the folder as one would type it, whatever the shell."""
    name = str(folder)
    return f'"{name}"' if " " in name else name


def _p5() -> str:
    """Return where a page loads p5 from: this machine when npm brought it, else one address."""
    import json

    from ..core.resources import resource

    demos = resource("demos")
    if (demos / "node_modules/p5/lib/p5.min.js").is_file():
        return "/vendor/p5/lib/p5.min.js"
    try:
        pinned = json.loads((demos / "package.json").read_text("utf-8"))["dependencies"]["p5"]
    except (OSError, ValueError, KeyError):
        pinned = "1"
    return f"https://cdn.jsdelivr.net/npm/p5@{pinned}/lib/p5.min.js"
