// A garden for a crowd: everybody grows a plant that reaches for their hands. Whoever holds a taught pose blossoms; two people with the same pose are joined by a garland.

const BLOSSOMS = ["#e4572e", "#f2b134", "#b5446e", "#4f86c6", "#8f6bc2"];

let tm;
let petals = [];
const plants = new Map(); // subject -> { age, bloom, label, joints }

function setup() {
  createCanvas(windowWidth, windowHeight);
  tm = tmstream.connect({ take: "take.jsonl", needs: ["landmarks"], mirror: true, fit: "contain" });
  describe("A misty meadow in the morning. Each person in front of the camera grows a plant whose two branches follow their hands. A recognised pose makes it blossom; two people in the same pose are joined by a garland of flowers.");
}

function draw() {
  drawMeadow();
  follow();
  for (const plant of plants.values()) drawPlant(plant);
  drawGarlands();
  drawPetals();
}

function colourOf(label) {
  return BLOSSOMS[max(0, tm.labels.indexOf(label)) % BLOSSOMS.length];
}

function follow() {
  for (const body of tm.bodies) { // everybody grows, also while no pose is known
    if (!plants.has(body.subject)) plants.set(body.subject, { age: 0.15, bloom: 0, joints: {}, label: null, seed: random(100) });
    const plant = plants.get(body.subject);
    const pose = tm.people.find((person) => person.id === body.subject)?.label;
    plant.here = frameCount;
    plant.label = pose ?? plant.label;
    plant.wants = pose ? 1 : 0;
    for (const name of ["left_wrist", "right_wrist", "left_hip", "nose"]) {
      const joint = (plant.joints[name] ??= { x: body[name].x, y: height });
      joint.x = lerp(joint.x, body[name].x, 0.12);
      joint.y = lerp(joint.y, body[name].y * 0.9 + height * 0.02, 0.12);
    }
  }
  for (const [subject, plant] of plants) {
    const here = frameCount - plant.here < 60; // who leaves, withers
    plant.age = constrain(plant.age + (here ? 0.02 : -0.02), 0, 1);
    plant.bloom = lerp(plant.bloom, here ? plant.wants : 0, 0.04);
    if (plant.age === 0) plants.delete(subject);
  }
}

function drawMeadow() {
  const sky = drawingContext.createLinearGradient(0, 0, 0, height * 0.6);
  sky.addColorStop(0, "#cfe3e2");
  sky.addColorStop(1, "#f4ecd2");
  drawingContext.fillStyle = sky;
  drawingContext.fillRect(0, 0, width, height);
  noStroke();
  for (let hill = 0; hill < 3; hill++) {
    fill(120 - 22 * hill, 150 - 12 * hill, 120 - 26 * hill, 90);
    beginShape();
    vertex(0, height);
    for (let x = 0; x <= width + 40; x += 40) vertex(x, height * (0.66 + 0.08 * hill - 0.14 * noise(x * 0.0022, hill * 7)));
    vertex(width + 40, height);
    endShape(CLOSE);
  }
}

function drawPlant(plant) {
  const { left_hip: hip, nose } = plant.joints;
  const root = { x: hip.x, y: height * 0.95 };
  const fork = { x: lerp(hip.x, nose.x, 0.5), y: lerp(root.y, nose.y, 0.55 * plant.age) };
  branch(root, fork, 1, plant, 9);
  branch(fork, nose, plant.age, plant, 5);
  branch(fork, plant.joints.left_wrist, plant.age, plant, 6);
  branch(fork, plant.joints.right_wrist, plant.age, plant, 6);
  for (const name of ["left_wrist", "right_wrist", "nose"]) flower(plant.joints[name], plant.bloom * (name === "nose" ? 1.25 : 1), colourOf(plant.label), plant.seed);
  if (plant.bloom > 0.6 && frameCount % 9 === 0) {
    const from = plant.joints[random(["left_wrist", "right_wrist"])];
    petals.push({ x: from.x, y: from.y, colour: colourOf(plant.label), turn: random(TAU) });
  }
}

function branch(from, to, age, plant, thick) {
  const end = { x: lerp(from.x, to.x, age), y: lerp(from.y, to.y, age) };
  const bend = (noise(plant.seed, frameCount * 0.004) - 0.5) * 90;
  let last = from;
  for (let i = 1; i <= 14; i++) {
    const t = i / 14;
    const next = { x: lerp(from.x, end.x, t) + sin(t * PI) * bend, y: lerp(from.y, end.y, t * t * 0.4 + t * 0.6) };
    stroke(74, 92, 56);
    strokeWeight(thick * (1 - 0.55 * t));
    line(last.x, last.y, next.x, next.y);
    if (i % 2) {
      const side = i % 4 === 1 ? 1 : -1;
      noStroke();
      fill(96, 128, 70, 215);
      ellipse(next.x + side * 10, next.y - 5 + sin(frameCount * 0.03 + i), 21 - 8 * t, 9);
    }
    last = next;
  }
}

function flower(at, open, colour, seed) {
  if (open < 0.03) return;
  push();
  translate(at.x, at.y);
  rotate(seed + frameCount * 0.002);
  noStroke();
  for (let ring = 0; ring < 2; ring++) {
    for (let i = 0; i < 8; i++) {
      rotate(TAU / 8);
      const petal = color(colour);
      petal.setAlpha(ring ? 230 : 140);
      fill(petal);
      ellipse(0, (-34 + 10 * ring) * open, (22 - 5 * ring) * open, 46 * open);
    }
    rotate(TAU / 16);
  }
  fill("#f8e7a0");
  circle(0, 0, 22 * open);
  pop();
}

function drawGarlands() {
  const open = [...plants.values()].filter((plant) => plant.bloom > 0.25).sort((a, b) => a.joints.nose.x - b.joints.nose.x);
  for (let i = 1; i < open.length; i++) {
    if (open[i].label !== open[i - 1].label) continue;
    const [from, to, shown] = [open[i - 1].joints.nose, open[i].joints.nose, min(open[i].bloom, open[i - 1].bloom)];
    for (let step = 1; step < 12; step++) {
      const t = step / 12;
      flower({ x: lerp(from.x, to.x, t), y: lerp(from.y, to.y, t) - 40 + sin(t * PI) * 120 }, shown * 0.36, colourOf(open[i].label), step);
    }
  }
}

function drawPetals() {
  noStroke();
  for (const petal of petals) {
    petal.x += sin(petal.turn + frameCount * 0.02) * 1.1 + 0.4;
    petal.y += 0.9;
    fill(petal.colour);
    ellipse(petal.x, petal.y, 9, 5 + 2 * sin(frameCount * 0.05 + petal.turn));
  }
  petals = petals.filter((petal) => petal.y < height).slice(-160);
}

function windowResized() {
  resizeCanvas(windowWidth, windowHeight);
}
