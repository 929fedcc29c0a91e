// An air harp: hands pluck its strings. The harp sounds through the loudspeaker of the room, so before every
// note it asks tmstream not to listen for a moment: tm.ignore("audio", ...). Otherwise it would hear itself.

const SCALE = [0, 3, 5, 7, 10, 12, 15, 17, 19, 22, 24]; // a minor pentatonic, in half tones
const TUNINGS = [110, 98, 130.81, 146.83, 87.31];
const HANDS = ["left_wrist", "right_wrist"];

let tm;
let sound = null; // an AudioContext, which browsers only start after a click
let strings = [];
let tuning = 0;
const hands = new Map(); // subject and hand -> where it was

function setup() {
  createCanvas(windowWidth, windowHeight);
  strings = SCALE.map((step, i) => ({ step, hue: 30 + i * 18, swing: 0, phase: 0, at: 0.5 }));
  colorMode(HSB, 360, 100, 100, 1);
  tm = tmstream.connect({ take: "take.jsonl", needs: ["landmarks"], mirror: true, fit: "contain" });
  tm.on("enter", (event) => retune(event)); // a pose is entered and left
  describe("A harp of eleven tall strings, in the dark. Hands in front of the camera pluck them: they swing and sound. A recognised pose tunes the harp to another key.");
}

function mousePressed() {
  sound ??= new AudioContext();
  sound.resume();
}

function keyPressed() {
  mousePressed();
}

function retune(event) {
  if (event.subject !== null) tuning = max(0, tm.labels.indexOf(event.label)) % TUNINGS.length;
}

function pluck(string, speed, at) {
  string.swing = min(1, 0.25 + speed / 60);
  string.at = at;
  if (sound?.state !== "running") return;
  tm.ignore("audio", 1.6);
  const start = sound.currentTime;
  const pitch = TUNINGS[tuning] * pow(2, string.step / 12);
  for (const [multiple, loud, long] of [[1, 0.2, 1.5], [2, 0.08, 0.8], [3.01, 0.04, 0.4]]) {
    const tone = sound.createOscillator();
    const fade = sound.createGain();
    tone.type = "triangle";
    tone.frequency.value = pitch * multiple;
    fade.gain.setValueAtTime(0, start);
    fade.gain.linearRampToValueAtTime(loud * string.swing, start + 0.008);
    fade.gain.exponentialRampToValueAtTime(0.0001, start + long);
    tone.connect(fade).connect(sound.destination);
    tone.start(start);
    tone.stop(start + long);
  }
}

function xOf(i) {
  return map(i, 0, strings.length - 1, width * 0.14, width * 0.86);
}

function draw() {
  background(250, 45, 9);
  drawWood();
  for (const body of tm.bodies) for (const name of HANDS) follow(`${body.subject} ${name}`, body[name]);
  strings.forEach(drawString);
  drawHands();
  drawWords();
}

/** A hand that crosses a string between two frames plucks it. */
function follow(key, point) {
  const hand = hands.get(key) || { x: point.x, y: point.y, trail: [] };
  const x = lerp(hand.x, point.x, 0.4);
  const y = lerp(hand.y, point.y, 0.4);
  strings.forEach((string, i) => {
    if ((hand.x - xOf(i)) * (x - xOf(i)) < 0) pluck(string, abs(x - hand.x), constrain(y / height, 0.1, 0.9));
  });
  hand.trail.push({ x, y });
  if (hand.trail.length > 16) hand.trail.shift();
  hands.set(key, Object.assign(hand, { x, y, seen: frameCount }));
}

function drawWood() {
  noStroke();
  for (let i = 0; i < 14; i++) {
    fill(24, 60, 16 + 6 * noise(i), 1);
    rect(0, height * 0.9 + i * height * 0.008, width, height * 0.009);
    rect(0, i * height * 0.004, width, height * 0.0045);
  }
}

function drawString(string, i) {
  string.swing *= 0.978;
  string.phase += 0.55 + i * 0.02;
  const x = xOf(i);
  const wide = sin(string.phase) * string.swing * width * 0.016;
  noFill();
  for (let glow = 3; glow > 0; glow--) {
    stroke(string.hue, 55, 75 + 25 * string.swing, (0.35 + 0.5 * string.swing) / glow);
    strokeWeight(map(i, 0, strings.length, 3.4, 1.4) + (glow - 1) * 6 * string.swing);
    beginShape();
    for (let step = 0; step <= 40; step++) {
      const down = step / 40;
      const belly = down < string.at ? down / string.at : (1 - down) / (1 - string.at);
      vertex(x + wide * sin((belly * PI) / 2), map(down, 0, 1, height * 0.055, height * 0.9));
    }
    endShape();
  }
}

function drawHands() {
  noFill();
  for (const [key, hand] of hands) {
    if (frameCount - hand.seen > 20) hands.delete(key);
    hand.trail.forEach((point, i) => {
      if (!i) return;
      stroke(45, 30, 100, 0.5 * (i / hand.trail.length));
      strokeWeight(1 + (7 * i) / hand.trail.length);
      line(hand.trail[i - 1].x, hand.trail[i - 1].y, point.x, point.y);
    });
    noStroke();
    for (let ring = 4; ring > 0; ring--) {
      fill(45, 30, 100, 0.12);
      circle(hand.x, hand.y, 12 + ring * 11);
    }
    noFill();
  }
}

function drawWords() {
  noStroke();
  fill(45, 12, 95);
  textSize(16);
  textAlign(CENTER, CENTER);
  if (sound?.state !== "running") text("click or tap to hear it", width / 2, height * 0.03);
  else text(tm.labels[tuning] ? `tuned by ${tm.labels[tuning]}` : "", width / 2, height * 0.03);
}

function windowResized() {
  resizeCanvas(windowWidth, windowHeight);
}
