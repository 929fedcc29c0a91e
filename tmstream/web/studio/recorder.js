// Recording a class: while its button is held, or hands-free after a countdown.
import { h } from "./dom.js";

export class Recorder {
  constructor(app, classes) {
    this.app = app;
    this.classes = classes;
    this.recording = null; // { label, hands: "hold" | "free", started, ended, words, subject }
    this.wanted = null; // label of a button that is held before the recording before has ended
    this.seconds = h("input", { type: "number", min: 1, max: 60, value: 5, inputMode: "numeric" });
    document.addEventListener("visibilitychange", () => document.hidden && this.release());
  }

  /** Whether a finger is on a button, which must stay where it is. */
  get held() {
    return this.recording?.hands === "hold" || this.wanted !== null;
  }

  /** The recording of this class, if there is one. */
  of(label) {
    return this.recording?.label === label ? this.recording : null;
  }

  async press(label) {
    if (this.recording?.ending) { // it listens to the end of its last sound; who goes on holding is next
      this.wanted = label;
      this.mark();
      await this.recording.ended;
      if (this.wanted !== label) return;
      this.wanted = null;
    }
    if (!this.recording) await this.begin(label, "hold");
  }

  release() {
    if (this.wanted !== null) {
      this.wanted = null;
      this.app.say("Not recorded: it was still listening to the end of the last take. Hold until the button says “Recording…”.", "warn");
      this.mark();
    } else if (this.recording?.hands === "hold") this.end();
  }

  async begin(label, hands) {
    this.recording = { label, hands, started: null, words: this.recording?.words };
    const mine = this.recording;
    this.mark();
    mine.subject = this.app.company.chosen();
    mine.started = this.app.wire.command("record_start", { label, person: this.classes.person.value.trim() || null, subject: mine.subject });
    try {
      await mine.started;
    } catch (error) {
      if (this.recording === mine) this.recording = null;
      this.app.complain(error);
      this.mark(); // its card did not change otherwise
      this.classes.rebuild();
    }
  }

  end() {
    const mine = this.recording;
    if (mine && !mine.ending) {
      mine.ending = true;
      mine.ended = this.finish(mine);
      this.mark();
    }
    return mine?.ended;
  }

  async finish(mine) {
    let result = null;
    try {
      await mine.started;
      result = await this.app.wire.command("record_stop");
    } catch (error) {
      this.app.complain(error);
    }
    if (this.recording === mine) this.recording = null;
    this.mark();
    this.app.examplesChanged(true).then(() => result && this.tell(mine, result));
  }

  /** What was taken, counted as on its card. */
  tell(mine, { ids, note, subjects }) {
    const kept = new Set(ids);
    if (!kept.size) {
      this.app.say(`${mine.label}: ${note ?? "nothing was taken"}. Hold the button for the whole of it; is the microphone or camera on?`, "warn");
      return;
    }
    const takes = new Set(this.app.examples.filter((one) => kept.has(one.id)).map((one) => one.take)).size;
    const back = { words: "Take back", go: () => this.app.change("delete_examples", { ids }, `${mine.label}: taken back`) };
    this.app.say(`${mine.label}: ${takes} ${takes === 1 ? "take" : "takes"} recorded${this.app.company.told(mine, subjects)}`, "", back);
  }

  /** Three, two, one, and then so many seconds; a second click stops it. */
  async handsFree(label) {
    if (this.recording?.ending) await this.recording.ended;
    if (this.recording) {
      this.recording.cancelled = true;
      if (this.recording.started) await this.end();
      this.recording = null;
      this.classes.rebuild();
      return;
    }
    this.recording = { label, hands: "free", started: null, words: "" };
    const mine = this.recording;
    const still = async (words, ms) => {
      mine.words = words;
      this.classes.rebuild();
      await new Promise((resolve) => setTimeout(resolve, ms));
      return this.recording === mine && !mine.cancelled;
    };
    for (const count of [3, 2, 1]) if (!(await still(`Get ready: ${count}`, 1000))) return;
    await this.begin(label, "free");
    const current = this.recording;
    const seconds = Math.max(1, Math.min(60, Number(this.seconds.value) || 5));
    for (let left = seconds; left > 0 && current; left -= 1) {
      if (this.recording !== current || current.cancelled) return;
      current.words = `Recording: ${left} s`;
      this.classes.rebuild();
      await new Promise((resolve) => setTimeout(resolve, Math.min(1, left) * 1000));
    }
    if (this.recording === current && !current?.ending) await this.end();
  }

  /** Show the pressed state without rebuilding the button under the finger. */
  mark() {
    for (const card of this.classes.cards.querySelectorAll(".class")) {
      const { label } = card.dataset;
      const mine = this.of(label);
      const on = Boolean(mine) && !mine.ending;
      card.classList.toggle("recording", on);
      const button = card.querySelector(".record");
      const held = on && mine.hands === "hold";
      button?.setAttribute("aria-pressed", held);
      if (button) button.textContent = held ? "Recording…" : this.wanted === label ? "One moment…" : "Hold to record";
    }
  }
}
