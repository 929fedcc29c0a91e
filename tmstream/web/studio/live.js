// What the engine hears and sees now: spectrogram, level, skeletons, and a bar for every label.
import { canvasInk, fill, h, inkOf, panel, percent, sharpen } from "./dom.js";
import { linesOf, thicknessOf } from "./figures.js";

const FRESH_MS = 1500;
const SEEN_MS = 600; // a skeleton or picture older than this is not shown
const TOP_OF_FACE = 10; // of its landmarks: the forehead
const LOWEST_DB = -80;
const HIGHEST_DB = -10;

/** Why there is no answer, in words. */
export const REASONS = {
  too_far: "unlike anything taught", ambiguous: "between two labels", too_few_examples: "too few examples yet", no_person: "nobody to be seen",
  too_dark: "too dark", silence: "silence", not_finite: "a faulty signal",
};

export class Live {
  constructor(app) {
    this.app = app;
    this.columns = [];
    this.level = 0;
    this.people = new Map(); // "space subject" -> { message, ms }
    this.frame = null; // the engine's camera: { bitmap, ms }
    this.answers = new Map(); // subject -> { message, ms }
    this.flashes = new Map(); // label -> ms of its last trigger
    this.entered = new Map(); // label -> how many hold it
    this.bars = new Map();
    this.sonogram = h("canvas.sonogram", { role: "img", "aria-label": "Rolling spectrogram of the sound" });
    this.meter = h("div.meter", { role: "meter", "aria-label": "Loudness", "aria-valuemin": 0, "aria-valuemax": 100 }, h("span"));
    this.picture = h("canvas.picture", { role: "img", "aria-label": "Camera with the people in it" });
    this.video = h("video.own", { muted: true, playsInline: true, hidden: true });
    this.stage = h("div.stage", { hidden: true }, this.video, this.picture);
    this.now = h("p.now", { "aria-live": "polite" }, "…");
    this.list = h("ul.bars");
    this.ear = h("div.ear", {}, this.sonogram, this.meter);
    this.hint = h("p.hint", { hidden: true });
    this.element = panel("Now", this.now, this.hint, this.ear, this.stage, this.list);
    setInterval(() => this.advise(), 500);

    const { wire } = app;
    wire.on("hello", (hello) => {
      this.ear.hidden = !hello.streams.includes("spectrum");
      this.entered.clear();
    });
    wire.on("away", () => { this.level = 0; });
    wire.on("spectrum", (message) => this.hear(message));
    wire.on("prediction", (message) => {
      this.sensed = performance.now();
      this.answers.set(message.subject, { message, ms: performance.now() });
      this.fresh = true;
    });
    wire.on("event", (message) => this.happen(message));
    wire.on("landmarks", (message) => {
      this.people.set(`${message.space} ${message.subject}`, { message, ms: performance.now() });
      this.fresh = true;
    });
    wire.on("picture", (message) => this.look(message));
    app.on("labels", () => this.rebuild());
    requestAnimationFrame(() => this.draw());
  }

  /** With nothing to hear or see, or not from here: what to do about it. */
  advise() {
    const { wire, uplink } = this.app;
    const idle = wire.connected ? uplink.idle : [];
    const nothing = performance.now() - (this.sensed ?? 0) > 2000;
    let words = "";
    if (idle.length && nothing) words = `Nothing is heard or seen yet. Press “${idle.join("” or “")}” above, and this browser lends its own.`;
    else if (idle.includes("My microphone") && performance.now() - (this.heard ?? -1e9) < 2000) words = "This is a performer, or another page. Press “My microphone” above to be heard yourself.";
    if (this.hint.textContent !== words) this.hint.textContent = words;
    this.hint.hidden = !words;
  }

  hear(message) {
    this.sensed = this.heard = performance.now();
    this.columns.push(message.bins);
    if (this.columns.length > 64) this.columns.shift(); // nobody is looking: the tab is hidden
    this.level = Math.max(0, Math.min(1, 1 + message.level_db / 60));
  }

  async look({ jpeg }) {
    if (this.decoding || document.hidden) return; // the next one comes soon
    this.decoding = true;
    try {
      const bitmap = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
      this.frame?.bitmap.close();
      this.frame = { bitmap, ms: performance.now() };
      this.fresh = true;
    } finally {
      this.decoding = false;
    }
  }

  happen(message) {
    const held = this.entered.get(message.label) ?? 0;
    if (message.event === "trigger") this.flashes.set(message.label, performance.now());
    if (message.event === "enter") this.entered.set(message.label, held + 1);
    if (message.event === "leave") this.entered.set(message.label, Math.max(0, held - 1));
  }

  rebuild() {
    this.bars.clear();
    fill(this.list, this.app.labels.map((label) => {
      const bar = { sure: h("span.sure"), close: h("span.close"), value: h("output", {}, "") };
      bar.row = h("li", { "--ink": inkOf(label), title: `${label} (bar: confidence, thin line: closeness)` }, h("span.name", {}, label), h("span.track", {}, bar.sure, bar.close), bar.value);
      this.bars.set(label, bar);
      return bar.row;
    }));
  }

  draw() {
    requestAnimationFrame(() => this.draw());
    if (document.hidden) return;
    this.drawSonogram();
    this.drawPicture();
    this.drawBars();
  }

  drawSonogram() {
    const { sonogram: canvas } = this;
    const value = Math.round(this.level * 100);
    if (value !== this.shown) {
      this.shown = value;
      this.meter.firstChild.style.height = `${value}%`;
      this.meter.setAttribute("aria-valuenow", value);
    }
    if (!this.columns.length) return;
    const context = sharpen(canvas);
    const scale = context.getTransform().a;
    const step = 3;
    for (const bins of this.columns.splice(0)) {
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.drawImage(canvas, -step * scale, 0);
      context.setTransform(scale, 0, 0, scale, 0, 0);
      const high = canvas.clientHeight / bins.length;
      bins.forEach((db, i) => {
        const loud = Math.max(0, Math.min(1, (db - LOWEST_DB) / (HIGHEST_DB - LOWEST_DB)));
        context.fillStyle = heat(loud);
        context.fillRect(canvas.clientWidth - step, canvas.clientHeight - (i + 1) * high, step, high + 1);
      });
    }
  }

  drawPicture() {
    const now = performance.now();
    for (const [key, one] of this.people) {
      if (now - one.ms > SEEN_MS) this.fresh = this.people.delete(key);
    }
    if (this.frame && now - this.frame.ms > FRESH_MS) {
      this.frame.bitmap.close();
      this.frame = null;
      this.fresh = true;
    }
    const wanted = this.people.size > 0 || this.frame !== null || !this.video.hidden;
    if (this.stage.hidden === wanted) this.stage.hidden = !wanted;
    if (!wanted || !this.fresh) return;
    this.fresh = false;
    const context = sharpen(this.picture);
    const { clientWidth: width, clientHeight: height } = this.picture;
    context.clearRect(0, 0, width, height);
    if (this.frame && this.video.hidden) this.drawFrame(context, width, height);
    for (const { message } of this.people.values()) this.drawSkeleton(context, width, height, message);
  }

  /** The picture as a mirror shows it; landmarks are turned round in the same way. */
  drawFrame(context, width, height) {
    const { bitmap } = this.frame;
    const [left, top, wide, tall] = whole(width, height, bitmap.width / bitmap.height);
    context.save();
    context.translate(left + wide, top);
    context.scale(-1, 1);
    context.drawImage(bitmap, 0, 0, wide, tall);
    context.restore();
  }

  drawSkeleton(context, width, height, message) {
    const [left, top, wide, tall] = whole(width, height, message.aspect || 4 / 3);
    const at = (point) => [left + (1 - point[0]) * wide, top + point[1] * tall];
    const answer = this.answers.get(message.subject)?.message;
    const pictured = this.frame !== null || !this.video.hidden;
    const ink = answer?.label ? canvasInk(inkOf(answer.label)) : pictured ? "#fff" : canvasInk("--soft");
    context.strokeStyle = context.fillStyle = ink;
    context.lineWidth = thicknessOf(message.points);
    context.lineCap = "round";
    for (const [from, to] of linesOf(message.points)) {
      const [a, b] = [message.points[from], message.points[to]];
      if (!a || !b || Math.min(a[3], b[3]) < 0.3) continue;
      context.beginPath();
      context.moveTo(...at(a));
      context.lineTo(...at(b));
      context.stroke();
    }
    const [x, y] = at(message.points[message.points.length === 468 ? TOP_OF_FACE : 0]);
    if (message.points.length === 33) {
      context.beginPath();
      context.arc(x, y, 9, 0, 7);
      context.fill();
    }
    const name = [message.subject, answer?.label].filter(Boolean).join(" · ");
    const line = Math.max(16, y - 18);
    context.font = "600 13px system-ui, sans-serif";
    context.textAlign = "center";
    if (pictured) { // readable on any picture
      const half = context.measureText(name).width / 2 + 6;
      context.fillStyle = "rgb(0 0 0 / 65%)";
      context.fillRect(x - half, line - 14, 2 * half, 19);
      context.fillStyle = "#fff";
    }
    context.fillText(name, x, line);
  }

  drawBars() {
    const now = performance.now();
    const fresh = [...this.answers.values()].filter((one) => now - one.ms < FRESH_MS).map((one) => one.message);
    const sure = fresh.filter((one) => one.label !== null).sort((a, b) => b.confidence - a.confidence)[0];
    const rejected = fresh.find((one) => one.label === null && one.rejected);
    const said = sure ? sure.label : rejected ? `none: ${REASONS[rejected.rejected] ?? rejected.rejected}` : "…";
    if (said !== this.said) {
      this.said = said;
      this.now.textContent = said;
      this.now.style.setProperty("--ink", sure ? inkOf(sure.label) : "var(--soft)");
      this.now.classList.toggle("none", !sure);
    }
    for (const [label, bar] of this.bars) {
      let confidence = 0;
      let closeness = 0;
      for (const answer of fresh) {
        const part = answer.results.find((one) => one.label === label);
        if (!part) continue;
        if (answer.label !== null) confidence = Math.max(confidence, part.confidence);
        closeness = Math.max(closeness, part.closeness);
      }
      bar.shown = (bar.shown ?? 0) + 0.35 * (confidence - (bar.shown ?? 0));
      bar.near = (bar.near ?? 0) + 0.35 * (closeness - (bar.near ?? 0));
      bar.sure.style.transform = `scaleX(${bar.shown.toFixed(3)})`;
      bar.close.style.transform = `scaleX(${bar.near.toFixed(3)})`;
      const idle = this.app.active.length > 0 && !this.app.active.includes(label); // not in this scene
      const text = idle ? "off" : confidence ? percent(confidence) : "";
      if (bar.value.textContent !== text) bar.value.textContent = text;
      bar.row.classList.toggle("on", (this.entered.get(label) ?? 0) > 0 || sure?.label === label);
      bar.row.classList.toggle("idle", idle);
      bar.row.classList.toggle("hit", now - (this.flashes.get(label) ?? -1e9) < 350);
    }
  }
}

/** Where a picture of this aspect lies in a box when all of it is shown: left, top, width, height. */
function whole(width, height, aspect) {
  const wide = Math.min(width, height * aspect);
  return [(width - wide) / 2, (height - wide / aspect) / 2, wide, wide / aspect];
}

/** Dark blue over teal to warm white. */
function heat(loud) {
  const hue = 215 - 165 * loud ** 1.4;
  return `hsl(${hue} ${70 - 20 * loud}% ${6 + 80 * loud ** 1.2}%)`;
}
