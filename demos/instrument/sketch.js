// An air harp: hands pluck its strings. The harp sounds through the loudspeaker of the room, so before every
// note it asks tmstream not to listen for a moment: tm.ignore("audio", ...). Otherwise it would hear itself.

const SCALE = [0, 3, 5, 7, 10, 12, 15, 17, 19, 22, 24]; // a minor pentatonic, in half tones
const TUNINGS = [110, 98, 130.81, 146.83, 87.31];
const ARMS = ["left_wrist", "left_elbow", "left_shoulder", "right_shoulder", "right_elbow", "right_wrist"];
const HANDS = [ARMS[0], ARMS[5]];
let tm;
let sound = null; // an AudioContext, which browsers only start after a click
let strings = [];
let sparks = [];
let tuning = 0;
const hands = new Map(); // subject and hand -> where it was

function setup() {
  createCanvas(windowWidth, windowHeight);
  colorMode(HSB, 360, 100, 100, 1);
  strings = SCALE.map((step, i) => ({ step, hue: 30 + i * 24, swing: 0, phase: 0, at: 0.5 }));
  tm = tmstream.connect({ take: "take.jsonl", needs: ["landmarks"], mirror: true, fit: "contain" });
  tm.on("enter", (event) => { // a pose is entered and left
    if (event.subject !== null) tuning = max(0, tm.labels.indexOf(event.label)) % TUNINGS.length;
  });
  describe("A golden harp of eleven tall strings, in the dark. Hands in front of the camera, or a finger on the screen, pluck them: they swing, glow and sound. A recognised pose tunes the harp to another key.");
}

function mousePressed() {
  sound ??= new AudioContext();
  sound.resume();
}

function keyPressed() { mousePressed(); }

const share = (i) => i / (SCALE.length - 1);
const xOf = (i) => width * (0.5 + (share(i) - 0.5) * min(0.8, (1.3 * height) / width));
const topOf = (i) => height * (0.1 + 0.13 * pow(share(i), 1.5) + 0.035 * sin(share(i) * TAU));
const floorOf = (i) => height * (0.88 - 0.2 * share(i));

function draw() {
  drawDark();
  for (const body of tm.bodies) {
    drawArms(body);
    for (const name of HANDS) follow(`${body.subject} ${name}`, body[name]);
  }
  if (mouseX || mouseY) follow("finger", { x: mouseX, y: mouseY });
  strings.forEach(drawString);
  for (const edge of [topOf, floorOf]) drawWood(edge);
  drawSparks();
  hands.forEach(drawHand);
  fill(45, 12, 95);
  textAlign(CENTER, CENTER);
  const words = sound?.state === "running" ? tm.labels[tuning] && `tuned by ${tm.labels[tuning]}` : "click or tap to hear it";
  text(words || "", width / 2, height * 0.04);
}

/** A hand that crosses a string between two frames plucks it. */
function follow(key, point) {
  const hand = hands.get(key) || { ...point, trail: [] };
  const [x, y] = [lerp(hand.x, point.x, 0.4), lerp(hand.y, point.y, 0.4)];
  strings.forEach((string, i) => {
    if ((hand.x - xOf(i)) * (x - xOf(i)) < 0) pluck(string, i, abs(x - hand.x), constrain(y, topOf(i) + 20, floorOf(i) - 20));
  });
  hand.trail.push({ x, y });
  if (hand.trail.length > 16) hand.trail.shift();
  hands.set(key, Object.assign(hand, { x, y, seen: frameCount }));
}

function pluck(string, i, speed, y) {
  string.swing = min(1, 0.3 + speed / 50);
  string.at = (y - topOf(i)) / (floorOf(i) - topOf(i));
  for (let n = 0; n < 14; n++) sparks.push({ x: xOf(i), y, dx: random(-3, 3), dy: random(-5, 1), hue: string.hue, left: 1 });
  if (sound?.state !== "running") return;
  tm.ignore("audio", 1.6);
  const start = sound.currentTime;
  for (const [multiple, loud, long] of [[1, 0.2, 1.5], [2, 0.08, 0.8], [3.01, 0.04, 0.4]]) {
    const tone = new OscillatorNode(sound, { type: "triangle", frequency: TUNINGS[tuning] * pow(2, string.step / 12) * multiple });
    const fade = new GainNode(sound, { gain: 0 });
    fade.gain.linearRampToValueAtTime(loud * string.swing, start + 0.008);
    fade.gain.exponentialRampToValueAtTime(0.0001, start + long);
    tone.connect(fade).connect(sound.destination);
    tone.start(start);
    tone.stop(start + long);
  }
}

function drawDark() {
  const glow = drawingContext.createRadialGradient(width / 2, height / 2, 0, width / 2, height / 2, max(width, height) * 0.6);
  glow.addColorStop(0, `hsl(268, 45%, ${14 + 6 * max(strings.map((string) => string.swing))}%)`);
  glow.addColorStop(1, "#07060d");
  drawingContext.fillStyle = glow;
  drawingContext.fillRect(0, 0, width, height);
}

function drawArms(body) {
  noFill();
  stroke(265, 35, 70, 0.35);
  strokeWeight(min(width, height) * 0.035);
  strokeJoin(ROUND);
  beginShape();
  for (const name of ARMS) vertex(body[name].x, body[name].y);
  endShape();
}

/** The neck above the strings, or the sounding board below them, in gold. */
function drawWood(edge) {
  noFill();
  for (let shine = 0; shine < 7; shine++) {
    stroke(38 - shine, 75 - shine * 4, 45 + shine * 8);
    strokeWeight((7 - shine) * min(width, height) * 0.006);
    beginShape();
    for (let i = -0.4; i < SCALE.length - 0.5; i += 0.2) vertex(xOf(i), edge(max(0, i)));
    endShape();
  }
}

function drawString(string, i) {
  string.swing *= 0.978;
  string.phase += 0.55 + i * 0.02;
  const wide = sin(string.phase) * string.swing * width * 0.014;
  noFill();
  for (let glow = 3; glow > 0; glow--) {
    stroke(string.hue, 60 - 30 * string.swing, 85 + 15 * string.swing, (0.5 + 0.5 * string.swing) / glow);
    strokeWeight(map(i, 0, strings.length, 4, 1.6) + (glow - 1) * (2 + 9 * string.swing));
    beginShape();
    for (let down = 0; down <= 1; down += 0.025) {
      const belly = down < string.at ? down / string.at : (1 - down) / (1 - string.at);
      vertex(xOf(i) + wide * sin((belly * PI) / 2), lerp(topOf(i), floorOf(i), down));
    }
    endShape();
  }
}

function drawSparks() {
  noStroke();
  for (const one of sparks) {
    Object.assign(one, { x: one.x + one.dx, y: one.y + one.dy, dy: one.dy + 0.12, left: one.left - 0.022 });
    fill(one.hue, 45, 100, max(0, one.left));
    circle(one.x, one.y, 2 + 3 * one.left);
  }
  sparks = sparks.filter((one) => one.left > 0);
}

function drawHand(hand, key) {
  if (frameCount - hand.seen > 20) hands.delete(key);
  noStroke();
  hand.trail.forEach((point, i) => { fill(45, 30, 100, 0.02 * i); circle(point.x, point.y, i * 2); });
  for (let ring = 4; ring > 0; ring--) { fill(45, 30, 100, 0.14); circle(hand.x, hand.y, 12 + ring * 12); }
}

function windowResized() { resizeCanvas(windowWidth, windowHeight); }
