// Why it said that: the latest answers, the examples that voted, and two keys to put it right.
import { fill, h, inkOf, panel, percent } from "./dom.js";
import { REASONS } from "./live.js";

const KEPT = 8;
const NEW_AFTER_US = 900_000; // the same answer again within this time is the same moment
const MARKED_S = 1.5;
const SLACK_US = 50_000; // on either side of an answer that is marked
const LONGEST_AGO_S = 28; // the engine remembers half a minute

export class Why {
  constructor(app) {
    this.app = app;
    this.answers = [];
    this.chosen = null;
    this.was = h("select", { "aria-label": "What it really was" });
    this.list = h("ul.answers");
    this.votes = h("div.votes");
    this.hint = h("p.hint", {}, "Nothing yet. What it hears or sees appears here; click an answer to see the examples that voted for it.");
    this.right = h("button", { type: "button", title: "Key: Y", onclick: () => this.mark(this.was.value) }, "That was it", h("kbd", {}, "Y"));
    this.wrong = h("button", { type: "button", title: "Key: N", onclick: () => this.mark(null) }, "That was wrong", h("kbd", {}, "N"));
    this.question = h("p", {}, "Was its last answer right?");
    this.element = panel("Why",
      h("div.marks", {}, this.question, h("div.actions", {}, this.wrong, h("span.pair", {}, this.right, this.was)),
        h("p.hint", {}, "Either teaches, for half a minute. To mean an earlier answer, click it first.")),
      h("h3", {}, "Latest answers"), this.list, this.hint, this.votes);
    app.wire.on("prediction", (message) => this.note(message));
    app.on("labels", () => this.offer());
    app.on("role", () => this.offer());
    document.addEventListener("keydown", (event) => {
      if (event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      if (event.key === "y" && this.was.value) this.mark(this.was.value);
      if (event.key === "n") this.mark(null);
    });
    this.timer = setInterval(() => {
      this.ask();
      if (this.dirty) this.show();
    }, 250);
  }

  offer() {
    const kept = this.was.value;
    fill(this.was, this.app.labels.map((label) => h("option", { value: label }, label)));
    if (kept && this.app.labels.includes(kept)) this.was.value = kept;
    const mute = !this.app.wire.mayTeach || this.app.locked || !this.app.labels.length;
    for (const one of [this.right, this.wrong, this.was]) one.disabled = mute;
  }

  note(message) {
    if (message.rejected === "silence" || message.rejected === "no_person") return;
    const last = this.answers.find((one) => one.subject === message.subject);
    if (last && last.label === message.label && message.end_us - last.until < NEW_AFTER_US) {
      last.until = message.end_us;
      last.ms = performance.now();
      if (message.confidence > last.confidence && last.seq !== this.chosen) Object.assign(last, { confidence: message.confidence, seq: message.seq });
      return;
    }
    const { seq, label, subject, confidence, rejected, end_us, spaces } = message;
    this.answers.unshift({ seq, label, subject, confidence, rejected, since: end_us, until: end_us, spaces, at: new Date(), ms: performance.now() });
    this.answers.length = Math.min(this.answers.length, KEPT);
    if (label && document.activeElement !== this.was && !this.pointed) this.was.value = label;
    this.dirty = true;
  }

  show() {
    this.dirty = false;
    if (!this.element.offsetParent || this.list.matches(":hover, :focus-within")) {
      this.dirty = true; // do not move a list under somebody's finger
      return;
    }
    this.draw();
  }

  draw() {
    this.hint.hidden = this.answers.length > 0;
    this.ask();
    fill(this.list, this.answers.map((one) => h("li", {},
      h("button.answer", { type: "button", "data-key": `answer ${one.seq}`, "--ink": one.label ? inkOf(one.label) : "var(--soft)", "aria-pressed": this.chosen === one.seq, onclick: () => this.explain(one) },
        h("span.dot"), h("span", {}, one.label ?? `none: ${REASONS[one.rejected] ?? one.rejected}`),
        h("small", {}, [one.label && percent(one.confidence), one.subject, one.at.toLocaleTimeString()].filter(Boolean).join(" · "))))));
  }

  /** With several people before the camera: whose answer was clicked, else who got the latest. */
  get who() {
    const people = new Set(this.answers.map((one) => one.subject));
    if (people.size < 2) return null;
    return people.has(this.person) ? this.person : this.answers[0].subject;
  }

  /** The answer that was clicked, as long as the engine remembers it. */
  get pointed() {
    return this.answers.find((one) => one.seq === this.chosen && performance.now() - one.ms < LONGEST_AGO_S * 1000) ?? null;
  }

  /** Which answer the two keys are about. */
  ask() {
    const { pointed } = this;
    const last = this.who ? `Was its last answer to ${this.who} right?` : "Was its last answer right?";
    const words = pointed ? `Was “${pointed.label ?? "none"}”${this.who ? ` to ${this.who}` : ""} at ${pointed.at.toLocaleTimeString()} right?` : last;
    if (this.question.textContent !== words) this.question.textContent = words;
  }

  async explain(answer) {
    this.chosen = answer.seq;
    this.person = answer.subject;
    if (answer.label && this.app.labels.includes(answer.label)) this.was.value = answer.label;
    this.draw();
    if (!this.app.wire.mayTeach) {
      fill(this.votes, h("p.hint", {}, "Only the studio that may teach can see the examples behind an answer."));
      return;
    }
    const found = await this.app.try(this.app.wire.command("neighbours", { seq: answer.seq }));
    if (!found) return;
    fill(this.votes, h("h3", {}, `What voted for “${answer.label ?? "none"}”`),
      found.length ? h("ul.takes.wide", {}, found.map((one) => this.vote(one, answer))) : h("p.hint", {}, "No example was near."));
  }

  vote(one, answer) {
    const picture = this.app.clips.thumbnail(one);
    const choose = h("select", { "aria-label": "Move this example to another class", disabled: this.app.locked, onchange: (event) => this.move(one, event.target.value, answer) },
      this.app.labels.map((label) => h("option", { value: label, selected: label === one.label }, label)));
    return h("li", { "--ink": inkOf(one.label) },
      h("button.play", { type: "button", "aria-label": `Play this example of ${one.label}`, onclick: () => this.app.try(this.app.clips.play(picture)) }, picture),
      h("small", {}, `distance ${one.distance.toFixed(2)}`), choose,
      h("button.quiet.remove", { type: "button", "aria-label": "Delete this example", title: "Delete", disabled: this.app.locked, onclick: () => this.drop(one, answer) }, "✕"));
  }

  /** Of a sound its beginning and its whole are examples: what is seen as one is changed as one. */
  whole(one) {
    const others = this.app.examples.filter((other) => one.phase !== "frame" && ["take", "space", "label"].every((key) => other[key] === one[key]));
    return others.length ? others.map((other) => other.id) : [one.id];
  }

  async move(one, label, answer) {
    await this.app.change("relabel", { ids: this.whole(one), label }, `moved to “${label}”`);
    await this.explain(answer);
  }

  async drop(one, answer) {
    await this.app.change("delete_examples", { ids: this.whole(one) }, "example deleted; Undo brings it back");
    await this.explain(answer);
  }

  async mark(label) {
    if (this.wrong.disabled) return;
    const { who, pointed } = this;
    if (pointed) {
      const span = { until_us: pointed.until + SLACK_US, seconds: Math.min(MARKED_S, (pointed.until - pointed.since + 2 * SLACK_US) / 1e6) };
      await this.teach(label, { ...span, ...(pointed.subject && { subject: pointed.subject }) });
      this.chosen = null; // the keys are about the last answer again
      this.draw();
      return;
    }
    const newest = Math.max(...this.answers.filter((one) => (label !== null || one.label !== null) && (!who || one.subject === who)).map((one) => one.ms));
    const ago_s = Number.isFinite(newest) ? (performance.now() - newest) / 1000 : 0;
    if (ago_s > LONGEST_AGO_S) {
      this.app.say("Its last answer is too long ago: press within half a minute.", "warn");
      return;
    }
    await this.teach(label, { seconds: ago_s + MARKED_S, ...(who && { subject: who }) });
  }

  async teach(label, span) {
    await this.app.change("mark", { label, ...span }, label === null ? "noted: that was wrong" : `learned: that was “${label}”`);
  }
}
