// Who is in the picture while something is taught: how many, and which of them it is learned from.
import { h } from "./dom.js";

const SEEN_MS = 600;
// Points that tell who is larger: nose, shoulders, hips, as large whatever the arms do; the outline of a face.
const SPAN = { body: [0, 11, 12, 23, 24], face: [10, 152, 234, 454] };
const NEARER = 1.15; // so much larger has to be who is to count as nearer than the one before

export class Company {
  constructor(app) {
    this.people = new Map(); // subject -> { size, ms }
    this.words = h("span");
    this.nearest = h("option", { value: "nearest" });
    this.choice = h("select", { "aria-label": "Whom it learns from" }, this.nearest, h("option", { value: "all" }, "everybody"));
    this.element = h("p.company", { role: "status", hidden: true }, this.words, this.choice);
    app.wire.on("hello", () => {
      this.space = null;
      this.unclear = false; // hands, or faces beside bodies: nobody can say whose
    });
    app.wire.on("landmarks", (message) => this.see(message));
    setInterval(() => this.show(app.classes.recorder.recording, app.wire.mayTeach && !app.locked), 250);
  }

  see({ subject, space, points }) {
    if (space in SPAN) this.space ??= space;
    if (space !== this.space) {
      this.unclear = true;
      return;
    }
    const span = (axis) => {
      const along = SPAN[space].map((index) => points[index][axis]);
      return Math.max(...along) - Math.min(...along);
    };
    this.people.set(subject, { size: Math.hypot(span(0), span(1)), ms: performance.now() });
  }

  /** Who is there now, the nearest (that is, the largest) first. */
  get present() {
    const now = performance.now();
    for (const [subject, { ms }] of this.people) if (now - ms > SEEN_MS) this.people.delete(subject);
    const size = (subject) => this.people.get(subject).size * (subject === this.first ? NEARER : 1);
    const there = [...this.people.keys()].sort((one, other) => size(other) - size(one));
    this.first = there[0];
    return there;
  }

  /** Whom to learn from, from now on; null: from whoever is there, and whoever comes. */
  chosen() {
    return this.unclear || this.choice.value === "all" ? null : this.present[0] ?? null;
  }

  /** Before and while recording; of one person there is nothing to say. */
  show(recording, mayTeach) {
    const there = this.present;
    if (recording) recording.company = Math.max(recording.company ?? 0, there.length);
    this.element.hidden = !mayTeach || there.length < 2;
    if (this.element.hidden) return;
    const under = Boolean(recording?.started);
    const whom = recording?.subject ?? null;
    const words = `${there.length} people in the picture: ${under ? "learning" : "learn"} from${this.unclear ? " all" : ""}`;
    const nearest = `the nearest (${whom ?? there[0]})`;
    if (this.words.textContent !== words) this.words.textContent = words;
    if (this.nearest.textContent !== nearest) this.nearest.textContent = nearest;
    this.choice.disabled = under;
    this.choice.hidden = Boolean(this.unclear);
  }

  /** What there is to say of who was taught, when it was not simply whoever teaches. */
  told(recording, subjects = []) {
    const people = this.unclear ? [] : subjects;
    if (people.length > 1) return ` of ${people.length} people (${people.join(", ")})`;
    return recording.subject && recording.company > 1 ? ` of ${recording.subject} alone` : "";
  }
}
