// Shadow puppets: everybody in front of the camera moves one. A pose that was taught dresses it up.

const PAPER = ["#c8553d", "#2a6f77", "#d9a441", "#6a4c93", "#3f7d4e"];
const BONES = [
  ["left_shoulder", "left_elbow", 0.3], ["left_elbow", "left_wrist", 0.22], ["right_shoulder", "right_elbow", 0.3],
  ["right_elbow", "right_wrist", 0.22], ["left_hip", "left_knee", 0.36], ["left_knee", "left_ankle", 0.28],
  ["right_hip", "right_knee", 0.36], ["right_knee", "right_ankle", 0.28],
];
const HELD = ["left_wrist", "right_wrist", "left_knee", "right_knee"];

let tm;
let confetti = [];
const puppets = new Map(); // subject -> { joints by name, colour }

function setup() {
  createCanvas(windowWidth, windowHeight);
  tm = tmstream.connect({ take: "take.jsonl", needs: ["landmarks"], mirror: true, fit: "contain" });
  tm.on("enter", (event) => throwConfetti(event.subject)); // poses are entered and left; sounds trigger
  describe("A small stage with paper puppets on strings. Each person in front of the camera moves one puppet; a recognised pose gives it a crown and throws paper scraps.");
}

function draw() {
  drawStage();
  follow();
  for (const [subject, puppet] of puppets) drawPuppet(puppet, tm.people.find((one) => one.id === subject));
  drawConfetti();
  drawCurtain();
}

/** Joints glide to where the camera saw them last, so that a slow camera still moves smoothly. */
function follow() {
  const bodies = tm.bodies;
  for (const body of bodies) {
    if (!puppets.has(body.subject)) puppets.set(body.subject, { joints: {}, colour: PAPER[puppets.size % PAPER.length] });
    const { joints } = puppets.get(body.subject);
    for (const point of body.keypoints.map(onStage)) {
      const joint = (joints[point.name] ??= { x: point.x, y: -100 }); // lowered from above
      joint.x = lerp(joint.x, point.x, 0.3);
      joint.y = lerp(joint.y, point.y, 0.3);
    }
  }
  for (const subject of puppets.keys()) if (!bodies.some((body) => body.subject === subject)) puppets.delete(subject);
}

/** A little smaller than in the camera, with the feet on the boards: raised arms need room above. */
function onStage({ name, x, y }) {
  const scale = width > height ? 0.8 : 1;
  return { name, x: lerp(width / 2, x, scale), y: lerp(height * 0.95, y, scale) };
}

function drawStage() {
  const glow = drawingContext.createRadialGradient(width / 2, height * 0.5, 40, width / 2, height * 0.5, max(width, height) * 0.65);
  glow.addColorStop(0, "#f6e3b4");
  glow.addColorStop(0.55, "#e0b070");
  glow.addColorStop(1, "#5b2e22");
  drawingContext.fillStyle = glow;
  drawingContext.fillRect(0, 0, width, height);
  noStroke();
  fill(60, 30, 22);
  rect(0, height * 0.93, width, height * 0.07);
}

function drawPuppet({ joints, colour }, person) {
  const span = dist(joints.left_shoulder.x, joints.left_shoulder.y, joints.left_hip.x, joints.left_hip.y);
  const neck = middle(joints.left_shoulder, joints.right_shoulder);
  stroke(60, 30, 22, 150);
  strokeWeight(1);
  for (const name of HELD) line(joints[name].x * 0.9 + width * 0.05, -5, joints[name].x, joints[name].y);

  stroke(colour);
  for (const [from, to, thick] of BONES) {
    strokeWeight(span * thick);
    line(joints[from].x, joints[from].y, joints[to].x, joints[to].y);
  }
  noStroke();
  fill(colour);
  quad(
    joints.left_shoulder.x, joints.left_shoulder.y, joints.right_shoulder.x, joints.right_shoulder.y,
    joints.right_hip.x, joints.right_hip.y, joints.left_hip.x, joints.left_hip.y,
  );
  fill(60, 30, 22);
  for (const [from, to] of BONES) for (const name of [from, to]) circle(joints[name].x, joints[name].y, span * 0.07); // rivets

  const head = { x: joints.nose.x, y: joints.nose.y };
  fill("#f3d9a8");
  circle(head.x, lerp(head.y, neck.y, 0.05), span * 0.62);
  fill(60, 30, 22);
  circle(head.x - span * 0.11, head.y - span * 0.04, span * 0.06);
  circle(head.x + span * 0.11, head.y - span * 0.04, span * 0.06);
  fill(colour);
  triangle(head.x, head.y, head.x + span * 0.14, head.y + span * 0.09, head.x, head.y + span * 0.1);
  if (person?.label) drawCrown(head, span, person.label);
}

function drawCrown(head, span, label) {
  fill("#f2c14e");
  beginShape();
  for (let i = 0; i <= 6; i++) vertex(head.x + span * (i / 6 - 0.5) * 0.6, head.y - span * (i % 2 ? 0.62 : 0.42));
  vertex(head.x + span * 0.28, head.y - span * 0.25);
  vertex(head.x - span * 0.28, head.y - span * 0.25);
  endShape(CLOSE);
  fill(60, 30, 22);
  textAlign(CENTER, BOTTOM);
  textSize(max(14, span * 0.16));
  text(label, head.x, head.y - span * 0.7);
}

function throwConfetti(subject) {
  const joints = puppets.get(subject)?.joints;
  if (!joints) return;
  for (let i = 0; i < 30; i++) {
    const from = joints[i % 2 ? "left_wrist" : "right_wrist"];
    confetti.push({ x: from.x, y: from.y, dx: random(-2.5, 2.5), dy: random(-6, -2), turn: random(TAU), colour: random(PAPER) });
  }
}

function drawConfetti() {
  noStroke();
  for (const scrap of confetti) {
    scrap.dy += 0.09;
    scrap.x += scrap.dx + sin(scrap.turn);
    scrap.y += scrap.dy;
    scrap.turn += 0.07;
    fill(scrap.colour);
    rect(scrap.x, scrap.y, 9, 7 * abs(cos(scrap.turn)) + 1);
  }
  confetti = confetti.filter((scrap) => scrap.y < height);
}

function drawCurtain() {
  noStroke();
  for (let side = 0; side < 2; side++) {
    for (let i = 0; i < 6; i++) {
      fill(122 - 14 * (i % 2), 24, 30);
      const wide = width * 0.018;
      const x = side ? width - wide * (i + 1) : wide * i;
      rect(x, 0, wide + 1, height * (0.97 - 0.02 * sin(frameCount * 0.01 + i)));
    }
  }
}

function middle(a, b) {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}

function windowResized() {
  resizeCanvas(windowWidth, windowHeight);
}
