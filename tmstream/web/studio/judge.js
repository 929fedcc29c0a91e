// How good it is: held-out takes judged anew after each change, and what to do about it.
import { fill, h, inkOf, panel, percent, spaceName } from "./dom.js";
import { Room } from "./drop.js";

const WAIT_MS = 900; // after the last change
const FEW = 6; // names that stand beside one another over a table
const COLUMNS = [["class", "the class"], ["takes", "how many takes teach it"], ["found", "how much of it was recognised"], ["trusted", "how often the name was right when it was said"]];

export class Judge {
  constructor(app) {
    this.app = app;
    this.heads = [];
    this.result = h("div", {}, h("p.hint", {}, "Nothing to judge yet: teach two classes, each at least twice."));
    this.strict = h("input", { type: "range", min: 0, max: 1, step: 0.05, value: 0.5, "aria-label": "Strictness", onchange: () => this.set() });
    this.strictly = h("output", {}, "0.50");
    this.strict.addEventListener("input", () => {
      this.moving = true; // until it is let go, nobody else moves it
      this.strictly.textContent = Number(this.strict.value).toFixed(2);
    });
    this.turn = 0; // a newer judgement makes the older one's answer useless
    this.halted = 0; // the last one that somebody wanted no more
    this.job = null;
    this.words = h("p.hint", { role: "status" });
    this.bar = h("progress", { "aria-label": "Judging" });
    this.stopper = h("button", { type: "button", onclick: () => (this.job === null ? this.run() : this.stop()) });
    this.busy = h("div.judging", { hidden: true }, this.words, this.bar, this.stopper);
    this.element = panel("How good",
      h("h3", {}, "Strictness ", h("strong", {}, this.strictly)),
      h("div.fader", {}, h("span", {}, "answers often"), this.strict, h("span", {}, "answers rarely")),
      h("p.hint", {}, "Further right, more is called none of the above: what you did not teach, and some of what you did."),
      this.busy, this.result, new Room(app, app.drop).element);
    app.on("examples", () => this.later());
    app.on("role", () => this.later());
    app.wire.on("hello", (hello) => {
      this.know(hello.live);
      this.later();
    });
    app.wire.on("status", (status) => this.know(status.live)); // an attendant may have moved it, or another studio
  }

  later() {
    clearTimeout(this.timer);
    this.strict.disabled = !this.heads.length || ["viewer", "none"].includes(this.app.wire.role) || this.app.locked;
    if (this.app.wire.mayTeach && this.app.wire.connected) this.timer = setTimeout(() => (this.app.classes.recorder.recording ? this.later() : this.run()), WAIT_MS);
  }

  /** Where the fader really stands: the heads that take a strictness, and its present value. */
  know(live) {
    const heads = (live ?? []).filter((one) => one.param === "strictness");
    const moved = heads.length && heads[0].value !== this.heads[0]?.value;
    this.heads = heads;
    if (!moved) return;
    this.later();
    if (this.moving) return;
    this.strict.value = heads[0].value;
    this.strictly.textContent = heads[0].value.toFixed(2);
  }

  async set() {
    const value = Number(this.strict.value);
    this.moving = false;
    for (const { node } of this.heads) {
      if (!(await this.app.try(this.app.wire.command("set", { node, param: "strictness", value })))) return;
    }
    this.app.say(`strictness ${value.toFixed(2)}`);
    this.later();
  }

  async run() {
    if (!this.app.examples.length) {
      fill(this.result, h("p.hint", {}, "Nothing to judge yet: teach two classes, each at least twice."));
      return;
    }
    const turn = ++this.turn;
    const mine = () => turn === this.turn;
    try {
      const { job } = await this.app.wire.command("evaluate", { background: true });
      if (!mine()) return;
      this.job = job;
      if (turn <= this.halted) await this.stop(); // it was asked for before the stop, and began after it
      const { state, result, error } = await this.app.drop.wait(job, ({ done, total }) => mine() && this.working(done, total));
      if (!mine()) return;
      this.job = null;
      if (state === "stopped") return this.stopped();
      if (error) throw new Error(error);
      if (!this.busy.hidden) this.working(1, 1, "Looking for faults …");
      // Without a project (nothing is kept) there is nobody to look for faults.
      const faults = await this.app.wire.command("lint").catch(() => []);
      if (mine()) this.show(result, faults);
    } catch (error) {
      if (mine()) fill(this.result, h("p.hint", {}, error.message));
    }
    if (!mine()) return;
    this.job = null;
    this.busy.hidden = true;
  }

  /** How far it is; what was found before stays in sight. */
  working(done, total, words = this.judged ? "Judging anew … Below is what was found before the last change." : "Judging …") {
    if (!this.judged) fill(this.result);
    this.words.textContent = words;
    this.stopper.textContent = "Stop judging";
    Object.assign(this.bar, { hidden: false, max: total || 1, value: done });
    this.stopper.hidden = this.job === null;
    this.busy.hidden = false;
  }

  async stop() {
    clearTimeout(this.timer); // of a change before this: it would begin again at once
    this.halted = this.turn;
    await this.app.try(this.app.wire.command("stop_job", { job: this.job }));
  }

  /** By this page, or by another that asked for something else; then that one's change calls here again. */
  stopped() {
    this.words.textContent = `Judging was stopped${this.judged ? "; below is what was found before the last change" : ""}. It begins again by itself after the next change.`;
    this.stopper.textContent = "Judge now";
    this.bar.hidden = true;
    this.stopper.hidden = this.busy.hidden = false;
  }

  show(judged, faults) {
    this.judged = true;
    const spaces = Object.entries(judged.spaces ?? {});
    const lint = new Map();
    const words = ({ what, remedy }) => `${what}; ${remedy}`;
    const said = judged.advised.map((one) => (spaces.length > 1 && one.space ? `${spaceName(one.space)}: ` : "") + words(one));
    this.app.faults = new Map(faults.flatMap((one) => (one.examples ?? []).map((id) => [id, words(one)])));
    for (const one of faults) if (one.label && !lint.has(one.label)) lint.set(one.label, words(one));
    for (const one of judged.advised) if (["few", "turned_away"].includes(one.kind) && !lint.has(one.labels[0])) lint.set(one.labels[0], words(one));
    this.app.lint = lint;
    // What stands on a class's card need not be said again.
    const advice = [...said, ...faults.filter((one) => one.kind !== "few").map((one) => (words(one).includes(one.label) ? words(one) : `${one.label}: ${words(one)}`))];
    fill(this.result,
      spaces.map(([space, report]) => this.space(space, report)),
      advice.length > 0 && h("h3", {}, "What would help"),
      advice.length > 0 && h("ul.advice", {}, advice.map((line) => h("li", {}, line))));
    this.app.emit("lint");
  }

  space(space, report) {
    const { labels, answers, matrix } = report.confusion;
    if (labels.length < 2) return h("div.space", {}, h("h3", {}, spaceName(space), " ", h("strong", {}, "not yet judged")), h("p.hint", {}, "Teach a second class: of one alone, every answer is right."));
    return h("div.space", {},
      h("h3", {}, spaceName(space), " ", h("strong", {}, report.accuracy === null ? "not yet judged" : `${percent(report.accuracy)} right`)),
      h("p.hint", {}, report.tested ? `Each of ${report.takes} takes was hidden in turn and asked of the others: ${report.tested} answers.` : "Teach each class at least twice, and it can be judged."),
      report.tested > 0 && h("div.scroll", { tabIndex: 0, role: "group", "aria-label": `Confusion matrix of ${spaceName(space)}` }, h(`table.confusion${labels.length > FEW ? ".many" : ""}`, {},
        h("caption", {}, "row: what it was; column: what was said"),
        h("thead", {}, h("tr", {}, h("td"), answers.map((label, i) => h("th", { scope: "col", title: label }, i < labels.length ? label : "none")))),
        h("tbody", {}, matrix.map((row, i) => {
          const sum = row.reduce((a, b) => a + b, 0);
          return h("tr", {}, h("th", { scope: "row", title: labels[i], "--ink": inkOf(labels[i]) }, labels[i]), row.map((count, j) => h("td", { className: i === j ? "right" : count ? "wrong" : "", "--share": sum ? count / sum : 0 }, count || "")));
        })))),
      h("table.scores", {},
        h("thead", {}, h("tr", {}, COLUMNS.map(([word, title]) => h("th", { scope: "col", title }, word)))),
        h("tbody", {}, Object.entries(report.labels).map(([label, one]) => h("tr", {}, h("th", { scope: "row", title: label, "--ink": inkOf(label) }, label), h("td", {}, one.takes), h("td", {}, percent(one.recall)), h("td", {}, percent(one.precision)))))),
      h("p.hint", {}, "Found: how much of it was recognised. Trusted: how often the name was right when it was said."),
      report.open_set && h("p.hint", {}, `Of a class that is hidden altogether ${percent(report.open_set.strangers_rejected)} is rightly called none of the above; of the taught ones ${percent(report.open_set.members_lost)} wrongly.`));
  }
}
