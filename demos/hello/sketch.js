// A sea creature that listens. Sounds move its arms, a recognised one makes it flower.
// Any labels will do: each gets a colour and a flower of its own.

const HUES = [168, 28, 268, 340, 205, 52, 128, 12];
const ARMS = 84;

let tm;
let flowers = [];
let seeds = [];
let reach = new Array(ARMS).fill(0);
let hue = 168;

function setup() {
  createCanvas(windowWidth, windowHeight);
  colorMode(HSB, 360, 100, 100, 1);
  background(230, 35, 9);
  tm = tmstream.connect({ take: "take.jsonl", simulateKeys: true });
  describe("A sea creature of thin arms in the dark. Its arms follow the sound around it, and every recognised sound makes a flower open and drift away. A legend names what it hears.");
}

function classTriggered(label, event) {
  const kind = max(0, tm.labels.indexOf(label));
  flowers.push({ kind, age: 0, turn: random(TAU), petals: 5 + 2 * (kind % 4) });
  if (flowers.length > 9) flowers.shift();
  for (let i = 0; i < 26; i++) {
    seeds.push({ x: 0, y: 0, angle: random(TAU), speed: random(1.5, 5), age: 0, kind });
  }
}

function colourOf(kind) {
  return HUES[kind % HUES.length];
}

function draw() {
  background(230, 38, 9, 0.16); // what was drawn before sinks slowly
  const size = min(width, height);
  const heard = tm.labels.indexOf(tm.label);
  if (heard >= 0) hue = lerpHue(hue, colourOf(heard), 0.06);

  push();
  translate(width / 2, height / 2);
  drawFlowers(size);
  drawCreature(size);
  drawSeeds();
  pop();
  drawLegend();
}

function drawCreature(size) {
  const bins = tm.spectrum();
  const inner = size * 0.1;
  noFill();
  strokeWeight(max(1.5, size * 0.003));
  for (let i = 0; i < ARMS; i++) {
    const mirrored = i < ARMS / 2 ? i : ARMS - 1 - i; // the same spectrum up both sides
    const bin = bins[floor(map(mirrored, 0, ARMS / 2, 0, bins.length))];
    const loud = bin === undefined ? 0 : constrain(map(bin, -75, -20, 0, 1), 0, 1);
    reach[i] = lerp(reach[i], loud, loud > reach[i] ? 0.35 : 0.06);
    const angle = HALF_PI + (TAU * (i + 0.5)) / ARMS;
    const sway = 0.5 * (noise(i * 0.12, frameCount * 0.006) - 0.5);
    const long = inner + size * (0.05 + 0.27 * reach[i]);
    stroke(hue + 34 * sway, 62 - 25 * reach[i], 52 + 45 * reach[i], 0.55);
    bezier(
      cos(angle) * inner, sin(angle) * inner,
      cos(angle + sway * 0.4) * inner * 1.6, sin(angle + sway * 0.4) * inner * 1.6,
      cos(angle + sway) * long * 0.9, sin(angle + sway) * long * 0.9,
      cos(angle + sway * 1.6) * long, sin(angle + sway * 1.6) * long,
    );
  }
  noStroke();
  const breath = inner * (1.55 + 0.12 * sin(frameCount * 0.03) + 0.5 * tm.level);
  for (let i = 6; i > 0; i--) {
    fill(hue, 55, 85, 0.028);
    circle(0, 0, breath * (0.7 + i * 0.22));
  }
  fill(hue, 30, 92, 0.5);
  circle(0, 0, breath * 0.5);
}

function drawFlowers(size) {
  noFill();
  for (const flower of flowers) {
    flower.age += 1 / 150;
    const open = 1 - pow(1 - flower.age, 3);
    const radius = size * (0.1 + 0.46 * open);
    stroke(colourOf(flower.kind), 45, 95, 0.5 * (1 - flower.age));
    strokeWeight(max(1, size * 0.006 * (1 - flower.age)));
    beginShape();
    for (let i = 0; i <= 180; i++) {
      const angle = (TAU * i) / 180;
      const petal = 1 + 0.2 * (1 - flower.age * 0.5) * cos(flower.petals * angle);
      vertex(cos(angle + flower.turn + open * 0.5) * radius * petal, sin(angle + flower.turn + open * 0.5) * radius * petal);
    }
    endShape();
  }
  flowers = flowers.filter((flower) => flower.age < 1);
}

function drawSeeds() {
  noStroke();
  for (const seed of seeds) {
    seed.age += 1 / 170;
    seed.speed *= 0.985;
    seed.angle += 0.02 * (noise(seed.x * 0.01, seed.y * 0.01) - 0.5);
    seed.x += cos(seed.angle) * seed.speed;
    seed.y += sin(seed.angle) * seed.speed;
    fill(colourOf(seed.kind), 35, 98, 0.8 * (1 - seed.age));
    circle(seed.x, seed.y, 5 * (1 - seed.age) + 1);
  }
  seeds = seeds.filter((seed) => seed.age < 1).slice(-300);
}

function drawLegend() {
  textSize(15);
  textAlign(LEFT, CENTER);
  if (tm.connected && !tm.labels.length) {
    noStroke();
    fill(0, 0, 75);
    text("Nothing was taught yet: add a class in the studio", 20, 30);
  }
  tm.labels.forEach((label, i) => {
    const y = 30 + i * 26;
    const now = tm.is(label);
    noStroke();
    fill(230, 38, 9);
    rect(14, y - 13, 200, 26); // no trails behind words
    fill(colourOf(i), 60, 90, now ? 1 : 0.55);
    circle(26, y, now ? 14 : 9);
    fill(40, 4, 96, now ? 1 : 0.6);
    text(label, 42, y);
    fill(colourOf(i), 60, 90, 0.5);
    rect(42, y + 10, 90 * tm.closeness(label), 2);
  });
}

function lerpHue(from, to, amount) {
  const way = ((to - from + 540) % 360) - 180;
  return (from + way * amount + 360) % 360;
}

function windowResized() {
  resizeCanvas(windowWidth, windowHeight);
  background(230, 35, 9);
}
