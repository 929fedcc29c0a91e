// An image sorter: hold up a thing that was taught by its picture, and a marble of its colour rolls into its jar.

const GLASS = ["#d1495b", "#edae49", "#00798c", "#6a994e", "#8d6a9f", "#e07a5f"];
const MOST = 20; // marbles in a jar; then the lowest makes room

let tm;
let marbles = [];
let tallies = new Map();
let shades = [];

function setup() {
  createCanvas(windowWidth, windowHeight);
  shades = GLASS.map((tint) => lerpColor(color(tint), color("#20202a"), 0.5).toString("#rrggbb"));
  textFont("Georgia, serif");
  tm = tmstream.connect({ take: "take.jsonl", simulateKeys: true });
  describe("A row of glass jars on a shelf, with handwritten names. When the camera recognises a thing, a coloured marble flies into the jar of its name, and a number counts them.");
}

function classEntered(label) {
  if (jarsOf().indexOf(label) < 0) return;
  tallies.set(label, (tallies.get(label) || 0) + 1);
  const { x, y } = eye();
  marbles.push({ label, x, y, oldX: x - random(-3, 3), oldY: y + 4, born: frameCount });
  if (marbles.filter((one) => one.label === label).length > MOST) marbles.splice(marbles.findIndex((one) => one.label === label), 1);
}

const jarsOf = () => tm.labels.slice(0, GLASS.length);
const eye = () => ({ x: width / 2, y: jar(0).top * 0.45, size: min(width * 0.36, height * 0.14) });

function jar(index) {
  const count = max(1, jarsOf().length);
  const wide = min(width / (count + 0.4), height * 0.34);
  const floor = height * 0.8;
  return { x: width / 2 + (index - (count - 1) / 2) * wide, wide: wide * 0.8, top: floor - min(height * 0.46, wide * 2), floor };
}

function draw() {
  drawRoom();
  jarsOf().forEach(drawBack);
  const size = jar(0).wide * 0.27;
  marbles.forEach((marble) => fall(marble, size));
  for (let again = 0; again < 4; again++) marbles.forEach((marble, i) => settle(marble, i, size));
  marbles.forEach((marble) => drawMarble(marble, size * min(1, (frameCount - marble.born) / 10)));
  jarsOf().forEach(drawFront);
  drawEye();
}

/** Every marble keeps the speed it had (the step from its old place), falls, and is drawn over its jar. */
function fall(marble, size) {
  const home = jar(jarsOf().indexOf(marble.label));
  const [dx, dy] = [marble.x - marble.oldX, marble.y - marble.oldY];
  [marble.oldX, marble.oldY] = [marble.x, marble.y];
  marble.y += dy * 0.985 + 0.5;
  marble.x += marble.y < home.top + size / 2 ? (home.x - marble.x) * 0.1 : dx * 0.96;
}

/** No marble leaves its jar once it is in, and no two of a jar are in one place. */
function settle(marble, i, size) {
  const home = jar(jarsOf().indexOf(marble.label));
  const room = (home.wide - size) / 2 - 5;
  if (marble.y > home.top) marble.x = constrain(marble.x, home.x - room, home.x + room);
  marble.y = min(marble.y, home.floor - size / 2 - 6);
  for (const other of marbles.slice(0, i)) {
    const gap = other.label === marble.label ? dist(marble.x, marble.y, other.x, other.y) || 0.1 : size;
    if (gap >= size) continue;
    const push = (size - gap) / gap / 2;
    const [ox, oy] = [(marble.x - other.x) * push, (marble.y - other.y) * push];
    Object.assign(marble, { x: marble.x + ox + 0.01, y: marble.y + oy });
    Object.assign(other, { x: other.x - ox, y: other.y - oy });
  }
}

function drawMarble({ label, x, y }, size) {
  const kind = max(0, jarsOf().indexOf(label)) % GLASS.length;
  const shine = drawingContext.createRadialGradient(x - size * 0.18, y - size * 0.2, size * 0.02, x, y, size * 0.55);
  [[0, "#ffffff"], [0.25, GLASS[kind]], [1, shades[kind]]].forEach(([at, shade]) => shine.addColorStop(at, shade));
  drawingContext.fillStyle = shine;
  noStroke();
  circle(x, y, size);
}

/** Behind the marbles: the glass, warmer the closer what is seen comes to its name. */
function drawBack(label, index) {
  const { x, wide, top, floor } = jar(index);
  noStroke();
  fill(40, 30, 20, 40);
  ellipse(x + wide * 0.08, floor + 3, wide * 1.1, wide * 0.1); // its shadow on the shelf
  drawingContext.globalAlpha = 0.1 + 0.45 * tm.closeness(label);
  fill(GLASS[index % GLASS.length]);
  rect(x - wide / 2, top, wide, floor - top, 8, 8, 26, 26);
  drawingContext.globalAlpha = 1;
}

function drawFront(label, index) {
  const { x, wide, top, floor } = jar(index);
  const glass = drawingContext.createLinearGradient(x - wide / 2, 0, x + wide / 2, 0);
  for (const [at, white] of [[0, 0.5], [0.08, 0.1], [0.16, 0.55], [0.22, 0.08], [0.8, 0.04], [1, 0.4]]) glass.addColorStop(at, `rgba(255, 255, 255, ${white})`);
  stroke(90, 105, 110, 150);
  strokeWeight(2);
  drawingContext.fillStyle = glass;
  rect(x - wide / 2, top, wide, floor - top, 8, 8, 26, 26);
  fill(255, 255, 255, 90);
  rect(x - wide * 0.53, top - 6, wide * 1.06, 12, 6); // the rim
  noStroke();
  fill(tm.is(label) ? GLASS[index % GLASS.length] : "#fffdf6");
  rect(x - wide * 0.38, floor + 34, wide * 0.76, 44, 3);
  fill(tm.is(label) ? "#ffffff" : "#3b3a36");
  textAlign(CENTER, CENTER);
  textSize(constrain(wide * 0.13, 12, 20));
  text(label, x, floor + 50);
  textSize(12);
  text(tallies.get(label) || 0, x, floor + 68);
}

function drawRoom() {
  const wall = drawingContext.createRadialGradient(width / 2, height * 0.2, 0, width / 2, height * 0.2, max(width, height) * 0.75);
  wall.addColorStop(0, "#fbf3e2");
  wall.addColorStop(1, "#cdbb9d");
  drawingContext.fillStyle = wall;
  drawingContext.fillRect(0, 0, width, height);
  const { floor } = jar(0);
  noStroke();
  ["#c79a6b", "#a87b4e", "#8a6039"].forEach((wood, i) => {
    fill(wood);
    rect(0, floor + [-4, 10, 24][i], width, [14, 14, height][i]);
  });
}

function drawEye() {
  const { x, y, size } = eye();
  const at = jarsOf().indexOf(tm.label);
  noFill();
  stroke(at >= 0 ? GLASS[at % GLASS.length] : "#8d8471");
  strokeWeight(3);
  for (const sx of [-1, 1]) for (const sy of [-1, 1]) {
    line(x + sx * size, y + (sy * size) / 2, x + sx * size * 0.75, y + (sy * size) / 2);
    line(x + sx * size, y + (sy * size) / 2, x + sx * size, y + (sy * size) / 4);
  }
  noStroke();
  fill(at >= 0 ? GLASS[at % GLASS.length] : "#6d6553");
  textAlign(CENTER, CENTER);
  textSize(size * (at >= 0 ? 0.3 : 0.2));
  text(at >= 0 ? tm.label : jarsOf().length ? "show me" : "nothing was taught", x, y - (at >= 0 ? 0 : size * 0.12));
  textSize(size * 0.13);
  if (at < 0) text(jarsOf().join(", ") || "add a class in the studio", x, y + size * 0.16);
}

function windowResized() { resizeCanvas(windowWidth, windowHeight); }
