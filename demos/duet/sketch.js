// Constellations. A body alone is faint stars; a sound alone is a ripple on the lake.
// A pose held while a sound is heard: together they pin the figure to the sky.

const LINES = [
  ["left_wrist", "left_elbow"], ["left_elbow", "left_shoulder"], ["left_shoulder", "right_shoulder"], ["right_shoulder", "right_elbow"],
  ["right_elbow", "right_wrist"], ["left_shoulder", "left_hip"], ["right_shoulder", "right_hip"], ["left_hip", "right_hip"], ["left_shoulder", "nose"], ["right_shoulder", "nose"],
];
const NAMES = [...new Set(LINES.flat())];

let tm;
let dust = [];
let ripples = [];
let [pinned, pins] = [[], 0]; // and how many there ever were
let now = {}; // the present figure, by subject

function setup() {
  createCanvas(windowWidth, windowHeight);
  for (let i = 0; i < 320; i++) {
    const [x, milky] = [random(), i % 2]; // every other star lies in the Milky Way
    const y = milky ? 0.55 - 0.5 * x + randomGaussian() * 0.06 : random(0.7);
    dust.push({ x, y, size: random(0.6, milky ? 1.8 : 2.8), phase: random(TAU) });
  }
  tm = tmstream.connect({ take: "take.jsonl", needs: ["landmarks"], mirror: true, fit: "contain" });
  describe("A night sky over a lake. Whoever stands before the camera is drawn in faint stars; sounds make ripples on the water. A pose and a sound at the same time pin the figure to the sky as a constellation.");
}

// Sounds have no subject, poses have one.
function classTriggered(label, event) {
  if (event.subject !== null) return;
  ripples.push({ x: random(0.3, 0.7), y: random(0.08, 0.3), age: 0 });
  for (const person of tm.people) if (person.label && now[person.id]) pin(now[person.id], `${person.label} & ${label}`);
}

function pin(figure, name) {
  const small = random(0.28, 0.42);
  const [x, y] = [width * (0.14 + 0.72 * ((pins * 0.618) % 1)), height * (0.1 + 0.26 * ((pins++ * 0.414) % 1))]; // well apart
  const centre = figure.left_shoulder;
  const points = {};
  for (const key of NAMES) points[key] = { x: x + (figure[key].x - centre.x) * small, y: y + (figure[key].y - centre.y) * small, fromX: figure[key].x, fromY: figure[key].y };
  pinned.push({ points, name, age: 0 });
  if (pinned.length > 6) pinned.shift();
}

function draw() {
  drawSky();
  drawPinned();
  drawFigures();
  drawLake();
}

function drawSky() {
  const sky = drawingContext.createLinearGradient(0, 0, 0, height * 0.7);
  sky.addColorStop(0, "#070b1c");
  sky.addColorStop(1, "#27375e");
  drawingContext.fillStyle = sky;
  drawingContext.fillRect(0, 0, width, height);
  noStroke();
  for (const star of dust) {
    fill(230, 235, 255, 110 + 60 * sin(star.phase + frameCount * 0.015));
    circle(star.x * width, star.y * height, star.size);
  }
  for (const { x, y, age } of ripples) { // every sound is a falling star, too
    const [fromX, fromY, left] = [(x - 0.25 + age * 0.9) * width, (y + age * 0.2) * height, max(0, 1 - age * 2.5)];
    for (let i = 0; i < 40; i++) {
      fill(255, 250, 225, 255 * left * (1 - i / 40));
      circle(fromX - i * 6, fromY - i * 1.8, 10 - i * 0.24);
    }
  }
}

function drawFigures() {
  const seen = {};
  for (const body of tm.bodies) {
    const figure = now[body.subject] || {};
    for (const name of NAMES) {
      const point = (figure[name] ??= { x: body[name].x, y: body[name].y });
      point.x = lerp(point.x, body[name].x, 0.25);
      point.y = lerp(point.y, body[name].y * 0.85, 0.25);
    }
    const posed = tm.people.some((person) => person.id === body.subject && person.label);
    figure.bright = lerp(figure.bright || 0, posed ? 1 : 0.35, 0.05);
    drawFigure(figure, figure.bright, 1);
    seen[body.subject] = figure;
  }
  now = seen;
}

function drawFigure(points, bright, size) {
  stroke(190, 210, 255, 150 * bright);
  strokeWeight(2 * size);
  for (const [from, to] of LINES) line(points[from].x, points[from].y, points[to].x, points[to].y);
  noStroke();
  for (const name of NAMES) {
    fill(255, 246, 220, 60 * bright);
    circle(points[name].x, points[name].y, (26 + 8 * sin(frameCount * 0.05 + points[name].x)) * size);
    fill(255, 250, 235, 255 * bright);
    circle(points[name].x, points[name].y, 8 * size);
  }
}

function drawPinned() {
  textAlign(CENTER, TOP);
  textSize(15);
  for (const one of pinned) {
    one.age = min(1, one.age + 1 / 90);
    const way = 1 - pow(1 - one.age, 3);
    const points = {};
    for (const name of NAMES) points[name] = { x: lerp(one.points[name].fromX, one.points[name].x, way), y: lerp(one.points[name].fromY, one.points[name].y, way) };
    drawFigure(points, 0.9, lerp(1, 0.5, way));
    fill(200, 212, 240, 200 * way);
    noStroke();
    text(one.name, points.nose.x, max(points.left_hip.y, points.right_hip.y) + 12);
  }
}

function drawLake() {
  const top = height * 0.72;
  const lake = drawingContext.createLinearGradient(0, top, 0, height);
  lake.addColorStop(0, "#33466f");
  lake.addColorStop(1, "#0a1024");
  drawingContext.fillStyle = lake;
  drawingContext.fillRect(0, top, width, height - top);
  push(); // what stands over the lake is seen in it
  translate(0, top * 1.5);
  scale(1, -0.5);
  for (const figure of Object.values(now)) drawFigure(figure, figure.bright * 0.35, 1);
  pop();
  noFill();
  for (let i = 0; i < 18; i++) {
    const y = top + pow(i / 18, 1.6) * (height - top) + 4;
    const wide = (40 + 15 * i) * (0.6 + 1.8 * tm.level); // the sound of the room stirs it
    stroke(150, 175, 225, 40 + 3 * i);
    const x = width / 2 + sin(frameCount * 0.006 + i * 1.7) * width * 0.3;
    line(x - wide, y, x + wide, y);
  }
  for (const ripple of ripples) {
    ripple.age += 1 / 160;
    for (let ring = 0; ring < 3; ring++) {
      const wide = max(0, ripple.age - ring * 0.12) * width * 0.7;
      stroke(220, 230, 255, 220 * (1 - ripple.age));
      strokeWeight(2.5);
      fill(170, 195, 240, 60 * (1 - ripple.age));
      ellipse(ripple.x * width, top + (height - top) * 0.4, wide, wide * 0.16);
    }
  }
  ripples = ripples.filter((ripple) => ripple.age < 1);
}

function windowResized() { resizeCanvas(windowWidth, windowHeight); }
