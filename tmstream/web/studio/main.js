// The studio: one page for teaching, looking, and putting right. Each panel is a module of its own.
import { Classes } from "./classes.js";
import { Clips } from "./clips.js";
import { Company } from "./company.js";
import { fill, h, inkOf } from "./dom.js";
import { Drop } from "./drop.js";
import { Engine } from "./engine.js";
import { Judge } from "./judge.js";
import { Live } from "./live.js";
import { Sketch } from "./paste.js";
import { Uplink } from "./uplink.js";
import { Why } from "./why.js";
import { Wire } from "./wire.js";

/** What the panels share: the connection, the examples, and a voice. */
class App {
  constructor() {
    this.wire = new Wire();
    this.clips = new Clips(this.wire);
    this.examples = [];
    this.labels = [];
    this.active = [];
    this.locked = false;
    this.status = null;
    this.handlers = new Map();
  }

  on(kind, handler) {
    if (!this.handlers.has(kind)) this.handlers.set(kind, []);
    this.handlers.get(kind).push(handler);
  }

  emit(kind) {
    for (const handler of this.handlers.get(kind) ?? []) handler();
  }

  /** A line that goes away by itself; `act` is what can be done about it meanwhile: { words, go }. */
  say(text, kind = "", act = null) {
    const button = act && h("button", { type: "button", onclick: () => { toast.remove(); act.go(); } }, act.words);
    const toast = h(`div.toast${kind && `.${kind}`}`, {}, text, button);
    if (act) this.settle(); // the last is the one that is meant
    document.querySelectorAll(".toast").forEach((one) => one.textContent === text && one.remove()); // said again, not twice
    document.getElementById("toasts").append(toast);
    setTimeout(() => toast.remove(), kind || act ? 9000 : 3500);
  }

  /** What could have been done about the last change can be done no more. */
  settle() {
    document.querySelectorAll(".toast:has(button)").forEach((one) => one.remove());
  }

  complain(error) {
    this.say(error.message, "warn");
  }

  async try(promise) {
    try {
      return (await promise) ?? true;
    } catch (error) {
      this.complain(error);
      return null;
    }
  }

  /** A command that changes the project; what is shown follows. */
  async change(type, fields, done) {
    const result = await this.try(this.wire.command(type, fields));
    if (result && done) this.say(done);
    await this.examplesChanged(true);
    return result;
  }

  async examplesChanged(fetch = false) {
    if (!this.wire.mayTeach) this.examples = [];
    else if (fetch) {
      try {
        this.examples = await this.wire.command("examples");
      } catch (error) {
        this.complain(error);
      }
    }
    const known = this.wire.mayTeach ? this.examples.map((one) => one.label) : this.wire.hello?.labels ?? [];
    this.labels = [...new Set([...known, ...(this.wire.mayTeach ? this.classes?.pending ?? [] : [])])].sort((a, b) => a.localeCompare(b));
    this.labels.forEach(inkOf);
    this.emit("labels");
    this.emit("examples");
  }
}

const app = new App();
app.live = new Live(app);
app.drop = new Drop(app);
app.company = new Company(app);
app.classes = new Classes(app);
app.why = new Why(app);
app.judge = new Judge(app);
app.engine = new Engine(app);
app.sketch = new Sketch(app);
app.uplink = new Uplink(app);
app.on("lint", () => app.classes.rebuild());

// ---- the page around the panels

const lamp = h("span.lamp");
const where = h("span.where");
const undo = h("button", { type: "button", title: "Undo (Ctrl-Z)", onclick: () => step("undo") }, "Undo");
const redo = h("button", { type: "button", title: "Redo (Ctrl-Shift-Z)", onclick: () => step("redo") }, "Redo");
const lock = h("button", { type: "button", "aria-pressed": "false", title: "Freeze teaching and limits during a show", onclick: () => toggleLock() }, "Lock");
fill(document.getElementById("top"), h("h1", {}, lamp, "tmstream"), where, h("div.spring"), app.uplink.element, h("div.actions", {}, undo, redo, lock));

const banners = new Map();
function banner(key, ...content) {
  if (content.length) banners.set(key, h("div.banner", {}, content));
  else banners.delete(key);
  fill(document.getElementById("banners"), [...banners.values()]);
}

async function step(verb) {
  const result = await app.try(app.wire.command(verb));
  app.settle();
  if (result) app.say(`${verb === "undo" ? "taken back" : "made again"}: ${result.undone ?? result.redone ?? ""}`);
  await app.examplesChanged(true);
}

async function toggleLock() {
  await app.try(app.wire.command(app.locked ? "unlock" : "lock"));
  setLocked(!app.locked);
}

function setLocked(locked) {
  if (locked === app.locked && lock.dataset.known) return;
  lock.dataset.known = "yes";
  app.locked = locked;
  lock.setAttribute("aria-pressed", locked);
  lock.textContent = locked ? "Locked" : "Lock";
  showRole();
}

function showRole() {
  const mine = app.wire.mayTeach;
  for (const button of [undo, redo]) button.disabled = !mine || app.locked;
  lock.disabled = !mine;
  document.body.classList.toggle("viewer", !mine);
  if (app.wire.connected && !mine) banner("role", h("p", {}, h("strong", {}, "Looking only."), " To teach, open the studio from a terminal on this machine: ", h("code", {}, "tmstream open")));
  else banner("role");
  if (mine && app.locked) banner("lock", h("p", {}, h("strong", {}, "Locked for the show."), " It answers; nothing can be taught or changed."), h("button", { type: "button", onclick: () => toggleLock() }, "Unlock"));
  else banner("lock");
  app.emit("role");
}

app.wire.on("hello", async (hello) => {
  lamp.className = "lamp on";
  document.body.classList.remove("away");
  banner("away");
  where.textContent = [hello.pipeline, hello.project?.path.split(/[\\/]/).at(-1)].filter(Boolean).join(" · ");
  where.title = hello.project?.path ?? "";
  app.active = hello.active_labels;
  [...hello.labels].sort((one, other) => one.localeCompare(other)).forEach(inkOf); // the same colours after each reload
  showRole();
  await app.examplesChanged(true);
});
app.wire.on("away", () => {
  lamp.className = "lamp";
  document.body.classList.add("away");
  banner("away", h("p", {}, h("strong", {}, "tmstream does not answer."), " What was taught is safe. If it was stopped, start it again in its terminal; this page connects by itself."));
});
app.wire.on("auth_failed", () => app.say("This page's code is used up or belongs to an earlier start. Open the studio anew: tmstream open", "warn"));
app.wire.on("origin_refused", ({ origin }) => {
  const allow = h("button", { type: "button", onclick: async () => {
    if (await app.try(app.wire.command("allow_origin", { origin }))) app.say(`${origin} may listen`);
    banner(`origin ${origin}`);
  } }, "Let it listen");
  banner(`origin ${origin}`, h("p", {}, "The page ", h("strong", {}, origin), " wants to listen. It would hear what is recognised, and nothing more."), allow, h("button", { type: "button", onclick: () => banner(`origin ${origin}`) }, "No"));
});

let counted = -1;
app.wire.on("status", (status) => {
  app.status = status;
  setLocked(status.locked);
  if (status.active_labels.join("\n") !== app.active.join("\n")) { // taken back, restored, or another page's
    app.active = status.active_labels;
    app.engine.project();
  }
  const ill = Object.entries(status.nodes).filter(([, node]) => node.state !== "running" && node.message);
  if (ill.length) banner("ill", ill.map(([name, node]) => h("p", {}, h("strong", {}, name), ` ${node.state === "failed" ? "failed" : "waits"}: ${node.message}`)));
  else if (banners.has("ill")) banner("ill");
  // Somebody else taught, or an engine command line did.
  if (counted >= 0 && status.examples !== counted && !app.classes.recorder.recording) app.examplesChanged(true);
  counted = status.examples;
});

document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || event.target.closest("input[type=text]")) return;
  event.preventDefault();
  step(event.shiftKey ? "redo" : "undo");
});

// ---- three columns on a desk, one part at a time on a phone

const inspect = { why: app.why, good: app.judge, engine: app.engine, sketch: app.sketch };
const names = { live: "Now", teach: "Classes", why: "Why", good: "How good", engine: "Engine", sketch: "Sketch" };
const side = document.getElementById("side");
const sideTabs = h("div.segments", { role: "group", "aria-label": "Inspect" });
fill(document.getElementById("live"), app.live.element);
fill(document.getElementById("teach"), app.classes.element);
fill(side, sideTabs, Object.values(inspect).map((part) => part.element));

function show(key) {
  document.body.dataset.part = key;
  const inner = key in inspect ? key : side.dataset.part ?? "why";
  side.dataset.part = inner;
  for (const [name, part] of Object.entries(inspect)) part.element.hidden = name !== inner;
  fill(sideTabs, Object.keys(inspect).map((name) => h("button", { type: "button", "data-key": `side ${name}`, "aria-pressed": name === inner, onclick: () => show(name) }, names[name])));
  fill(document.getElementById("tabs"), Object.keys(names).map((name) => h("button", { type: "button", "data-key": `tab ${name}`, "aria-pressed": name === key, onclick: () => show(name) }, names[name])));
}

show("teach");
app.sketch.show();
showRole();
app.wire.open();
