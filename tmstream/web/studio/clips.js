// What is kept with an example: sound, picture or landmarks, as a small drawing that can be played.
import { canvasInk, h, sharpen } from "./dom.js";
import { linesOf, thicknessOf } from "./figures.js";

const PARALLEL = 2; // the engine takes 20 commands a second from one page

let audio = null;

export class Clips {
  constructor(wire) {
    this.wire = wire;
    this.known = new Map(); // example id -> promise of { media_type, bytes }
    this.queue = [];
    this.busy = 0;
    this.seen = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        this.seen.unobserve(entry.target);
        this.paint(entry.target);
      }
    });
    // Drawn in the inks of the day, they would be dim in the evening.
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.querySelectorAll("canvas.clip").forEach((one) => this.seen.observe(one)));
  }

  /** A canvas that draws the clip of an example once it is looked at. */
  thumbnail(example) {
    const canvas = h("canvas.clip", { role: "img", "aria-label": `What was recorded for ${example.label}` });
    canvas.example = example;
    if (example.has_clip !== false) this.seen.observe(canvas);
    return canvas;
  }

  fetch(id) {
    if (!this.known.has(id)) {
      this.known.set(id, new Promise((resolve, reject) => this.queue.push({ id, resolve, reject })));
      this.work();
      if (this.known.size > 400) this.known.delete(this.known.keys().next().value);
    }
    return this.known.get(id);
  }

  async work() {
    if (this.busy >= PARALLEL || !this.queue.length) return;
    this.busy += 1;
    const { id, resolve, reject } = this.queue.pop(); // what came into sight last, not all that was scrolled past
    try {
      const clip = await this.wire.command("clip", { example: id });
      resolve({ kind: clip.media_type, bytes: Uint8Array.from(atob(clip.data), (letter) => letter.charCodeAt(0)) });
    } catch (error) {
      this.known.delete(id);
      reject(error);
    }
    setTimeout(() => {
      this.busy -= 1;
      this.work();
    }, 110);
  }

  async paint(canvas) {
    try {
      const clip = await this.fetch(canvas.example.id);
      if (clip.kind.startsWith("image/")) await drawImage(canvas, clip);
      else if (clip.kind.startsWith("audio/")) drawWave(canvas, await decode(clip));
      else drawPose(canvas, await unpackPoses(clip.bytes));
    } catch {
      canvas.classList.add("empty");
    }
  }

  /** Sound is played, landmarks are moved; a picture is there already. */
  async play(canvas) {
    if (canvas.example.has_clip === false) throw new Error("Of this one no sound and no picture was kept.");
    const clip = await this.fetch(canvas.example.id);
    if (clip.kind.startsWith("audio/")) {
      const buffer = await decode(clip);
      await audio.resume();
      const source = audio.createBufferSource();
      source.buffer = buffer;
      source.connect(audio.destination);
      source.start();
    } else if (!clip.kind.startsWith("image/")) {
      const poses = await unpackPoses(clip.bytes);
      poses.forEach((pose, i) => setTimeout(() => drawPose(canvas, [pose]), Math.min(4000, (pose.t_us - poses[0].t_us) / 1000 || i * 40)));
    }
  }
}

async function decode(clip) {
  audio ??= new AudioContext();
  clip.buffer ??= await audio.decodeAudioData(clip.bytes.slice().buffer);
  return clip.buffer;
}

async function drawImage(canvas, clip) {
  const bitmap = await createImageBitmap(new Blob([clip.bytes], { type: clip.kind }));
  const context = sharpen(canvas);
  const scale = Math.max(canvas.clientWidth / bitmap.width, canvas.clientHeight / bitmap.height);
  const [wide, high] = [bitmap.width * scale, bitmap.height * scale];
  context.drawImage(bitmap, (canvas.clientWidth - wide) / 2, (canvas.clientHeight - high) / 2, wide, high);
}

function drawWave(canvas, buffer) {
  const context = sharpen(canvas);
  const samples = buffer.getChannelData(0);
  const { clientWidth: width, clientHeight: height } = canvas;
  const loudest = samples.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-4);
  context.clearRect(0, 0, width, height);
  context.fillStyle = getComputedStyle(canvas).color;
  for (let x = 0; x < width; x += 2) {
    let most = 0;
    for (let i = Math.floor((x / width) * samples.length); i < ((x + 2) / width) * samples.length; i++) most = Math.max(most, Math.abs(samples[i] ?? 0));
    const high = Math.max(1, (most / loudest) * height * 0.9);
    context.fillRect(x, (height - high) / 2, 1.4, high);
  }
}

function drawPose(canvas, poses) {
  const pose = poses.at(-1);
  if (!pose) return;
  const context = sharpen(canvas);
  const { clientWidth: width, clientHeight: height } = canvas;
  const xs = pose.points.map((point) => point[0] * pose.aspect);
  const ys = pose.points.map((point) => point[1]);
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const scale = 0.86 * Math.min(width / (Math.max(...xs) - left || 1), height / (Math.max(...ys) - top || 1));
  const right = (Math.max(...xs) - left) * scale;
  const at = (i) => [(width + right) / 2 - (xs[i] - left) * scale, height * 0.07 + (ys[i] - top) * scale];
  context.clearRect(0, 0, width, height);
  context.strokeStyle = context.fillStyle = getComputedStyle(canvas).color || canvasInk("--text");
  context.lineWidth = 0.8 * thicknessOf(pose.points);
  context.lineCap = "round";
  for (const [a, b] of linesOf(pose.points)) {
    context.beginPath();
    context.moveTo(...at(a));
    context.lineTo(...at(b));
    context.stroke();
  }
  if (pose.points.length !== 33) return;
  context.beginPath();
  context.arc(...at(0), 5, 0, 7); // the head
  context.fill();
}

/** Landmarks are kept as compressed MessagePack: [[t_us, space, subject, aspect, side, float32 points], ...]. */
async function unpackPoses(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const poses = unpack(new Uint8Array(await new Response(stream).arrayBuffer()));
  return poses.map(([t_us, space, subject, aspect, side, data]) => {
    const numbers = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const points = [];
    for (let at = 0; at + 16 <= data.byteLength; at += 16) points.push([0, 4, 8, 12].map((offset) => numbers.getFloat32(at + offset, true)));
    return { t_us: Number(t_us), space, subject, aspect, side, points };
  });
}

/** The part of MessagePack that such a clip uses. */
export function unpack(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = new TextDecoder();
  let at = 0;
  const take = (count) => bytes.subarray(at, (at += count));
  const number = (method, size) => {
    const value = view[method](at);
    at += size;
    return value;
  };
  const many = (count) => Array.from({ length: count }, next);
  function next() {
    const tag = bytes[at++];
    if (tag < 0x80) return tag;
    if (tag >= 0xe0) return tag - 256;
    if (tag >= 0x90 && tag < 0xa0) return many(tag & 15);
    if (tag >= 0xa0 && tag < 0xc0) return text.decode(take(tag & 31));
    switch (tag) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xc4: return take(number("getUint8", 1));
      case 0xc5: return take(number("getUint16", 2));
      case 0xc6: return take(number("getUint32", 4));
      case 0xca: return number("getFloat32", 4);
      case 0xcb: return number("getFloat64", 8);
      case 0xcc: return number("getUint8", 1);
      case 0xcd: return number("getUint16", 2);
      case 0xce: return number("getUint32", 4);
      case 0xcf: return Number(number("getBigUint64", 8));
      case 0xd3: return Number(number("getBigInt64", 8));
      case 0xd9: return text.decode(take(number("getUint8", 1)));
      case 0xdc: return many(number("getUint16", 2));
      case 0xdd: return many(number("getUint32", 4));
      default: throw new Error(`MessagePack tag ${tag}`);
    }
  }
  return next();
}
