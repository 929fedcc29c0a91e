// Carnival masks: each makes the face that somebody makes. An expression that was taught paints it, and adds a feather.

const PAINT = ["#d1495b", "#2a9d8f", "#e9a23b", "#5b7fd1", "#b05fae", "#7d9c3a"];
const ASLEEP = { roll: 0, turn: 0, nod: 0, lid0: 0, lid1: 0, brow0: 0, brow1: 0, wide: 0.5, open: 0, smile: 0 };

let tm, masks = [];

function setup() {
  createCanvas(windowWidth, windowHeight);
  textFont("Georgia, serif");
  textAlign(CENTER, CENTER);
  noStroke();
  tm = tmstream.connect({ take: "take.jsonl", needs: ["landmarks"], mirror: true, fit: "contain", simulateKeys: true });
  describe("A carnival mask hangs on a dark wall. Its eyes, brows and mouth do what the visitor's do, and it turns with the head. A recognised expression paints it, adds a feather, and is named on the plate below.");
}

const colourOf = (label) => PAINT[max(0, tm.labels.indexOf(label)) % PAINT.length];

/** Comes once for each expression that begins; `event.subject` says whose it is. */
function classEntered(label, event) {
  const mask = masks.find((one) => one.subject === event.subject) ?? masks[0];
  mask.feathers = [...mask.feathers, { colour: colourOf(label), born: frameCount }].slice(-19);
}

function draw() {
  hang(tm.faces);
  background("#2b1d33");
  for (const mask of masks) drawLight(mask.x, height * 0.43, min(width, height) * 0.75, ["#b48278b0", "#5f3c5a78", "#2b1d3300"]);
  masks.forEach((mask, i) => {
    const face = tm.faces.find((one) => one.subject === mask.subject);
    const label = tm.people.find((one) => one.id === mask.subject)?.label ?? tm.labels.find((one) => masks.length === 1 && tm.is(one));
    const wanted = face ? expressionOf(face) : ASLEEP;
    for (const key in ASLEEP) mask.face[key] = lerp(mask.face[key], wanted[key], 0.3);
    mask.x = lerp(mask.x, (width * (i + 0.5)) / masks.length, 0.08);
    mask.strength = lerp(mask.strength, label ? 1 : 0, 0.08); // of its paint
    if (label) mask.paint = colourOf(label);
    const u = min(height * 0.27, (width / masks.length) * 0.42); // half a mask
    drawMask(mask, height * 0.43 + (face ? 0 : sin(frameCount * 0.03) * u * 0.03), u);
    drawPlate(mask.x, height * 0.43 + u * 1.4, u, label ?? (!face ? "show me your face" : tm.labels.length ? "none of the above" : "nothing was taught"));
  });
}

/** A mask for each face; that of somebody who left is the next one's, and the last sleeps until then. */
function hang(faces) {
  const free = masks.filter((mask) => !faces.some((face) => face.subject === mask.subject));
  const blank = () => ({ face: { ...ASLEEP }, feathers: [], paint: PAINT[0], strength: 0, x: width * (masks.length ? 1.2 : 0.5) });
  masks = (faces.length ? faces : [masks[0] ?? { subject: null }]).map(({ subject }) => masks.find((one) => one.subject === subject) ?? Object.assign(free.shift() ?? blank(), { subject }));
}

/** What a face does, measured in the distance between its eyes: the same from near and from afar. */
function expressionOf(face) {
  const [one, two] = face.left_eye_outer.x < face.right_eye_outer.x ? ["left", "right"] : ["right", "left"]; // on the screen
  const [a, b] = [face[`${one}_eye_outer`], face[`${two}_eye_outer`]];
  const roll = atan2(b.y - a.y, b.x - a.x);
  const level = new DOMMatrix().rotate(degrees(-roll)).scale(1 / (dist(a.x, a.y, b.x, b.y) || 1)).translate(-(a.x + b.x) / 2, -(a.y + b.y) / 2);
  const at = (name) => level.transformPoint(new DOMPoint(face[name].x, face[name].y));
  const gap = (from, to) => at(to).y - at(from).y;
  const lid = (side) => map(gap(`${side}_upper_lid`, `${side}_lower_lid`), 0.025, 0.085, 0, 1, true);
  const brow = (side) => map(-at(`${side}_brow`).y, 0.27, 0.4, 0, 1, true);
  return {
    roll, lid0: lid(one), lid1: lid(two), brow0: brow(one), brow1: brow(two),
    turn: constrain(at("nose").x - (at("left_cheek").x + at("right_cheek").x) / 2, -0.24, 0.24) * 0.9,
    nod: constrain(at("nose").y - 0.25, -0.2, 0.2) * 0.5, wide: abs(at("mouth_left").x - at("mouth_right").x),
    open: max(0, gap("upper_lip_inner", "lower_lip_inner") - 0.03),
    smile: constrain((gap("mouth_left", "upper_lip_inner") + gap("mouth_right", "lower_lip_inner")) / 2 + 0.05, -0.06, 0.12),
  };
}

/** From about -1 to 1, before it is moved to its place on the wall. */
function drawMask({ x, face, feathers, paint, strength }, y, u) {
  const { turn, nod, open } = face;
  push();
  translate(x, y);
  rotate(face.roll * 0.8);
  scale(u);
  feathers.forEach(({ colour, born }, i) => {
    const lean = (i % 2 ? -i - 1 : i) * 0.09 + sin(frameCount * 0.02 + i) * 0.03;
    const at = (turned, far) => `${sin(lean + turned) * far} ${-cos(lean + turned) * far}`;
    fillPath(`M ${at(0, 0.6)} Q ${at(-0.2, 1.1)} ${at(0, 0.7 + 0.75 * min(1, (frameCount - born) / 25))} Q ${at(0.2, 1.1)} ${at(0, 0.6)} Z`, colour);
  });
  const jaw = 1 + open * 0.5;
  fillPath(`M 0 -1 C .6 -1 .84 -.5 .77 0 C .72 .5 .38 ${jaw} 0 ${jaw} C -.38 ${jaw} -.72 .5 -.77 0 C -.84 -.5 -.6 -1 0 -1 Z`, "#6b4226", () => {
    drawLight(turn * 1.5 - 0.2, -0.35, 1.6, ["#fff6e0", "#e3c48f", "#6b4226"]); // old ivory, lit from where it looks
    drawingContext.globalAlpha = strength * 0.8;
    fill(paint);
    for (const side of [-1, 1]) ellipse(side * 0.36 + turn, -0.16 + nod, 0.62, 0.5);
    for (let i = 0; i < 8; i++) circle((i % 2 ? 1 : -1) * (0.5 - i * 0.025) + turn, 0.28 + floor(i / 2) * 0.14 + nod, 0.1 - i * 0.007);
    for (let i = -2; i <= 2; i++) triangle(i * 0.2 + turn - 0.07, -1, i * 0.2 + turn + 0.07, -1, i * 0.13 + turn, -0.5 - 0.08 * abs(i) + nod);
  });
  drawEye(-0.36 + turn, -0.14 + nod, -1, face.lid0, face.brow0, turn);
  drawEye(0.36 + turn, -0.14 + nod, 1, face.lid1, face.brow1, turn);
  for (const [shade, side] of [["#6e4222a0", 0.15], ["#fff8e2c0", -0.13]]) {
    fill(shade); // the two sides of the nose
    triangle(turn * 1.3, -0.1 + nod, turn * 1.3 + side, 0.3 + nod * 1.6, turn * 1.3 - 0.02, 0.36 + nod * 1.6);
  }
  drawMouth(turn, 0.58 + nod + open * 0.1, face, lerpColor(color("#8e3b2e"), color(paint), strength).toString("#rrggbb"));
  pop();
}

function drawEye(x, y, side, lid, brow, turn) {
  fillPath(`M ${x - 0.2} ${y} Q ${x} ${y - 0.03 - 0.24 * lid} ${x + 0.2} ${y} Q ${x} ${y + 0.09 + 0.1 * lid} ${x - 0.2} ${y} Z`, "#23150f", () => [["#f7e7bd", 0.14], ["#23150f", 0.07]].forEach(([shade, size]) => { fill(shade); circle(x + turn * 0.3, y, size * lid); }));
  const up = y - 0.22 - 0.16 * brow;
  fillPath(`M ${x - side * 0.22} ${up + 0.06} Q ${x} ${up - 0.16} ${x + side * 0.26} ${up + 0.05} Q ${x} ${up - 0.06} ${x - side * 0.22} ${up + 0.06} Z`, "#4a2a1a");
}

function drawMouth(x, y, { wide, open, smile }, colour) {
  const lips = (more) => {
    const [half, corner, top, bottom] = [wide * 0.55 + more, y - smile * 1.6, y - open * 0.35 - 0.015 - more, y + open * 1.1 + 0.015 + more];
    return `M ${x - half} ${corner} Q ${x} ${2 * top - corner} ${x + half} ${corner} Q ${x} ${2 * bottom - corner} ${x - half} ${corner} Z`;
  };
  fillPath(lips(0.05), colour);
  fillPath(lips(0), "#2b100c", () => { fill("#fff4dc"); rect(x - wide, y - open * 0.35 - 0.1, wide * 2, open * 0.6); }); // teeth
}

/** A shape that throws a shadow, and what is painted on it. */
function fillPath(drawing, fillStyle, paint = () => {}) {
  const path = new Path2D(drawing);
  push();
  Object.assign(drawingContext, { fillStyle, shadowColor: "#00000080", shadowBlur: 30, shadowOffsetY: 12 });
  drawingContext.fill(path);
  drawingContext.shadowColor = "transparent";
  drawingContext.clip(path);
  paint();
  pop();
}

function drawLight(x, y, reach, shades) {
  const light = drawingContext.createRadialGradient(x, y, 0, x, y, reach);
  shades.forEach((shade, i) => light.addColorStop(i / 2, shade));
  drawingContext.fillStyle = light;
  drawingContext.fillRect(x - 2 * reach, y - 2 * reach, 4 * reach, 4 * reach);
}

/** The brass plate below a mask: the name of the expression, or what to do. */
function drawPlate(x, y, u, words) {
  const more = tm.labels.includes(words) ? "" : tm.labels.join(", ") || "add a class in the studio";
  const wide = min(width / masks.length - 20, u * 2.2);
  fill("#d9b872");
  rect(x - wide / 2, y, wide, u * 0.36, 4);
  fill("#3a2412");
  for (const [line, at, size] of [[words, more ? 0.13 : 0.18, max(13, u * 0.17)], [more, 0.28, max(11, u * 0.1)]]) {
    textSize(size);
    textSize(min(size, (size * wide * 0.9) / max(1, textWidth(line))));
    text(line, x, y + u * at);
  }
}

function windowResized() { resizeCanvas(windowWidth, windowHeight); }
