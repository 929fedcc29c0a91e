// The engine's health: nodes with rate, latency and drops; where the time of an answer goes; snapshots, scenes, clients.
import { fill, h, milliseconds, panel, spaceName } from "./dom.js";
import { PipelineGraph } from "./graph.js";

const KEPT = 200;
const ROOMS = [["capture_us", "capture"], ["embed_us", "embed"], ["head_us", "head"], ["rest_us", "decide and send"]];

export class Engine {
  constructor(app) {
    this.app = app;
    this.spent = [];
    this.onsets = [];
    this.graph = new PipelineGraph();
    this.nodes = h("div.nodes");
    this.ledger = h("div.ledger");
    this.scenes = h("div.chips");
    this.snapshots = h("ul.plain");
    this.about = h("dl.about");
    this.name = h("input", { type: "text", maxLength: 60, placeholder: "before the opening", "aria-label": "Name of a snapshot" });
    this.element = panel("Engine",
      this.graph.element, h("h3", {}, "Nodes"), this.nodes,
      h("h3", {}, "Where the time goes"), this.ledger,
      h("h3", {}, "Active labels"), h("p.hint", {}, "Only these may answer; none chosen means all."), this.scenes,
      h("h3", {}, "Snapshots"), h("form.adder", { onsubmit: (event) => this.snap(event) }, this.name, h("button", { type: "submit" }, "Save")), this.snapshots,
      h("h3", {}, "Project"), this.about);
    app.wire.on("hello", (hello) => this.graph.show(hello.graph ?? []));
    app.wire.on("status", (message) => this.show(message));
    app.wire.on("away", () => this.graph.still());
    app.wire.on("prediction", (message) => this.count(message));
    app.wire.on("event", (message) => message.event === "trigger" && !message.simulated && this.onset(message));
    app.on("examples", () => this.project());
    app.on("role", () => this.list());
    setInterval(() => this.element.offsetParent && this.showLedger(), 1000);
  }

  count({ latency }) {
    if (!latency || latency.total_us === undefined || latency.total_us > 5e6) return;
    const rest = Math.max(0, latency.total_us - latency.capture_us - latency.embed_us - latency.head_us);
    this.spent.push({ ...latency, rest_us: rest });
    if (this.spent.length > KEPT) this.spent.shift();
  }

  onset({ latency }) {
    this.onsets.push(latency.onset_us);
    if (this.onsets.length > KEPT) this.onsets.shift();
  }

  show(status) {
    if (!this.element.offsetParent) return;
    this.graph.update(status.nodes);
    const words = { running: "runs", waiting: "waits", failed: "failed" };
    const rows = Object.entries(status.nodes).flatMap(([name, node]) => [h("tr", { className: node.state },
      h("th", { scope: "row" }, h("span.lamp", { title: words[node.state] }), name),
      h("td", {}, `${node.rate_hz >= 10 ? Math.round(node.rate_hz) : node.rate_hz.toFixed(1)} /s`), h("td", {}, milliseconds(node.p50_us)), h("td", {}, milliseconds(node.p99_us)), h("td", {}, node.dropped || "")),
      node.message && h("tr.told", {}, h("td", { colSpan: 5 }, node.message))]);
    fill(this.nodes, h("div.scroll", {}, h("table", {}, h("thead", {}, h("tr", {}, ["node", "rate", "median", "99 %", "drops"].map((word) => h("th", { scope: "col" }, word)))), h("tbody", {}, rows))));
  }

  showLedger() {
    if (!this.spent.length) return;
    const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
    const parts = ROOMS.map(([key, name]) => [name, median(this.spent.map((one) => one[key] ?? 0))]);
    const sum = parts.reduce((total, [, us]) => total + us, 0) || 1;
    fill(this.ledger,
      h("div.stack", { role: "img", "aria-label": parts.map(([name, us]) => `${name} ${milliseconds(us)}`).join(", ") }, parts.map(([, us], i) => h(`span.part${i}`, { "--share": us / sum }))),
      h("ul.legend", {}, parts.map(([name, us], i) => h("li", {}, h(`span.key.part${i}`), name, h("b", {}, milliseconds(us))))),
      this.onsets.length > 0 && h("p.hint", {}, `From the onset of a sound or movement to its trigger: ${milliseconds(median(this.onsets))} (median of ${this.onsets.length}).`));
  }

  project() {
    const { app } = this;
    const { hello } = app.wire;
    const active = new Set(app.active);
    fill(this.scenes, app.labels.map((label) => h("button.chip", { type: "button", "data-key": `scene ${label}`, "aria-pressed": active.has(label), disabled: !app.wire.mayTeach, onclick: () => this.toggle(label) }, label)));
    if (!hello) return;
    const path = hello.project?.path;
    fill(this.about, Object.entries({
      pipeline: hello.pipeline, project: path ?? "none: nothing taught is kept", examples: String(app.examples.length || hello.project?.examples || 0),
      recognises: [...new Set(app.examples.length ? app.examples.map((one) => one.space) : hello.spaces)].map(spaceName).join(", ") || "none yet", version: hello.version, ...(hello.private ? { private: "no sound and no picture is kept" } : {}),
    }).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
      path && h("dt", {}, "copy, export"), path && h("dd", {}, h("code", {}, `tmstream export ${path} copy.zip`)));
  }

  async toggle(label) {
    const active = new Set(this.app.active);
    if (!active.delete(label)) active.add(label);
    const labels = this.app.labels.filter((one) => active.has(one));
    const done = await this.app.try(this.app.wire.command("active_labels", { labels }));
    if (done) this.app.active = done.active_labels ?? labels;
    this.project();
  }

  async snap(event) {
    event.preventDefault();
    const name = this.name.value.trim();
    if (!name) {
      this.app.say("Give the snapshot a name first.", "warn");
      this.name.focus();
      return;
    }
    if (await this.app.change("snapshot", { name }, `saved “${name}”`)) this.name.value = "";
    this.list();
  }

  async list() {
    if (!this.app.wire.mayTeach) return;
    const found = await this.app.wire.command("list_snapshots").catch(() => []);
    fill(this.snapshots, found.map((one) => h("li", {}, h("span", {}, one.name), h("small", {}, new Date(one.created_us / 1000).toLocaleString()),
      h("button", { type: "button", onclick: () => this.restore(one.name) }, "Restore"))));
  }

  async restore(name) {
    if (confirm(`Return to “${name}”? Undo brings the present state back.`)) await this.app.change("restore", { name }, `back at “${name}”`);
  }
}
