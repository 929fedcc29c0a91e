// How good it is: held-out takes judged anew after each change, and what to do about it.
import { fill, h, inkOf, panel, percent } from "./dom.js";
import { Room } from "./drop.js";

const WAIT_MS = 900; // after the last change

export class Judge {
  constructor(app) {
    this.app = app;
    this.heads = [];
    this.result = h("div", {}, h("p.hint", {}, "Nothing to judge yet."));
    this.strict = h("input", { type: "range", min: 0, max: 1, step: 0.05, value: 0.5, "aria-label": "Strictness", onchange: () => this.set() });
    this.strictly = h("output", {}, "0.50");
    this.strict.addEventListener("input", () => { this.strictly.textContent = Number(this.strict.value).toFixed(2); });
    this.element = panel("How good",
      h("div.fader", {}, h("span", {}, "lets strangers in"), this.strict, h("span", {}, "strict"), this.strictly),
      this.result, new Room(app, app.drop).element);
    app.on("examples", () => this.later());
    app.on("role", () => this.later());
    app.wire.on("hello", (hello) => this.know(hello));
  }

  later() {
    clearTimeout(this.timer);
    this.strict.disabled = !this.heads.length || ["viewer", "none"].includes(this.app.wire.role) || this.app.locked;
    if (this.app.wire.mayTeach) this.timer = setTimeout(() => this.run(), WAIT_MS);
  }

  /** Where the fader really stands: the heads that take a strictness, and its present value. */
  know(hello) {
    this.heads = (hello.live ?? []).filter((one) => one.param === "strictness");
    if (this.heads.length && document.activeElement !== this.strict) this.strict.value = this.heads[0].value;
    this.strictly.textContent = Number(this.strict.value).toFixed(2);
    this.later();
  }

  async set() {
    const value = Number(this.strict.value);
    for (const { node } of this.heads) {
      if (!(await this.app.try(this.app.wire.command("set", { node, param: "strictness", value })))) return;
    }
    this.app.say(`strictness ${value.toFixed(2)}`);
  }

  async run() {
    if (!this.app.examples.length) {
      fill(this.result, h("p.hint", {}, "Nothing to judge yet."));
      return;
    }
    this.element.classList.add("busy");
    try {
      const judged = await this.app.wire.command("evaluate");
      // Without a project (nothing is kept) there is nobody to look for faults.
      this.show(judged, await this.app.wire.command("lint").catch(() => []));
    } catch (error) {
      fill(this.result, h("p.hint", {}, error.message));
    }
    this.element.classList.remove("busy");
  }

  show(judged, faults) {
    const said = judged.advice ?? [];
    const lint = new Map();
    for (const { label, what, remedy } of faults) if (label && !lint.has(label)) lint.set(label, `${what}: ${remedy}`);
    for (const line of said) for (const label of this.app.labels) if (!lint.has(label) && (line.includes(`: ${label} has `) || line.includes(`: ${label} is turned away`))) lint.set(label, line.slice(line.indexOf(": ") + 2));
    this.app.lint = lint;
    // What stands on a class's card need not be said again; overlaps are in the advice already.
    const advice = [...said, ...faults.filter((one) => one.kind !== "overlap" && one.kind !== "few").map((one) => `${one.what}: ${one.remedy}`)];
    fill(this.result,
      Object.entries(judged.spaces ?? {}).map(([space, report]) => this.space(space, report)),
      advice.length > 0 && h("h3", {}, "What would help"),
      advice.length > 0 && h("ul.advice", {}, advice.map((line) => h("li", {}, line))));
    this.app.emit("lint");
  }

  space(space, report) {
    const { labels, answers, matrix } = report.confusion;
    return h("div.space", {},
      h("h3", {}, space, " ", h("strong", {}, report.accuracy === null ? "not yet judged" : `${percent(report.accuracy)} right`)),
      h("p.hint", {}, report.tested ? `${report.tested} examples answered by others' examples (${report.takes} takes)` : "Teach each class at least twice, and it can be judged."),
      report.tested > 0 && h("div.scroll", { tabIndex: 0, role: "group", "aria-label": `Confusion matrix of ${space}` }, h("table.confusion", {},
        h("caption", {}, "rows: what it was; columns: what was said"),
        h("thead", {}, h("tr", {}, h("td"), answers.map((label, i) => h("th", { scope: "col", title: label ?? "none" }, i < labels.length ? label : "none")))),
        h("tbody", {}, matrix.map((row, i) => {
          const sum = row.reduce((a, b) => a + b, 0);
          return h("tr", {}, h("th", { scope: "row", "--ink": inkOf(labels[i]) }, labels[i]), row.map((count, j) => h("td", { className: i === j ? "right" : count ? "wrong" : "", "--share": sum ? count / sum : 0 }, count || "")));
        })))),
      h("table.scores", {},
        h("thead", {}, h("tr", {}, ["class", "takes", "found", "trusted"].map((word) => h("th", { scope: "col" }, word)))),
        h("tbody", {}, Object.entries(report.labels).map(([label, one]) => h("tr", {}, h("th", { scope: "row", "--ink": inkOf(label) }, label), h("td", {}, one.takes), h("td", {}, percent(one.recall)), h("td", {}, percent(one.precision)))))),
      report.open_set && h("p.hint", {}, `Strangers turned away: ${percent(report.open_set.strangers_rejected)}; own examples lost: ${percent(report.open_set.members_lost)}.`));
  }
}
