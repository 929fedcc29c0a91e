// This browser's own microphone and camera, sent to the engine as binary frames (layout: server/uplink.py).
import { h } from "./dom.js";

const HEADER = 16;
const [SOUND, PICTURE] = [1, 3];
const MOST_PICTURES = 2; // unacknowledged
const MOST_SOUNDS = 20;
const RATE = 16000;
// Sources that hear or see, of which a browser's could take the place.
const SENSES = { microphone: ["microphone", "synthetic", "audio_file"], camera: ["camera", "walker", "video_file", "pictures"] };
const WORDS = { microphone: "My microphone", camera: "My camera" };

function frame(kind, seq, rate, age_us, payload) {
  const bytes = new Uint8Array(HEADER + payload.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, kind);
  view.setUint32(4, seq, true);
  view.setUint32(8, rate, true);
  view.setUint32(12, age_us, true);
  bytes.set(new Uint8Array(payload), HEADER);
  return bytes;
}

/** Why a device could not be used, in words. */
function explain(error, what) {
  const words = {
    NotAllowedError: `The browser may not use the ${what}: click the icon left of the address, allow it, and try again.`,
    NotFoundError: `This computer has no ${what} that the browser can find. Is it plugged in?`,
    NotReadableError: `Another program is using the ${what}. Close it, or choose another ${what}.`,
  };
  return new Error(words[error.name] ?? `The ${what} could not be opened: ${error.message}`);
}

export class Uplink {
  constructor(app) {
    this.app = app;
    this.seq = { microphone: 0, camera: 0 };
    this.waiting = { microphone: new Set(), camera: new Set() };
    this.streams = {};
    this.buttons = {
      microphone: h("button.switch", { type: "button", "aria-pressed": "false", onclick: () => this.toggle("microphone") }, WORDS.microphone),
      camera: h("button.switch", { type: "button", "aria-pressed": "false", onclick: () => this.toggle("camera") }, WORDS.camera),
    };
    this.graph = [];
    this.element = h("div.uplink", { role: "group", "aria-label": "This browser's devices" }, this.buttons.microphone, this.buttons.camera);
    app.wire.on("media_ack", (message) => this.acknowledged(message));
    app.wire.on("refused", (error) => this.app.complain(error));
    app.wire.on("away", () => Object.values(this.waiting).forEach((set) => set.clear()));
    app.wire.on("hello", (hello) => { this.graph = hello.graph ?? []; });
    app.on("role", () => this.show());
    document.addEventListener("visibilitychange", () => {
      if (document.hidden && this.streams.camera) app.say("This tab is hidden: browsers slow its camera down.", "warn");
    });
  }

  /** Whether the pipeline listens to this browser's device. */
  takes(kind) {
    return this.graph.some((node) => node.kind === `browser_${kind}`);
  }

  /** Name of the source whose place this browser's device could take. */
  instead(kind) {
    return this.graph.find((node) => SENSES[kind].includes(node.kind))?.name;
  }

  /** What this browser could lend and does not, although the engine waits for it. */
  get idle() {
    return Object.keys(SENSES).filter((kind) => this.takes(kind) && !this.streams[kind] && this.app.wire.mayTeach).map((kind) => WORDS[kind]);
  }

  show() {
    for (const [kind, button] of Object.entries(this.buttons)) {
      button.disabled = !this.app.wire.mayTeach;
      button.hidden = !this.takes(kind) && !this.instead(kind);
      if (this.streams[kind] && this.app.wire.connected && button.disabled) this.stop(kind); // it would only be refused
    }
  }

  acknowledged({ kind, seq, error }) {
    this.waiting[kind].delete(seq);
    if (!error || !this.streams[kind]) return;
    if (error.includes("no browser_") && this.takes(kind)) return; // the engine is on its way out, and back again
    this.stop(kind);
    this.app.say(error, "warn");
  }

  async toggle(kind) {
    if (this.streams[kind]) {
      this.stop(kind);
      return;
    }
    if (!this.takes(kind)) {
      this.app.say(`This engine uses its own ${kind}. To use this browser's, start it with: tmstream run PIPELINE --source ${this.instead(kind)}=browser`, "warn");
      return;
    }
    try {
      await (kind === "microphone" ? this.listen() : this.look());
      this.buttons[kind].setAttribute("aria-pressed", "true");
      this.streams[kind].stream.getTracks()[0].onended = () => {
        this.stop(kind);
        this.app.say(`The ${kind} was unplugged or taken away.`, "warn");
      };
    } catch (error) {
      this.app.complain(error.name ? explain(error, kind) : error);
    }
  }

  stop(kind) {
    const one = this.streams[kind];
    delete this.streams[kind];
    one?.stop();
    one?.stream.getTracks().forEach((track) => track.stop());
    this.waiting[kind].clear();
    this.buttons[kind].setAttribute("aria-pressed", "false");
  }

  post(kind, form, rate, age_us, payload) {
    const waiting = this.waiting[kind];
    this.seq[kind] += 1; // also when it is thrown away: the engine sees the hole
    if (waiting.size >= (kind === "camera" ? MOST_PICTURES : MOST_SOUNDS)) return;
    waiting.add(this.seq[kind]);
    this.app.wire.send(frame(form, this.seq[kind], rate, age_us, payload));
  }

  async listen() {
    const wanted = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 };
    const stream = await navigator.mediaDevices.getUserMedia({ audio: wanted });
    const context = new AudioContext({ sampleRate: RATE });
    await context.audioWorklet.addModule("worklet.js");
    const source = context.createMediaStreamSource(stream);
    const taker = new AudioWorkletNode(context, "taker", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
    taker.port.onmessage = ({ data }) => {
      const age_us = Math.max(0, Math.min(1e6, (context.currentTime - data.until) * 1e6));
      this.post("microphone", SOUND, context.sampleRate, Math.round(age_us), data.samples.buffer);
    };
    source.connect(taker);
    await context.resume();
    this.streams.microphone = { stream, stop: () => context.close() };
  }

  async look() {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480, frameRate: 30 } });
    const { video } = this.app.live;
    video.srcObject = stream;
    video.hidden = false;
    await video.play();
    const canvas = document.createElement("canvas");
    let stopped = false;
    const next = () => {
      if (stopped) return;
      if (video.requestVideoFrameCallback && !document.hidden) video.requestVideoFrameCallback(grab);
      else setTimeout(() => grab(performance.now()), 100);
    };
    const grab = async (now) => {
      if (stopped || this.waiting.camera.size >= MOST_PICTURES) return next();
      const scale = Math.min(1, 640 / video.videoWidth);
      Object.assign(canvas, { width: video.videoWidth * scale, height: video.videoHeight * scale });
      canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
      const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.85));
      if (blob && !stopped) this.post("camera", PICTURE, 0, Math.round(Math.max(0, performance.now() - now) * 1000), await blob.arrayBuffer());
      return next();
    };
    next();
    this.streams.camera = { stream, stop: () => { stopped = true; video.hidden = true; video.srcObject = null; } };
  }
}
