// An image sorter: hold up a thing that was taught by its picture, and a marble of its colour rolls into its jar.

const GLASS = ["#d1495b", "#edae49", "#00798c", "#6a994e", "#8d6a9f", "#e07a5f"];

let tm;
let marbles = [];
let tallies = new Map();

function setup() {
  createCanvas(windowWidth, windowHeight);
  tm = tmstream.connect({ take: "take.jsonl", simulateKeys: true });
  describe("A row of glass jars with handwritten names. When the camera recognises a thing, a coloured marble falls into the jar of its name, and a number counts them.");
}

function classEntered(label) {
  if (jarsOf().indexOf(label) < 0) return;
  tallies.set(label, (tallies.get(label) || 0) + 1);
  marbles.push({ label, x: width / 2 + random(-30, 30), y: -30, dx: 0, dy: 0, still: 0, shade: random(0.85, 1) });
  const mine = marbles.filter((marble) => marble.label === label);
  if (mine.length > 24) marbles.splice(marbles.indexOf(mine[0]), 1);
}

function jarsOf() {
  return tm.labels.slice(0, 6);
}

function jar(index) {
  const count = max(1, jarsOf().length);
  const wide = min(width / (count + 0.6), 210);
  return { x: width / 2 + (index - (count - 1) / 2) * wide * 1.06, wide: wide * 0.82, top: height * 0.46, floor: height * 0.86 };
}

function draw() {
  background("#f3efe6");
  drawShelf();
  drawLooking();
  const size = jar(0).wide * 0.19;
  for (const marble of marbles) move(marble, size);
  for (const marble of marbles) drawMarble(marble, size);
  jarsOf().forEach(drawJar);
}

/** A marble flies over its jar, falls in, and rests on those that were there before. */
function move(marble, size) {
  const home = jar(jarsOf().indexOf(marble.label));
  const inside = marble.y > home.top + size;
  marble.dy += 0.55;
  if (!inside) marble.dx = (home.x - marble.x) * 0.09;
  marble.x += marble.dx;
  marble.y += marble.dy;
  marble.dx *= 0.97;
  const room = home.wide / 2 - size / 2 - 4;
  if (inside && abs(marble.x - home.x) > room) {
    marble.x = home.x + Math.sign(marble.x - home.x) * room;
    marble.dx *= -0.4;
  }
  if (marble.y > home.floor - size / 2 - 4) {
    marble.y = home.floor - size / 2 - 4;
    marble.dy *= -0.3;
  }
  for (const other of marbles) {
    if (other === marble) break; // only those that came before
    const gap = dist(marble.x, marble.y, other.x, other.y);
    if (other.label !== marble.label || gap >= size || gap === 0) continue;
    const [nx, ny] = [(marble.x - other.x) / gap, (marble.y - other.y) / gap];
    marble.x += nx * (size - gap);
    marble.y += ny * (size - gap);
    marble.dx += nx * 0.5;
    marble.dy *= 0.6;
  }
}

function drawMarble(marble, size) {
  const tint = color(GLASS[max(0, jarsOf().indexOf(marble.label)) % GLASS.length]);
  noStroke();
  const shine = drawingContext.createRadialGradient(marble.x - size * 0.18, marble.y - size * 0.2, 1, marble.x, marble.y, size * 0.55);
  shine.addColorStop(0, "#ffffff");
  shine.addColorStop(0.25, tint.toString("#rrggbb"));
  shine.addColorStop(1, lerpColor(tint, color("#20202a"), 0.45 * marble.shade).toString("#rrggbb"));
  drawingContext.fillStyle = shine;
  drawingContext.beginPath();
  drawingContext.arc(marble.x, marble.y, size / 2, 0, TAU);
  drawingContext.fill();
}

function drawJar(label, index) {
  const { x, wide, top, floor } = jar(index);
  const now = tm.is(label);
  noFill();
  stroke(90, 110, 115, 150);
  strokeWeight(3);
  rect(x - wide / 2, top, wide, floor - top, 6, 6, 22, 22);
  line(x - wide * 0.56, top, x + wide * 0.56, top);
  stroke(255, 255, 255, 200);
  strokeWeight(4);
  line(x - wide * 0.4, top + 30, x - wide * 0.4, floor - 40);
  noStroke();
  fill(now ? GLASS[index % GLASS.length] : "#fffdf6");
  rect(x - wide * 0.36, floor - (floor - top) * 0.42, wide * 0.72, 42, 3);
  fill(now ? "#ffffff" : "#3b3a36");
  textAlign(CENTER, CENTER);
  textFont("Georgia, serif");
  textSize(constrain(wide * 0.12, 12, 20));
  text(label, x, floor - (floor - top) * 0.42 + 21);
  fill("#3b3a36");
  textSize(15);
  text(tallies.get(label) || 0, x, floor + 26);
}

function drawShelf() {
  noStroke();
  const { floor } = jar(0);
  fill("#b98b5e");
  rect(0, floor + 4, width, 12);
  fill("#a3774c");
  rect(0, floor + 14, width, 5);
}

function drawLooking() {
  const label = tm.label;
  const at = jarsOf().indexOf(label);
  noFill();
  stroke("#3b3a36");
  strokeWeight(2);
  const size = min(width, height) * 0.17;
  const [x, y] = [width / 2, height * 0.2];
  for (const [sx, sy] of [[-1, -1], [1, -1], [1, 1], [-1, 1]]) {
    line(x + sx * size, y + sy * size * 0.8, x + sx * size * 0.75, y + sy * size * 0.8);
    line(x + sx * size, y + sy * size * 0.8, x + sx * size, y + sy * size * 0.55);
  }
  noStroke();
  fill(at >= 0 ? GLASS[at % GLASS.length] : "#9a958a");
  textAlign(CENTER, CENTER);
  textFont("Georgia, serif");
  textSize(size * 0.22);
  text(at >= 0 ? label : "hold something up", x, y);
}

function windowResized() {
  resizeCanvas(windowWidth, windowHeight);
}
