// The way into a sketch: lines to paste, the demos, and an event to test with.
import { fill, h, inkOf, panel } from "./dom.js";

export class Sketch {
  constructor(app) {
    this.app = app;
    this.kind = "p5 2.x";
    this.tests = h("div.chips");
    this.clients = h("p.hint", {}, "");
    this.choice = h("div.segments", { role: "group", "aria-label": "Kind of sketch" });
    this.code = h("pre", { tabIndex: 0, "aria-label": "Lines to paste" }, h("code"));
    this.links = h("p");
    this.element = panel("Sketch", this.choice, this.code, h("button", { type: "button", onclick: () => this.copy() }, "Copy"), this.links,
      h("h3", {}, "Send a test event"), h("p.hint", {}, "Every sketch gets it, as if it had been heard or seen."), this.tests, this.clients);
    app.on("labels", () => this.show());
    app.on("role", () => this.show());
    app.wire.on("status", (status) => { this.clients.textContent = `${status.clients} ${status.clients === 1 ? "page is" : "pages are"} connected, this one included.`; });
  }

  get home() {
    return `${location.protocol}//localhost${location.port ? `:${location.port}` : ""}`;
  }

  lines() {
    const label = JSON.stringify(this.app.labels[0] ?? "clap");
    const page = `<!-- in index.html -->\n<script src="${this.home}/tmstream.js"></script>\n\n`;
    const sketch = `let tm;\nlet size = 50;\n\nfunction setup() {\n  createCanvas(400, 400);\n  tm = tmstream.connect();\n}\n\nfunction draw() {\n  background(240);\n  if (tm.triggered(${label})) size = 300;\n  size = lerp(size, 50, 0.05);\n  circle(200, 200, size);\n}\n`;
    return {
      "p5 2.x": `${page}// in sketch.js\n${sketch.replace("function setup", "async function setup").replace("tm = tmstream", "tm = await tmstream")}`,
      "p5 1.x": `${page}// in sketch.js\n${sketch}`,
      "like ml5": `${page}// in sketch.js\nlet tm;\n\nfunction setup() {\n  createCanvas(400, 400);\n  tm = tmstream.connect();\n  tm.classifyStart(gotResults);\n}\n\nfunction gotResults(results, error) {\n  console.log(results[0].label, results[0].confidence);\n}\n`,
      "plain page": `<script src="${this.home}/tmstream.js"></script>\n<script>\n  const tm = tmstream.connect();\n  tm.on("trigger", ${label}, (event) => {\n    document.body.style.background = "gold";\n  });\n</script>\n`,
    };
  }

  show() {
    const lines = this.lines();
    fill(this.choice, Object.keys(lines).map((kind) => h("button", { type: "button", "data-key": `kind ${kind}`, "aria-pressed": kind === this.kind, onclick: () => { this.kind = kind; this.show(); } }, kind)));
    this.code.firstChild.textContent = lines[this.kind];
    const link = (path, words) => h("a", { href: `${this.home}${path}`, target: "_blank", rel: "noopener" }, words);
    fill(this.links, link("/demos/hello/", "open the hello sketch"), " · ", link("/demos/", "all sketches"), " · ", link("/sketch/", "your own (run with --sketch)"));
    fill(this.tests, this.app.labels.map((label) => h("button.chip", { type: "button", "--ink": inkOf(label), "data-key": `test ${label}`, disabled: !this.app.wire.mayTeach, onclick: () => this.app.try(this.app.wire.command("simulate", { label })) }, label)));
  }

  async copy() {
    try {
      await navigator.clipboard.writeText(this.lines()[this.kind]);
      this.app.say("copied");
    } catch {
      getSelection().selectAllChildren(this.code);
      this.app.say("selected: copy it with Ctrl-C", "warn");
    }
  }
}
