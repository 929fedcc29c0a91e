// A sketch on a web host. It connects to the tmstream that runs on the computer where it is looked at.
// Another engine: add its address to the page's own, as in https://my.host/sketch/?engine=192.168.1.20:8765

let tm;
let size = 60;

function setup() {
  createCanvas(400, 400);
  const engine = new URLSearchParams(location.search).get("engine") || "localhost:8765";
  tm = tmstream.connect(engine, { simulateKeys: true, labels: ["one", "two", "three"] });
  tm.classifyStart(gotResults);
  describe("A circle that grows with every recognised sound, and a line that names it.");
}

function gotResults(results, error) {
  if (error) console.log(error.message);
}

function draw() {
  background(245, 242, 234);
  for (const label of tm.labels) if (tm.triggered(label) || tm.is(label)) size = 320;
  size = lerp(size, 60 + 120 * tm.level, 0.06);
  noStroke();
  fill(47, 143, 124);
  circle(width / 2, height / 2, size);
  fill(40);
  textAlign(CENTER);
  textSize(18);
  text(tm.label || "…", width / 2, 372);
}
