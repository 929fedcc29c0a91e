// Files: dropped on a class or anywhere, exported, copied; and the line that says how far a job is.
import { fill, h } from "./dom.js";

const PIECE = 4; // kind of frame, see server/uploads.py
const HEADER = 16;
const PIECE_BYTES = 256 * 1024;
const MOST_BUFFERED = 1 << 20;
const POLL_MS = 250;
const BETWEEN_MS = 70; // commands of one page are limited; others want theirs as well

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const files_ = (count) => `${count} ${count === 1 ? "file" : "files"}`;

export class Drop {
  constructor(app) {
    this.app = app;
    this.busy = false;
    this.label = null;
    this.chooser = h("input", { type: "file", multiple: true, hidden: true, tabIndex: -1, "aria-hidden": "true", onchange: () => this.chosen() });
    this.choose = h("button", { type: "button", title: "A zip or several folders of label folders, or a project", onclick: () => this.pick(null) }, "Import…");
    this.export = h("button", { type: "button", title: "All examples as a zip of label folders", onclick: () => this.download() }, "Export");
    this.copy = h("button", { type: "button", title: "A copy of the project, beside it", onclick: () => this.saveCopy() }, "Save a copy");
    this.words = h("p.hint", {}, "Drop sounds, pictures or films on a class. A zip or folder of label folders, or a project, may be dropped anywhere here.");
    this.bar = h("progress", { max: 1, value: 0, "aria-label": "Progress" });
    this.note = h("p", { role: "status" });
    this.skipped = h("ul.plain.skipped");
    this.job = null; // the one under way, while it can be stopped
    this.stopper = h("button", { type: "button", hidden: true, onclick: () => this.app.try(this.app.wire.command("stop_job", { job: this.job })) }, "Stop");
    this.report = h("div.job", { hidden: true }, this.note, this.bar, this.stopper, this.skipped,
      h("button.quiet", { type: "button", "aria-label": "Close this report", onclick: () => { this.report.hidden = true; } }, "✕"));
    this.element = h("div.files", {}, h("div.actions", {}, this.choose, this.export, this.copy), this.words, this.report, this.chooser);
    app.on("role", () => this.show());
    app.on("examples", () => this.show());
    this.show();
    // Missed its mark, a dropped file would replace this page, and what it may do with it.
    for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => this.missed(event));
  }

  missed(event) {
    if (event.defaultPrevented || ![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    if (event.type === "drop") this.app.say(this.app.locked ? "Locked: files are taken once it is unlocked." : this.app.wire.mayTeach ? "Drop files on a class." : "This page may only look: it takes no files.", "warn");
  }

  show() {
    const { app } = this;
    this.element.hidden = !app.wire.mayTeach || !app.wire.hello?.project;
    this.choose.disabled = this.busy || app.locked;
    for (const button of [this.export, this.copy]) button.disabled = this.busy || !app.examples.length;
  }

  /** Make an element a place to drop files on; without a label they must bring their own. */
  target(element, label = null) {
    const wanted = (event) => this.app.wire.mayTeach && !this.app.locked && [...event.dataTransfer.types].includes("Files");
    element.addEventListener("dragover", (event) => {
      if (!wanted(event)) return;
      event.preventDefault();
      event.stopPropagation();
      element.classList.add("over");
    });
    element.addEventListener("dragleave", () => element.classList.remove("over"));
    element.addEventListener("drop", async (event) => {
      element.classList.remove("over");
      if (!wanted(event)) return;
      event.preventDefault();
      event.stopPropagation();
      // The list of what was dropped is gone after the first wait.
      const entries = [...event.dataTransfer.items].map((one) => one.webkitGetAsEntry?.()).filter(Boolean);
      const found = entries.length ? (await Promise.all(entries.map((one) => walk(one, label)))).flat() : [...event.dataTransfer.files].map((file) => ({ file, label }));
      await this.take(found);
    });
    return element;
  }

  pick(label) {
    this.label = label;
    this.chooser.value = "";
    this.chooser.click();
  }

  chosen() {
    return this.take([...this.chooser.files].map((file) => ({ file, label: this.label })));
  }

  /** Send files and have them taught; `found` is a list of { file, label }. */
  async take(found) {
    if (!found.length || this.busy) {
      if (this.busy) this.app.say("wait for the end of the files before", "warn");
      return;
    }
    this.begin(`sending ${files_(found.length)}`);
    const refused = [];
    try {
      const uploads = [];
      for (const [i, { file, label }] of found.entries()) {
        this.step(`sending ${file.name}`, i, found.length);
        try {
          uploads.push(await this.send(file, label));
        } catch (error) {
          if (!this.app.wire.connected) throw error;
          refused.push({ name: file.name, why: error.message.replace(`${file.name}: `, "") });
        }
      }
      if (uploads.length) {
        const person = this.app.classes.person.value.trim() || null;
        await this.follow(await this.app.wire.command("teach_files", { uploads, person }), refused);
      } else this.end("nothing was taken", refused);
    } catch (error) {
      this.end(error.message, refused);
    }
    await this.app.examplesChanged(true);
  }

  async send(file, label) {
    const began = performance.now();
    const { wire } = this.app;
    const { upload } = await wire.command("upload", { name: file.name, bytes: file.size, label });
    for (let at = 0; at < file.size; at += PIECE_BYTES) {
      const piece = new Uint8Array(await file.slice(at, at + PIECE_BYTES).arrayBuffer());
      const frame = new Uint8Array(HEADER + piece.length);
      const view = new DataView(frame.buffer);
      view.setUint8(0, PIECE);
      view.setUint32(4, upload, true);
      view.setUint32(8, at, true);
      frame.set(piece, HEADER);
      while (wire.buffered > MOST_BUFFERED && wire.connected) await pause(10);
      wire.send(frame);
    }
    await pause(Math.max(0, BETWEEN_MS - (performance.now() - began)));
    return upload;
  }

  /** Look at a job until it ends; what was skipped is told with the reason. */
  async follow({ job }, refused = []) {
    const found = await this.wait(job, (state) => this.step(state.note, state.done, state.total, state));
    const files = [...refused, ...found.files.filter((one) => one.why)];
    const taken = found.files.filter((one) => !one.why).length;
    const count = found.result.examples ?? 0;
    const words = taken || !files.length ? `${files_(taken)} taken (${count} ${count === 1 ? "example" : "examples"})${files.length ? `, ${files.length} skipped` : ""}` : `nothing taken, ${files_(files.length)} skipped`;
    this.end(found.error || words, files);
  }

  async wait(job, look) {
    for (;;) {
      const state = await this.app.wire.command("job", { job });
      if (state.state !== "running") return state;
      look(state);
      await pause(POLL_MS);
    }
  }

  async download() {
    await this.run("packing", async () => {
      const { job } = await this.app.wire.command("export");
      const { result, error } = await this.wait(job, (state) => this.step(state.note, 0, 0));
      if (error) return error;
      if (result.path) return `${result.examples} examples, too much for a download: they are in ${result.path}`;
      h("a", { href: result.url, download: result.name }).click();
      return `${result.name}: ${result.examples} examples, ${(result.bytes / 1e6).toFixed(1)} MB`;
    });
  }

  async saveCopy() {
    await this.run("copying", async () => {
      const { job } = await this.app.wire.command("export", { form: "copy" });
      const { result, error } = await this.wait(job, (state) => this.step(state.note, 0, 0));
      return error || `a copy is in ${result.path}`;
    });
  }

  /** Let a class be learned from variants of its takes as well, or no longer. */
  async vary(label, on) {
    if (this.busy) return;
    await this.run(`${label}: ${on ? "making" : "deleting"} variants`, async () => {
      const { job } = await this.app.wire.command("augment", { label, on });
      const { result, error } = await this.wait(job, (state) => this.step(state.note, state.done, state.total, state));
      const left = Object.entries(result.skipped ?? {}).map(([why, count]) => `, ${count} without: ${why}`).join("");
      return error || (on ? `${label}: ${result.variants} variants made${left}` : `${label}: ${result.deleted} variants deleted`);
    });
    await this.app.examplesChanged(true);
  }

  async run(words, work) {
    this.begin(words);
    try {
      this.end(await work());
    } catch (error) {
      this.end(error.message);
    }
  }

  begin(words) {
    this.busy = true;
    this.report.hidden = false;
    fill(this.skipped);
    this.bar.hidden = false;
    this.step(words, 0, 0);
    this.show();
  }

  step(words, done, total, { job = null, stoppable = false } = {}) {
    this.job = job;
    this.stopper.hidden = !stoppable;
    this.note.textContent = total ? `${words} (${done} of ${total})` : words;
    if (total) Object.assign(this.bar, { max: total, value: done });
    else this.bar.removeAttribute("value");
  }

  end(words, files = []) {
    this.busy = false;
    this.bar.hidden = this.stopper.hidden = true;
    this.note.textContent = words;
    const { top, bottom } = this.report.getBoundingClientRect();
    if (top < 0 || bottom > innerHeight || !bottom) this.app.say(files.length ? `${words}; ${files[0].name}: ${files[0].why}` : words, files.length ? "warn" : "");
    fill(this.skipped, files.map((one) => h("li", {}, h("span", {}, one.name), h("small", {}, one.why))));
    this.show();
  }
}

/** All files of a dropped folder; the folder a file lies in is its label. */
async function walk(entry, label) {
  if (entry.name.startsWith(".")) return [];
  if (entry.isFile) return [{ file: await new Promise((resolve, reject) => entry.file(resolve, reject)), label }];
  const reader = entry.createReader();
  const inside = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    inside.push(...some);
  }
  return (await Promise.all(inside.map((one) => walk(one, entry.name.normalize("NFC"))))).flat();
}

/** Room calibration: listen, and stay silent at that from now on. */
export class Room {
  constructor(app, drop) {
    this.app = app;
    this.drop = drop;
    this.seconds = h("input", { type: "number", min: 3, max: 20, value: 20, inputMode: "numeric" });
    this.button = h("button", { type: "button", onclick: () => this.run() }, "Listen to the room");
    this.line = h("p.hint", { role: "status" }, "Let the room be as in the show: empty, or with the piece's own sound, and none of your classes. It learns to stay silent at that; Undo takes it back.");
    this.bar = h("progress", { hidden: true, max: 1, value: 0, "aria-label": "Listening" });
    this.element = h("div.room", {}, h("h3", {}, "Quiet room"), h("div.actions", {}, this.button, h("label.inline", {}, "for", this.seconds, "s")), this.bar, this.line);
    for (const kind of ["role", "examples"]) app.on(kind, () => { this.button.disabled = !app.wire.mayTeach || app.locked || !app.examples.length || !this.bar.hidden; });
  }

  async run() {
    const seconds = Math.max(3, Math.min(20, Number(this.seconds.value) || 20));
    this.button.disabled = true;
    try {
      const { job } = await this.app.wire.command("calibrate", { seconds });
      this.bar.hidden = false;
      const { result, error } = await this.drop.wait(job, (state) => {
        Object.assign(this.bar, { max: state.total || 1, value: state.done });
        const left = Math.ceil((state.total - state.done) / 10);
        this.line.textContent = left > 0 ? `Listening: ${left} s. Make none of your sounds.` : "Learning to stay silent …";
      });
      this.line.textContent = error || said(result);
    } catch (error) {
      this.line.textContent = error.message;
    }
    this.bar.hidden = true;
    await this.app.examplesChanged(true);
  }
}

function said({ seconds, triggers_before: before, triggers_after: after, negatives, strictness }) {
  const sounds = (count) => `${count} ${count === 1 ? "sound" : "sounds"}`;
  if (!before) return `In ${seconds} s it answered nothing: the room is quiet already.`;
  const learned = `It had answered ${sounds(before)} of ${seconds} s; now ${after ? sounds(after) : "none"} (${negatives} examples of what is not meant, strictness ${strictness.toFixed(2)}).`;
  return after ? `${learned} Teach what is left as a class of its own.` : learned;
}
