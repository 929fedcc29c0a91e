// The way into a sketch: lines to paste, the demos, and an event to test with.
import { fill, h, inkOf, panel, svg } from "./dom.js";

const BRIEF = ["audio_embedding", "gesture_embedding"]; // kinds of nodes whose labels trigger
const TEST_MS = 1000; // so long a test event lasts

export class Sketch {
  constructor(app) {
    this.app = app;
    this.kind = "p5 2.x";
    this.tests = h("div.chips");
    this.clients = h("p.hint", {}, "");
    this.choice = h("div.segments", { role: "group", "aria-label": "Kind of sketch" });
    this.code = h("pre", { tabIndex: 0, "aria-label": "Lines to paste" }, h("code"));
    this.links = h("p");
    this.phones = h("div.guests");
    this.phone = h("button", { type: "button", onclick: () => this.invitePhones() }, "Link for phones");
    this.helper = h("button", { type: "button", onclick: () => this.inviteAttendant() }, "Invite an attendant");
    this.element = panel("Sketch", this.choice, this.code, h("button", { type: "button", onclick: () => this.copy() }, "Copy"), this.links,
      h("h3", {}, "Send a test event"), h("p.hint", {}, "Every sketch gets it, as if it had been heard or seen."), this.tests, this.clients,
      h("h3", {}, "Guests"), h("p.hint", {}, "A phone in this network may watch, if the engine lets the network in. An attendant may say “that was wrong” and set the strictness. Neither can teach."),
      h("div.actions", {}, this.phone, this.helper), this.phones);
    app.on("labels", () => this.show());
    app.on("role", () => {
      for (const button of [this.phone, this.helper]) button.disabled = !app.wire.mayTeach;
      this.show();
    });
    app.wire.on("status", (status) => { this.clients.textContent = `${status.clients} ${status.clients === 1 ? "page is" : "pages are"} connected, this one included.`; });
  }

  get home() {
    return `${location.protocol}//localhost${location.port ? `:${location.port}` : ""}`;
  }

  /** Whether a class lasts, as a pose or a picture does: it is entered and left. A sound or a movement triggers. */
  lasts(label) {
    const taught = this.app.examples.find((one) => one.label === label);
    return taught ? taught.phase === "frame" : !(this.app.wire.hello?.graph ?? []).some(({ kind }) => BRIEF.includes(kind));
  }

  async test(label) {
    const send = (event) => this.app.wire.command("simulate", { label, event });
    for (const event of this.lasts(label) ? ["enter"] : ["trigger", "enter"]) if (!(await this.app.try(send(event)))) return;
    setTimeout(() => this.app.try(send("leave")), TEST_MS);
  }

  lines() {
    const first = this.app.labels[0] ?? "clap";
    const [asked, kind] = this.lasts(first) ? ["is", "enter"] : ["triggered", "trigger"];
    const label = JSON.stringify(first).replaceAll("<", "\\u003c"); // it may stand inside a <script>
    const page = `<!-- in index.html -->\n<script src="${this.home}/tmstream.js"></script>\n\n`;
    const sketch = `let tm;\nlet size = 50;\n\nfunction setup() {\n  createCanvas(400, 400);\n  tm = tmstream.connect();\n}\n\nfunction draw() {\n  background(240);\n  if (tm.${asked}(${label})) size = 300;\n  size = lerp(size, 50, 0.05);\n  circle(200, 200, size);\n}\n`;
    return {
      "p5 2.x": `${page}// in sketch.js\n${sketch.replace("function setup", "async function setup").replace("tm = tmstream", "tm = await tmstream")}`,
      "p5 1.x": `${page}// in sketch.js\n${sketch}`,
      "like ml5": `${page}// in sketch.js\nlet tm;\n\nfunction setup() {\n  createCanvas(400, 400);\n  tm = tmstream.connect();\n  tm.classifyStart(gotResults);\n}\n\nfunction gotResults(results, error) {\n  console.log(results[0].label, results[0].confidence);\n}\n`,
      "plain page": `<script src="${this.home}/tmstream.js"></script>\n<script>\n  const tm = tmstream.connect();\n  tm.on("${kind}", ${label}, (event) => {\n    document.body.style.background = "gold";\n  });\n</script>\n`,
    };
  }

  show() {
    const lines = this.lines();
    fill(this.choice, Object.keys(lines).map((kind) => h("button", { type: "button", "data-key": `kind ${kind}`, "aria-pressed": kind === this.kind, onclick: () => { this.kind = kind; this.show(); } }, kind)));
    this.code.firstChild.textContent = lines[this.kind];
    const link = (path, words) => h("a", { href: `${this.home}${path}`, target: "_blank", rel: "noopener" }, words);
    fill(this.links, link("/demos/hello/", "open the hello sketch"), " · ", link("/demos/", "all sketches"), " · ", link("/sketch/", "your own (run with --sketch)"));
    fill(this.tests, !this.app.labels.length && h("p.hint", {}, "There is no class yet."), this.app.labels.map((label) => h("button.chip", { type: "button", "--ink": inkOf(label), "data-key": `test ${label}`, disabled: !this.app.wire.mayTeach, onclick: () => this.test(label) }, label)));
  }

  async invitePhones() {
    try {
      const { url, qr } = await this.app.wire.command("viewer_link");
      const dark = qr.flatMap((row, y) => [...row].map((cell, x) => (cell === "1" ? `M${x} ${y}h1v1h-1z` : ""))).join("");
      const size = qr.length + 8; // a quiet border of four modules
      fill(this.phones, svg("svg", { class: "qr", viewBox: `-4 -4 ${size} ${size}`, role: "img", "aria-label": "QR code of the link" }, svg("path", { d: dark })),
        h("p", {}, h("a", { href: url, target: "_blank", rel: "noopener" }, url)), h("p.hint", {}, "Whoever has this link may watch."));
    } catch (error) {
      fill(this.phones, h("p.hint", {}, error.message));
    }
  }

  async inviteAttendant() {
    const made = await this.app.try(this.app.wire.command("new_code", { role: "attendant" }));
    if (made) fill(this.phones, h("p", {}, h("a", { href: made.url, target: "_blank", rel: "noopener" }, made.url)), h("p.hint", {}, "Good for one page, within a minute."));
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
