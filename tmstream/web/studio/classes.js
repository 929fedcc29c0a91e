// The classes: add, rename, delete; every take is a card.
import { fill, h, inkOf, keepInk, spaceName } from "./dom.js";
import { Recorder } from "./recorder.js";

const CARDS = 9; // shown of one label, with a button for the rest: two rows, or three on a phone
const LONGEST_NAME = 80;

export class Classes {
  constructor(app) {
    this.app = app;
    this.pending = []; // labels without an example yet live only on this page
    this.shown = new Map(); // label -> { signature, card }: a card that did not change stays as it is
    this.unfolded = new Set(); // labels all of whose takes are wanted
    this.made = 0; // cards, so that each has a name of its own
    this.pictures = new Map(); // example id and ink -> its drawing
    this.cards = h("div.classes");
    this.person = h("input", { type: "text", placeholder: "anybody", autocomplete: "off", maxLength: 60 });
    this.recorder = new Recorder(app, this);
    this.name = h("input", { type: "text", placeholder: "A new class, e.g. clap", autocomplete: "off", "aria-label": "Name of a new class" });
    this.adder = h("form.adder", { onsubmit: (event) => this.add(event) }, this.name, h("button.primary", { type: "submit" }, "Add class"));
    this.options = h("div.options", { hidden: true },
      h("label.inline", { title: "Who teaches; then it can be judged on people it has not met" }, "taught by", this.person),
      h("label.inline", {}, "hands-free for", this.recorder.seconds, "s"));
    this.element = app.drop.target(h("section.panel", { "aria-label": "Classes" },
      h("div.heading", {}, h("h2", {}, "Classes"), this.options),
      this.adder, app.company.element, this.cards, app.drop.element));
    app.on("examples", () => this.rebuild());
    app.on("role", () => this.rebuild());
  }

  add(event) {
    event.preventDefault();
    const label = this.named(this.name.value);
    if (!label) {
      this.name.focus();
      return;
    }
    if (this.app.labels.includes(label)) this.app.say(`There is a class “${label}” already.`);
    else this.pending.push(label);
    this.name.value = "";
    this.app.examplesChanged();
    this.cards.querySelector(`[data-key="${CSS.escape(`hold ${label}`)}"]`)?.focus();
  }

  /** A name as it is kept, or null after saying what is wrong with it. */
  named(text) {
    const label = text.trim().normalize("NFC");
    if (!label) this.app.say("Give the class a name first.", "warn");
    else if (label.length > LONGEST_NAME) this.app.say(`A name has at most ${LONGEST_NAME} characters; this one has ${label.length}.`, "warn");
    else return label;
    return null;
  }

  rebuild() {
    if (this.recorder.held) return; // not under somebody's finger; its end calls again
    const { app } = this;
    const taught = new Set(app.examples.map((one) => one.label));
    this.pending = this.pending.filter((label) => !taught.has(label));
    this.adder.hidden = !app.wire.mayTeach || app.locked;
    this.options.hidden = this.adder.hidden || !app.labels.length;
    if (!app.labels.length && !app.wire.mayTeach) {
      fill(this.cards, h("div.hint", {}, h("p", {}, app.wire.connected ? "Nothing has been taught yet." : "Connecting …")));
      return;
    }
    if (!app.labels.length) {
      fill(this.cards, h("div.hint", {},
        h("p", {}, h("strong", {}, "Teach it something."), " Add a class above, hold its Record button, and make the sound or the pose five times. Then do the same for a second class."),
        h("p", {}, "It answers while you teach: there is no training to wait for.")));
      return;
    }
    fill(this.cards, app.labels.map((label) => this.keptCard(label)));
    for (const label of this.shown.keys()) if (!app.labels.includes(label)) this.shown.delete(label);
    for (const [key, picture] of this.pictures) if (!picture.isConnected) this.pictures.delete(key);
  }

  keptCard(label) {
    const takes = this.takesOf(label);
    const busy = this.recorder.of(label);
    const { app } = this;
    const signature = JSON.stringify([takes.map((take) => take.map((one) => one.id)), app.wire.mayTeach, app.locked, busy?.words, Boolean(busy), app.lint?.get(label), takes.map((take) => this.fault(take)), this.unfolded.has(label)]);
    const kept = this.shown.get(label);
    if (kept?.signature === signature) return kept.card;
    const card = this.classCard(label, takes);
    this.shown.set(label, { signature, card });
    return card;
  }

  takesOf(label) {
    const takes = new Map();
    for (const one of this.app.examples) {
      if (one.label !== label) continue;
      const key = `${one.take} ${one.space} ${one.negative}`;
      if (!takes.has(key)) takes.set(key, []);
      takes.get(key).push(one);
    }
    return [...takes.values()].reverse(); // the newest first
  }

  classCard(label, takes) {
    const { app } = this;
    const mine = app.wire.mayTeach;
    const count = takes.filter((take) => !take[0].negative).length;
    const all = this.unfolded.has(label) || takes.length === CARDS + 1;
    const shown = takes.filter((take, i) => all || i < CARDS || this.fault(take)); // what should be mended can be found
    const rest = takes.length - shown.length;
    const fold = h("button.quiet", { "data-key": `fold ${label}`, type: "button", "aria-expanded": all, "aria-label": all ? `Show fewer takes of ${label}` : `Show ${rest} more takes of ${label}`, onclick: () => this.fold(label) }, all ? "show fewer" : `${rest} more`);
    const busy = this.recorder.of(label);
    const title = `title-${this.made++}`;
    const ofClass = (verb) => ({ id: `${verb}-${title}`, "aria-labelledby": `${verb}-${title} ${title}` }); // of many like it
    const hold = h("button.record", {
      ...ofClass("hold"), "data-key": `hold ${label}`, type: "button", disabled: !mine || app.locked, "aria-pressed": busy?.hands === "hold", title: "Hold to record (mouse, finger, space bar)",
      onpointerdown: (event) => { event.preventDefault(); event.target.focus(); this.recorder.press(label); },
      onpointerup: () => this.recorder.release(), onpointercancel: () => this.recorder.release(), onlostpointercapture: () => this.recorder.release(),
      oncontextmenu: (event) => event.preventDefault(),
      onkeydown: (event) => { if ((event.key === " " || event.key === "Enter") && !event.repeat) { event.preventDefault(); this.recorder.press(label); } },
      onkeyup: (event) => { if (event.key === " " || event.key === "Enter") this.recorder.release(); },
      onblur: () => this.recorder.release(),
    }, busy?.hands === "hold" ? "Recording…" : "Hold to record");
    hold.addEventListener("pointerdown", (event) => hold.setPointerCapture(event.pointerId));
    const free = h("button", { ...ofClass("free"), "data-key": `free ${label}`, type: "button", disabled: !mine || app.locked, onclick: () => this.recorder.handsFree(label) },
      busy?.hands === "free" ? "Stop" : "Hands-free");
    const bar = h(`div.countdown${busy?.started ? ".on" : ""}`, { role: "timer", hidden: busy?.hands !== "free" }, busy?.words ?? "");
    const lint = app.lint?.get(label);
    const files = h("button", { ...ofClass("files"), "data-key": `files ${label}`, type: "button", disabled: !mine || app.locked, title: "Sounds, pictures or films; or drop them here", onclick: () => app.drop.pick(label) }, "Files…");
    const varied = takes.flat().some((one) => one.augmented_from);
    const vary = h("button.quiet", { ...ofClass("vary"), "data-key": `vary ${label}`, type: "button", "aria-pressed": varied, disabled: app.locked, title: varied ? "Learn from the takes alone again" : "Learn from variants of these takes as well: with noise, higher, faster; turned, darker. Takes recorded later have none", onclick: () => app.drop.vary(label, !varied) }, `${varied ? "☑" : "☐"} learn variants too`);
    const card = h(`article.class${busy?.started && !busy.ending ? ".recording" : ""}`, { "--ink": inkOf(label), "data-label": label, "aria-label": `Class ${label}` },
      h("header", {},
        h("input.title", {
          id: title, "data-key": `name ${label}`, value: label, disabled: !mine || app.locked || !takes.length, title: label, "aria-label": `Name of class ${label}`,
          onchange: (event) => this.rename(label, event.target), onkeydown: (event) => event.key === "Enter" && event.target.blur(),
        }),
        mine && h("span.count", {}, `${count} ${count === 1 ? "take" : "takes"}`),
        mine && h("button.quiet", { "data-key": `delete ${label}`, type: "button", "aria-label": `Delete class ${label}`, title: "Delete this class (undo brings it back)", disabled: app.locked, onclick: () => this.remove(label) }, "✕")),
      mine && h("div.actions", {}, hold, free, app.wire.hello?.project && files), bar,
      mine && lint && h("p.lint", {}, lint),
      takes.length > 0 && h("ul.takes", {}, shown.map((take) => this.takeCard(take)), takes.length > CARDS + 1 && (all || rest > 0) && h("li.more", {}, fold)),
      mine && count > 0 && app.wire.hello?.project && vary);
    return app.drop.target(card, label);
  }

  /** Show all takes of a class, or the latest few. */
  fold(label) {
    if (!this.unfolded.delete(label)) this.unfolded.add(label);
    this.rebuild();
    this.cards.querySelector(`[data-key="${CSS.escape(`fold ${label}`)}"]`)?.focus();
  }

  /** A take's number among its class, as `tmstream lint` counts them. */
  numberOf(example) {
    const own = this.app.examples.filter((one) => one.label === example.label && !one.negative && !one.augmented_from);
    const place = [...new Set(own.map((one) => one.take))].indexOf(example.take);
    return place < 0 ? null : `no. ${place + 1}`;
  }

  /** What is wrong with a take, if anything is. */
  fault(take) {
    return take.map((one) => this.app.faults?.get(one.id)).find(Boolean);
  }

  takeCard(take) {
    const first = take.find((one) => one.phase === "final") ?? take[Math.floor(take.length / 2)];
    const key = `${first.id} ${inkOf(first.label)}`; // drawn in the ink of its class, which it may leave
    const picture = this.pictures.get(key) ?? this.app.clips.thumbnail(first);
    this.pictures.set(key, picture);
    const name = [this.numberOf(first), first.negative && (first.take.startsWith("room ") ? "the room" : "was wrong"), first.person].filter(Boolean).join(" · ");
    const about = [name, spaceName(first.space), /\.\w+$/.test(first.source) && first.source, `${take.length} ${take.length === 1 ? "example" : "examples"}`, new Date(first.created_us / 1000).toLocaleString()].filter(Boolean).join(" · ");
    const fault = this.fault(take);
    const play = h("button.play", { type: "button", "data-key": `play ${first.id}`, title: fault ?? about, "aria-label": `Play: ${[first.label, about, fault].filter(Boolean).join(", ")}`,
      onclick: (event) => {
        this.app.try(this.app.clips.play(picture));
        this.cards.querySelectorAll(".takes select").forEach((one) => one.remove());
        this.heard = first.id;
        event.currentTarget.parentElement.append(this.mover(take) ?? "");
      } }, picture);
    return h("li", { className: first.negative ? "negative" : fault ? "faulty" : "" }, play, h("small", {}, name), this.heard === first.id && this.mover(take),
      this.app.wire.mayTeach && h("button.quiet.remove", { type: "button", "data-key": `remove ${first.id}`, "aria-label": `Delete this take of ${first.label}`, title: "Delete", disabled: this.app.locked, onclick: () => this.app.change("delete_examples", { ids: take.map((one) => one.id) }) }, "✕"));
  }

  /** A take that was listened to can be moved to the class it belongs to. */
  mover(take) {
    const { app } = this;
    if (!app.wire.mayTeach || app.locked || take[0].negative || app.labels.length < 2) return null;
    return h("select", { "aria-label": "Move this take to another class", onchange: (event) => app.change("relabel", { ids: take.map((one) => one.id), label: event.target.value }, `moved to “${event.target.value}”`) },
      h("option", { value: "" }, "move to …"), app.labels.filter((label) => label !== take[0].label).map((label) => h("option", { value: label }, label)));
  }

  // ---- changing

  async rename(label, input) {
    const to = this.named(input.value);
    if (!to || to === label) {
      input.value = label;
      return;
    }
    if (this.app.labels.includes(to) && !confirm(`There is a class “${to}” already. Merge “${label}” into it?`)) {
      input.value = label;
      return;
    }
    keepInk(label, to);
    await this.app.change("rename_label", { label, to });
    if (document.activeElement === document.body) this.cards.querySelector(`[data-key="${CSS.escape(`hold ${to}`)}"]`)?.focus({ preventScroll: true });
  }

  async remove(label) {
    if (this.pending.includes(label)) {
      this.pending = this.pending.filter((one) => one !== label);
      this.app.examplesChanged();
      return;
    }
    await this.app.change("delete_label", { label }, `“${label}” is deleted; Undo brings it back`);
  }
}
