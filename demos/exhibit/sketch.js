// A herbarium for a museum wall: every recognised sound grows one pressed plant; each label is a species.
// When the sheet is full a new one is laid over it.

const INKS = ["#3f5d45", "#7b3f3a", "#3d4f6e", "#8a6a2f", "#5b4a6f", "#2f6b6a"];
const COLUMNS = 5;

let tm;
let plants = [];
let paper;
let turning = 0; // 1 down to 0 while a new sheet slides in

function setup() {
  createCanvas(windowWidth, windowHeight);
  paper = makePaper();
  tm = tmstream.connect({ take: "take.jsonl", simulateKeys: true });
  describe("A sheet of old paper. Each recognised sound grows one pressed plant on it, drawn in ink and labelled in italics; the species depends on the sound.");
}

function classTriggered(label, event) {
  if (plants.length >= COLUMNS * 2) {
    plants = [];
    turning = 1;
  }
  const kind = max(0, tm.labels.indexOf(label));
  const place = plants.length;
  plants.push({
    label, kind, born: millis(), seed: floor(random(1e6)), confidence: event.confidence,
    x: ((place % COLUMNS) + 0.5) / COLUMNS + random(-0.02, 0.02), y: place < COLUMNS ? 0.45 : 0.9,
  });
}

function makePaper() {
  const sheet = createGraphics(width, height);
  sheet.background("#efe6d0");
  sheet.noStroke();
  for (let i = 0; i < 5000; i++) {
    sheet.fill(120, 90, 50, random(3, 16));
    sheet.circle(random(width), random(height), random(0.5, 2.5));
  }
  sheet.stroke(120, 90, 50, 12);
  for (let i = 0; i < 160; i++) {
    const x = random(width);
    const y = random(height);
    sheet.line(x, y, x + random(-60, 60), y + random(-8, 8)); // fibres
  }
  return sheet;
}

function draw() {
  turning *= 0.94;
  if (turning < 0.002) turning = 0;
  background("#d8ccb0");
  push();
  translate(0, turning * height);
  image(paper, 0, 0);
  for (const plant of plants) drawPlant(plant);
  pop();
  drawListening();
}

function drawPlant(plant) {
  const grown = constrain((millis() - plant.born) / 2200, 0, 1);
  const long = min(width / COLUMNS, height * 0.36) * 0.3;
  randomSeed(plant.seed);
  push();
  translate(plant.x * width, plant.y * height);
  const ink = color(INKS[plant.kind % INKS.length]);
  stroke(ink);
  noFill();
  grow(plant.kind, long, 6, grown * 7, ink);
  noStroke();
  fill(70, 55, 35, 255 * grown);
  textAlign(CENTER, TOP);
  textStyle(ITALIC);
  textSize(15);
  text(plant.label, 0, 8);
  textStyle(NORMAL);
  textSize(10);
  text(`no. ${plants.indexOf(plant) + 1}, ${round(plant.confidence * 100)} %`, 0, 28);
  pop();
}

/** One stalk and what grows out of it; `left` is how many levels of growth are still to be shown. */
function grow(kind, long, level, left, ink) {
  const now = constrain(left, 0, 1);
  const lean = random(-0.14, 0.14);
  if (now <= 0 || level === 0) return;
  strokeWeight(0.5 + level * 0.35);
  push();
  rotate(lean + 0.012 * sin(frameCount * 0.02 + level));
  line(0, 0, 0, -long * now);
  translate(0, -long * now);
  const spread = [0.45, 0.7, 0.3, 0.95, 0.55, 0.2][kind % 6];
  for (const side of [-1, 1]) {
    push();
    rotate(side * spread * random(0.8, 1.2));
    leaf(kind, long * (0.35 + 0.5 * noise(level, kind)) * now, ink);
    if (level % 2 === kind % 2 && level > 1) grow(kind, long * 0.55, level - 2, left - 1.5, ink);
    pop();
  }
  grow(kind, long * 0.84, level - 1, left - 1, ink);
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
  for (let i = 0; i <= 12; i++) vertex(wide * sin((PI * i) / 12), (-long * i) / 12);
  for (let i = 12; i >= 0; i--) vertex(-wide * sin((PI * i) / 12), (-long * i) / 12);
  endShape(CLOSE);
  line(0, 0, 0, -long * 0.9);
  pop();
}

function bloom(kind, long, now, ink) {
  ink.setAlpha(150);
  fill(ink);
  for (let i = 0; i < 5 + kind * 2; i++) {
    push();
    rotate((TAU * i) / (5 + kind * 2));
    ellipse(0, -long * 0.4 * now, long * 0.22 * now, long * 0.55 * now);
    pop();
  }
}

function drawListening() {
  noStroke();
  fill(70, 55, 35);
  textAlign(LEFT, TOP);
  textSize(13);
  text(plants.length ? "" : `Make a sound: ${tm.labels.join(", ")}`, 24, 20);
  fill(70, 55, 35, 120);
  rect(24, 42, 120 * tm.level, 2);
}

function windowResized() {
  resizeCanvas(windowWidth, windowHeight);
  paper = makePaper();
}
