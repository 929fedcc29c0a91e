// A herbarium for a museum wall: every recognised sound grows one pressed plant; each label is a species.
// When the sheet is full a new one is laid over it.
const INKS = ["#3f5d45", "#7b3f3a", "#3d4f6e", "#8a6a2f", "#5b4a6f", "#2f6b6a"];
const PLACES = 10; // on a sheet, the middle ones first
const GROWING_MS = 1500;

let tm;
let plants = [];
let paper;
let turning = 0; // 1 down to 0 while a new sheet slides in

function setup() {
  createCanvas(windowWidth, windowHeight);
  newSheet();
  tm = tmstream.connect({ take: "take.jsonl", simulateKeys: true });
  describe("A sheet of old paper. Each recognised sound grows one pressed plant on it, drawn in ink and labelled in italics; the species depends on the sound.");
}

function classTriggered(label, event) {
  if (plants.length >= PLACES) {
    plants = [];
    newSheet();
    turning = 1;
  }
  plants.push({ label, kind: max(0, tm.labels.indexOf(label)), born: millis(), seed: floor(Math.random() * 1e6), confidence: event.confidence });
}

/** Where plants stand: in two long rows on a wide sheet, in five short ones on a tall sheet. */
function spot(place) {
  const columns = width > height ? 5 : 2;
  const [across, down] = [width / columns, (height * 0.88 * columns) / PLACES];
  const column = floor(columns / 2) + ceil((place % columns) / 2) * ((place % columns) % 2 ? -1 : 1);
  return { x: (column + 0.5) * across, y: height * 0.03 + (floor(place / columns) + 0.84) * down, long: min(across * 0.3, down * 0.165) };
}

function newSheet() {
  paper ??= createGraphics(width, height);
  paper.resizeCanvas(width, height);
  paper.background("#efe6d0");
  paper.noStroke();
  for (let i = 0; i < 5000; i++) {
    paper.fill(120, 90, 50, random(3, 16));
    paper.circle(random(width), random(height), random(0.5, 2.5));
  }
  paper.stroke(120, 90, 50, 12);
  for (let i = 0; i < 160; i++) {
    const [x, y] = [random(width), random(height)];
    paper.line(x, y, x + random(-60, 60), y + random(-8, 8)); // fibres
  }
}

function draw() {
  turning = turning < 0.002 ? 0 : turning * 0.94;
  background("#d8ccb0");
  push();
  translate(0, turning * height);
  image(paper, 0, 0);
  for (const plant of plants.filter((one) => !one.pressed)) {
    drawPlant(plant);
    if (turning || millis() - plant.born < GROWING_MS || plant !== plants.find((one) => !one.pressed)) continue;
    paper.drawingContext.drawImage(drawingContext.canvas, 0, 0, width, height); // pressed: never to be drawn again
    plant.pressed = true;
  }
  pop();
  drawListening();
}

function drawPlant(plant) {
  const grown = constrain((millis() - plant.born) / GROWING_MS, 0, 1);
  const { x, y, long } = spot(plants.indexOf(plant));
  push();
  translate(x, y);
  const ink = color(INKS[plant.kind % INKS.length]);
  stroke(ink);
  noFill();
  grow(plant.kind, long, 6, grown * 7, ink, plant.seed);
  noStroke();
  fill(70, 55, 35, 255 * grown);
  textAlign(CENTER, TOP);
  textStyle(ITALIC);
  textSize(17);
  text(plant.label, 0, 8);
  textStyle(NORMAL);
  textSize(11);
  text(`no. ${plants.indexOf(plant) + 1}, ${round(plant.confidence * 100)} %`, 0, 30);
  pop();
}

/** One stalk and what grows out of it; `left` is how many levels of growth are still to be shown. */
function grow(kind, long, level, left, ink, seed) {
  const now = constrain(left, 0, 1);
  if (now <= 0 || level === 0) return;
  randomSeed(seed);
  const [lean, turns] = [random(-0.14, 0.14), { [-1]: random(0.8, 1.2), 1: random(0.8, 1.2) }];
  strokeWeight(0.5 + level * 0.35);
  push();
  rotate(lean);
  line(0, 0, 0, -long * now);
  translate(0, -long * now);
  const spread = [0.45, 0.7, 0.3, 0.95, 0.55, 0.2][kind % 6];
  for (const side of [-1, 1]) {
    push();
    rotate(side * spread * turns[side]);
    leaf(kind, long * (0.35 + 0.5 * noise(level, kind)) * now, ink);
    if (level % 2 === kind % 2 && level > 1) grow(kind, long * 0.55, level - 2, left - 1.5, ink, seed * 3 + side);
    pop();
  }
  grow(kind, long * 0.84, level - 1, left - 1, ink, seed * 3);
  if (level === 1) bloom(kind, long, now, ink);
  pop();
}

function leaf(kind, long, ink) {
  push();
  ink.setAlpha(90);
  fill(ink);
  strokeWeight(0.6);
  const wide = long * [0.28, 0.12, 0.5, 0.2, 0.36, 0.08][kind % 6];
  beginShape();
  for (let i = 0; i <= 24; i++) vertex(wide * sin((PI * i) / 12), long * (abs(i / 12 - 1) - 1));
  endShape(CLOSE);
  line(0, 0, 0, -long * 0.9);
  pop();
}

function bloom(kind, long, now, ink) {
  ink.setAlpha(150);
  fill(ink);
  for (let i = 0; i < 5 + kind * 2; i++) {
    ellipse(0, -long * 0.4 * now, long * 0.22 * now, long * 0.55 * now);
    rotate(TAU / (5 + kind * 2));
  }
}

function drawListening() {
  noStroke();
  fill(70, 55, 35);
  textAlign(LEFT, TOP);
  textSize(15);
  if (!plants.length) text(tm.labels.length ? `Make a sound: ${tm.labels.join(", ")}` : "Nothing was taught yet: add a class in the studio", 24, 20);
  fill(70, 55, 35, 120);
  rect(24, 42, 120 * tm.level, 2);
}

function windowResized() {
  resizeCanvas(windowWidth, windowHeight);
  newSheet();
  for (const plant of plants) plant.pressed = false;
}
