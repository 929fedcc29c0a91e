/*! tmstream.js 0.1.0 (Apache-2.0): a sketch listens to a tmstream engine, protocol 1.
 *
 * One file for every page: `<script src="/tmstream.js"></script>`, or `import "/tmstream.js"` in a
 * module (it has no exports: both ways give the global `tmstream`; `tmstream.mjs` beside it exports).
 * Works with p5 1.x and 2.x, without p5, and in Node. It has no dependency and stores nothing.
 */
(function (root) {
  "use strict";

  const PROTOCOL = 1;
  const PORT = 8765;
  const FRESH_MS = 3000; // an answer older than this no longer counts
  const POINTS_FRESH_MS = 1000; // a body unseen for this long is gone
  const HUNGRY_MS = 4000; // an engine that sends nothing of what a sketch needs has no camera on
  const READY_MS = 5000; // nobody's setup() waits longer than this
  const STREAMS = ["prediction", "event", "landmarks", "presence", "spectrum", "status"];
  const PICTURE = 3; // first byte of a frame that holds the engine's camera picture, after 16 bytes of header
  const PICTURE_HEADER = 16;
  const BACKOFF_MS = [500, 1000, 2000, 4000, 8000];
  const CALLBACKS = {
    enter: "classEntered",
    leave: "classLeft",
    hold: "classHeld",
    trigger: "classTriggered",
    count: "classCounted",
  };
  // MediaPipe's 33 body points and 21 hand points, in their order.
  const SIDES = (names) => names.flatMap((name) => [`left_${name}`, `right_${name}`]);
  const BODY = ["nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer"].concat(
    SIDES(["ear"]), ["mouth_left", "mouth_right"],
    SIDES(["shoulder", "elbow", "wrist", "pinky", "index", "thumb", "hip", "knee", "ankle", "heel", "foot_index"]),
  );
  const HAND = ["wrist", "thumb_cmc", "thumb_mcp", "thumb_ip", "thumb_tip"].concat(
    ["index", "middle", "ring", "pinky"].flatMap((finger) => ["mcp", "pip", "dip", "tip"].map((joint) => `${finger}_finger_${joint}`)),
  );

  // Of a face's 468 points those that sketches ask for by name.
  const FACE = Object.assign([], {
    0: "upper_lip", 4: "nose", 10: "forehead", 13: "upper_lip_inner", 14: "lower_lip_inner", 17: "lower_lip", 152: "chin",
    33: "right_eye_outer", 61: "mouth_right", 105: "right_brow", 133: "right_eye_inner", 145: "right_lower_lid", 159: "right_upper_lid", 234: "right_cheek",
    263: "left_eye_outer", 291: "mouth_left", 334: "left_brow", 362: "left_eye_inner", 374: "left_lower_lid", 386: "left_upper_lid", 454: "left_cheek",
  });

  const script = typeof document !== "undefined" && document.currentScript ? document.currentScript.src : "";
  const nowMs = () => performance.timeOrigin + performance.now();
  const clean = (label) => String(label).normalize("NFC");
  const open = new Set(); // connections to close when their sketch is removed

  /** Throw outside of our own loop: the console shows it, and the next handler still runs. */
  function complain(error) {
    setTimeout(() => { throw error; });
  }

  /** Edit distance, to name the label that was probably meant. */
  function distance(a, b) {
    let row = Array.from({ length: b.length + 1 }, (_, i) => i);
    for (let i = 1; i <= a.length; i++) {
      const next = [i];
      for (let j = 1; j <= b.length; j++) {
        next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
      }
      row = next;
    }
    return row[b.length];
  }

  function nearest(label, known) {
    const wanted = label.toLowerCase();
    return [...known].sort((a, b) => distance(wanted, a.toLowerCase()) - distance(wanted, b.toLowerCase()))[0];
  }

  // ---------------------------------------------------------------- addresses

  /** Turn "8765", "localhost:8765", "http://host" or "ws://host/ws" into the address of the socket. */
  function socketAddress(text) {
    let address = String(text).trim();
    if (/^\d+$/.test(address)) address = `localhost:${address}`;
    if (!/^[a-z]+:\/\//i.test(address)) address = `ws://${address}`;
    const url = new URL(address.replace(/^http/i, "ws"));
    if (url.pathname === "/" || url.pathname === "") url.pathname = "/ws";
    url.hash = "";
    return url.href;
  }

  /** Where an engine may be, likeliest first: it served this script, it served this page, or it is at home. */
  function likelyAddresses() {
    const found = [];
    if (/^https?:.*\/tmstream\.m?js$/.test(script)) found.push(socketAddress(new URL(script).origin));
    const page = root.location;
    if (page && /^https?:$/.test(page.protocol) && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(page.hostname)) {
      found.push(socketAddress(page.origin));
    }
    found.push(socketAddress(PORT));
    return [...new Set(found)];
  }

  /** Who is at this address? Asks /health, which answers any page: "tmstream", "another", or null for nobody. */
  async function whoIsAt(address) {
    try {
      const answer = await fetch(healthAddress(new URL(address)), { cache: "no-store", signal: AbortSignal.timeout(3000) });
      const said = await answer.json().catch(() => null);
      return said?.engine === "tmstream" ? "tmstream" : "another";
    } catch {
      return null;
    }
  }

  /** Say in a sketch writer's words why none of these addresses gave a connection. */
  async function diagnose(addresses) {
    const url = new URL(addresses.at(-1));
    const place = url.host;
    const page = root.location;
    if (!page || typeof document === "undefined") {
      return { code: "not_running", text: `tmstream does not answer at ${place}. Is it running?` };
    }
    const secure = page.protocol === "https:";
    const framed = root.top !== root;
    const browser = navigator.userAgent;
    const safari = /^((?!chrome|android|chromium).)*safari/i.test(browser);
    if (secure && url.protocol === "ws:" && safari) {
      return { code: "safari", text: "Safari does not let an https page talk to tmstream on this computer. Open this page in Chrome or Firefox, or let tmstream serve your sketch: tmstream run PIPELINE --sketch FOLDER" };
    }
    const permission = await localPermission();
    if (permission === "denied" && framed) {
      return { code: "iframe", text: "This sketch runs inside a frame that may not reach your computer. Open it in a tab of its own (Share → Fullscreen in the p5 editor)." };
    }
    if (permission === "denied") {
      return { code: "permission", text: "Your browser was told not to let this page reach apps on this device. Click the icon left of the address, allow “Apps on device”, and reload." };
    }
    if (permission === "prompt" && secure) {
      return { code: "ask", text: "Your browser wants to be asked first, before this page may reach tmstream on this computer.", button: "Connect" };
    }
    const found = await Promise.all(addresses.map(whoIsAt));
    if (!found.includes("tmstream") && found.at(-1) === "another") {
      return { code: "wrong_port", text: `Something answers at ${place}, but it is not tmstream. Which address did tmstream print when it started? Write it here: tmstream.connect("localhost:8765")` };
    }
    if (!found.includes("tmstream")) {
      const inside = framed && secure ? " If it does run: this page sits inside a frame; open it in a tab of its own." : "";
      return { code: "not_running", text: `tmstream is not running at ${place}. Start it in a terminal: tmstream run PIPELINE.${inside}` };
    }
    return { code: "not_allowed", text: `tmstream is running, but this page (${page.origin}) is not on its list. Open the studio and click “Let it listen”, or type: tmstream allow-origin ${page.origin}` };
  }

  function healthAddress(url) {
    return `${url.protocol === "wss:" ? "https" : "http"}://${url.host}/health`;
  }

  /** The state of Chrome's "apps on device" permission; null where a browser knows none. */
  async function localPermission() {
    for (const name of ["loopback-network", "local-network-access"]) {
      try {
        return (await navigator.permissions.query({ name })).state;
      } catch { /* not known here: try the older name */ }
    }
    return null;
  }

  // ---------------------------------------------------------------- a line on the canvas

  /** A small panel over the canvas. Styled by script, so no page policy can lose it. */
  class Notice {
    show(text, button, onClick) {
      if (typeof document === "undefined" || !document.body) return;
      this.clear();
      const panel = document.createElement("div");
      panel.setAttribute("role", "status");
      panel.dataset.tmstream = "notice";
      Object.assign(panel.style, {
        position: "absolute", zIndex: 2147483000, boxSizing: "border-box", padding: "10px 14px", borderRadius: "10px",
        font: "14px/1.45 system-ui, sans-serif", color: "#fff", background: "rgba(20, 20, 24, 0.88)", textAlign: "left", pointerEvents: button ? "auto" : "none",
      });
      panel.append(text);
      if (button) {
        const knob = document.createElement("button");
        knob.textContent = button;
        Object.assign(knob.style, { display: "block", marginTop: "8px", font: "inherit", padding: "6px 14px", cursor: "pointer" });
        knob.addEventListener("click", onClick);
        panel.append(knob);
      }
      document.body.append(panel);
      const place = () => {
        const canvas = document.querySelector("canvas");
        const box = canvas ? canvas.getBoundingClientRect() : { left: 0, top: 0, width: root.innerWidth };
        Object.assign(panel.style, {
          left: `${box.left + root.scrollX + 12}px`, top: `${box.top + root.scrollY + 12}px`,
          maxWidth: `${Math.min(460, Math.max(180, Math.min(box.width, root.innerWidth - box.left) - 24))}px`,
        });
      };
      place();
      this.panel = panel;
      this.timer = setInterval(place, 500); // the canvas may come later, or move
    }

    clear() {
      clearInterval(this.timer);
      if (this.panel) this.panel.remove();
      this.panel = null;
    }
  }

  // ---------------------------------------------------------------- the engine's camera

  /** Keeps one image that p5's image() and a canvas's drawImage() can draw, always the latest picture. */
  class Video {
    constructor(tm) {
      Object.assign(this, { tm, image: null, busy: false });
    }

    /** Decode a JPEG; while one is being decoded the next is left out, as a fresher one follows. */
    async take(jpeg) {
      if (this.busy || typeof createImageBitmap !== "function") return;
      this.busy = true;
      try {
        const bitmap = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
        this.draw(bitmap);
        bitmap.close();
      } catch (error) {
        complain(error);
      } finally {
        this.busy = false;
      }
    }

    draw(bitmap) {
      const { width, height } = bitmap;
      if (this.image?.width !== width || this.image.height !== height) this.image = this.make(width, height);
      const canvas = this.image.canvas ?? this.image;
      const context = canvas.getContext("2d");
      context.save();
      // As mirrored as the skeletons are, so that they lie on each other. A p5.Image may have more pixels.
      context.setTransform(canvas.width / width, 0, 0, canvas.height / height, 0, 0);
      if (this.tm.options.mirror) context.transform(-1, 0, 0, 1, width, 0);
      context.drawImage(bitmap, 0, 0);
      context.restore();
      this.image.setModified?.(true); // p5 in WebGL mode sends it to the graphics card again
    }

    make(width, height) {
      const sketch = this.tm._sketch();
      if (typeof sketch?.createImage === "function") return sketch.createImage(width, height);
      return Object.assign(document.createElement("canvas"), { width, height });
    }
  }

  // ---------------------------------------------------------------- two ways messages come in

  /** A websocket that is opened again whenever it ends. */
  class Line {
    constructor(addresses, options, tm) {
      Object.assign(this, { addresses, options, tm, tries: 0, round: 0, closed: false, greeted: false });
      this.replies = new Map();
      this.number = 0;
      this.dial();
    }

    async dial() {
      const address = this.addresses[this.round];
      let socket;
      try {
        const Socket = this.options.WebSocket || root.WebSocket || (await import("ws")).default;
        if (this.closed) return;
        socket = new Socket(address);
      } catch (error) {
        const text = root.location
          ? `This page may not open ${address}: ${error.message}`
          : "This Node has no WebSocket: use Node 22, or npm install ws, or connect({ WebSocket })";
        this.tm._problem({ code: "no_socket", text });
        return;
      }
      this.socket = socket;
      socket.binaryType = "arraybuffer";
      this.greeted = false;
      socket.onmessage = (event) => {
        if (event.data instanceof ArrayBuffer) {
          const [kind] = new Uint8Array(event.data, 0, 1);
          if (kind === PICTURE) this.tm._look(new Uint8Array(event.data, PICTURE_HEADER));
          return;
        }
        let message;
        try { message = JSON.parse(event.data); } catch { return; }
        if (message.type === "hello") this.greet(address, message);
        if (message.type === "reply") this.settle(message);
        else this.tm._receive(message, this);
      };
      socket.onerror = () => {}; // the close that follows says the rest
      socket.onclose = (event) => { if (socket === this.socket) this.lost(event, address); };
    }

    greet(address, hello) {
      Object.assign(this, { greeted: true, tries: 0, addresses: [address], round: 0 });
      const { token, streams, labels, maxRateHz } = this.options;
      if (token) this.command("auth", { token }).catch((error) => this.tm._problem({ code: "token", text: error.message }));
      this.watching = this.tm._wantsVideo && hello.shares_video && hello.streams.includes("video");
      if (streams || labels || maxRateHz || this.watching) this.subscribe();
    }

    subscribe() {
      const { streams = STREAMS, labels, maxRateHz } = this.options;
      const wanted = this.watching ? [...new Set([...streams, "video"])] : streams;
      this.command("subscribe", { streams: wanted, ...(labels && { labels }), ...(maxRateHz && { max_rate_hz: maxRateHz }) })
        .catch((error) => this.tm._problem({ code: "subscribe", text: error.message }));
    }

    /** Ask for the camera's pictures, which never come unasked. */
    watch(hello) {
      if (this.watching || !this.greeted) return;
      this.watching = Boolean(hello.shares_video && hello.streams.includes("video"));
      if (this.watching) this.subscribe();
    }

    async lost(event, address) {
      const was = this.greeted;
      for (const { reject } of this.replies.values()) reject(new Error("the connection ended"));
      this.replies.clear();
      this.socket = null;
      if (this.closed) return;
      if (was) this.tm._lost();
      this.greeted = false;
      if (!was && this.round + 1 < this.addresses.length) {
        this.round += 1;
        this.dial();
        return;
      }
      this.round = 0;
      const wait = BACKOFF_MS[Math.min(this.tries, BACKOFF_MS.length - 1)] * (0.8 + 0.4 * Math.random());
      this.tries += 1;
      this.timer = setTimeout(() => this.dial(), wait);
      if (was) return; // a restart of the engine is no problem yet
      if (this.tm._resting()) return;
      const found = event && event.reason
        ? { code: "refused", text: `tmstream hung up: ${event.reason}` }
        : await diagnose(this.addresses);
      if (this.closed || this.greeted) return;
      this.tm._problem(found, () => this.knock(address));
    }

    /** Ask the browser's permission, which it only grants after a click. */
    async knock(address) {
      const options = { cache: "no-store" };
      if (/^wss?:\/\/(localhost|127\.|\[::1\])/.test(address)) options.targetAddressSpace = "loopback";
      await fetch(healthAddress(new URL(address)), options).catch(() => {});
      clearTimeout(this.timer);
      this.dial();
    }

    command(type, fields) {
      const id = ++this.number;
      return new Promise((resolve, reject) => {
        if (!this.greeted || !this.socket) return reject(new Error("not connected"));
        this.replies.set(id, { resolve, reject });
        this.socket.send(JSON.stringify({ type, id, ...fields }));
      });
    }

    settle(reply) {
      const waiting = this.replies.get(reply.id);
      this.replies.delete(reply.id);
      if (!waiting) return;
      if (reply.ok) waiting.resolve(reply.result);
      else waiting.reject(new Error(reply.error ? reply.error.message : "refused"));
    }

    close() {
      this.closed = true;
      clearTimeout(this.timer);
      if (this.socket) this.socket.close();
    }
  }

  /** A saved `tmstream run --print`, played at its own pace. */
  class Take {
    constructor(address, loop, tm) {
      Object.assign(this, { address, loop, tm, closed: false });
      this.play().catch((error) => tm._problem({
        code: "take",
        text: `The recorded take ${address} cannot be played (${error.message}). It must lie beside this page, and the page must come from a web server, not from a double click.`,
      }));
    }

    async play() {
      const messages = parseTake(await this.read());
      if (!messages.length) throw new Error("it holds no messages");
      if (messages[0].message.type !== "hello") {
        const seen = messages.map(({ message }) => message.label).filter(Boolean);
        messages.unshift({ ms: messages[0].ms, message: { type: "hello", protocol: PROTOCOL, version: "", labels: [...new Set(seen)], active_labels: [], streams: [], role: "viewer" } });
      }
      let next = 0;
      let began = nowMs();
      const step = () => {
        if (this.closed) return;
        while (next < messages.length && messages[next].ms <= nowMs() - began) {
          this.tm._receive(messages[next++].message, this);
          if (this.closed) return;
        }
        if (next === messages.length) {
          if (!this.loop) return;
          next = 0;
          began = nowMs() + 1000; // take a breath
          this.tm._rewind();
        }
        this.timer = setTimeout(step, Math.max(0, began + messages[next].ms - nowMs()));
      };
      step();
    }

    async read() {
      if (!root.location && !/^https?:/.test(this.address)) {
        return (await import("node:fs/promises")).readFile(this.address, "utf8");
      }
      const answer = await fetch(this.address);
      if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
      return answer.text();
    }

    close() {
      this.closed = true;
      clearTimeout(this.timer);
    }
  }

  /** Give every message of a take its instant, in milliseconds from the first. Times never run back. */
  function parseTake(text) {
    const messages = [];
    let first = null;
    let last = 0;
    for (const line of text.split("\n")) {
      if (!line.trim()) continue;
      let message;
      try { message = JSON.parse(line); } catch { continue; } // a line cut off by Ctrl-C
      const at = message.end_us ?? message.t_us;
      if (at !== undefined) {
        first ??= at;
        last = Math.max(last, (at - first) / 1000);
      }
      messages.push({ ms: last, message });
    }
    return messages;
  }

  // ---------------------------------------------------------------- what a sketch holds in its hand

  class Tmstream {
    constructor(address, options) {
      this.options = { quiet: false, mirror: false, fit: "stretch", simulateKeys: false, loop: true, ...options };
      this.connected = false; //: messages come in, from an engine or a take
      this.source = null; //: "engine", "take" or null
      this.engine = false; //: an engine answers, even while a take plays because it sends nothing the sketch needs
      this.problem = null; //: why there is no connection, in words
      this.labels = (this.options.labels || []).map(clean);
      this.hello = null;
      this.status = null;
      this.level = 0; //: loudness, 0 to 1 over 60 dB
      this.levelDb = -Infinity;
      this.latency = null; //: milliseconds from the onset of the last event to this sketch
      this._notice = new Notice();
      this._video = new Video(this);
      this._wantsVideo = false;
      this._handlers = new Map();
      this._mentioned = new Set();
      this._warned = new Set();
      this._expected = new Map(); // label -> whether a trigger is waited for that may never come
      this._ignore = new Map();
      this._classify = null;
      this._forget();
      let settle;
      this.ready = new Promise((resolve) => { settle = resolve; });
      // Until it is ready the object can be awaited itself; afterwards it must not be a thenable.
      this.then = (resolve, reject) => this.ready.then(resolve, reject);
      this._settle = () => {
        clearTimeout(this._patience);
        delete this.then;
        settle(this);
      };
      this._patience = setTimeout(this._settle, this.options.timeoutMs ?? READY_MS);
      if (typeof this._patience.unref === "function") this._patience.unref();
      this._listenToKeys();
      // A page opened with #take does not look for an engine: it may be a gallery on somebody's web space.
      if (!address && /(^#|&)take\b/.test(root.location?.hash ?? "")) address = this.options.take;
      if (address && /\.(jsonl|ndjson)([?#]|$)/.test(address)) {
        this._take = new Take(address, this.options.loop, this);
      } else {
        this._dial(address);
      }
    }

    _dial(address) {
      try {
        this._line = new Line(address ? [socketAddress(address)] : likelyAddresses(), this.options, this);
      } catch { // of what an address is made
        const text = `“${address}” is not an address. Which one did tmstream print when it started? Write it here: tmstream.connect("localhost:8765")`;
        const tell = () => this._problem({ code: "address", text });
        if (root.document?.readyState === "loading") document.addEventListener("DOMContentLoaded", tell, { once: true });
        else setTimeout(tell);
      }
    }

    // ---- asking, in draw()

    /** The latest, strongest answer; null for none of the above. */
    get label() { return this._focused()?.label ?? null; }

    /** Why there is no label ("too_far", "silence", "no_person" ...), or null. */
    get rejected() { return this._focused()?.rejected ?? null; }

    /** Every label of the latest answer, best first. */
    get results() { return this._focused()?.results ?? []; }

    confidence(label) {
      const wanted = this._mention(label);
      return this._best(wanted, (answer, part) => (answer.label === null ? 0 : part.confidence));
    }

    closeness(label) {
      return this._best(this._mention(label), (_, part) => part.closeness);
    }

    /** True while the label lasts: entered and not yet left, or the present answer. */
    is(label) {
      const wanted = this._mention(label);
      this._expected.set(wanted, false); // who asks this way knows
      return (this._entered.get(wanted)?.size ?? 0) > 0 || this._fresh().some((answer) => answer.label === wanted);
    }

    /** How often a sound or a movement was triggered since the last frame. What lasts, as a pose does, is asked by is(). */
    triggered(label) {
      const wanted = this._mention(label);
      this._expect(wanted);
      this._turnFrame();
      return this._triggers.filter((event) => event.label === wanted).length;
    }

    /** How often the label was entered and left again, summed over the people. */
    count(label) {
      return [...(this._counts.get(this._mention(label))?.values() ?? [])].reduce((sum, n) => sum + n, 0);
    }

    /** Everybody who is there, in order of arrival. */
    get people() {
      const oldest = nowMs() - FRESH_MS;
      for (const [subject, person] of this._people) if (person.seenMs < oldest) this._people.delete(subject);
      return [...this._people.values()];
    }

    /** Skeletons: keypoints by name, in canvas pixels, as ml5's bodyPose has them. */
    get bodies() { return this._skeletons("body"); }

    get hands() { return this._skeletons("hand"); }

    /** Faces: 468 keypoints, as ml5's faceMesh has them; those of `FACE` by name too. */
    get faces() { return this._skeletons("face"); }

    /** Keypoints of the first (or the named) body, hand or face, in canvas pixels; [] when there is none. */
    landmarks(space, subject) {
      const found = this._skeletons(space).find((one) => subject === undefined || one.subject === subject);
      return found ? found.keypoints : [];
    }

    /** The engine's latest camera picture, for p5's image(); null while there is none. Mirrored as the bodies are. */
    get video() {
      if (!this._wantsVideo) {
        this._wantsVideo = true;
        if (this._lineHello) this._watch();
      }
      return this.source === "engine" ? this._video.image : null;
    }

    /** The latest spectrum in dB, low to high. */
    spectrum() { return this._spectrum; }

    // ---- being told

    classifyStart(callback) {
      if (typeof callback !== "function") throw new TypeError("tmstream: classifyStart(gotResults) needs a function");
      if (this._classify) console.warn("tmstream: classifyStart was called again; the first callback is not called any more");
      this._classify = callback;
      if (this.problem) setTimeout(() => this._excuse());
      return this;
    }

    classifyStop() {
      this._classify = null;
      return this;
    }

    /** Call `handler` for a kind of message: on("trigger", "clap", f), on("enter", f), on("prediction", f) ... */
    on(kind, label, handler) {
      if (typeof label === "function") [label, handler] = [null, label];
      if (typeof handler !== "function") throw new TypeError(`tmstream: on("${kind}", ...) needs a function`);
      const entry = { label: label === null || label === "*" ? null : this._mention(label), handler };
      if (kind === "trigger" && entry.label !== null) this._expect(entry.label);
      if (!this._handlers.has(kind)) this._handlers.set(kind, []);
      this._handlers.get(kind).push(entry);
      return () => this.off(kind, label, handler);
    }

    off(kind, label, handler) {
      if (typeof label === "function") [label, handler] = [null, label];
      const wanted = label === null || label === undefined || label === "*" ? null : clean(label);
      const kept = (this._handlers.get(kind) || []).filter((one) => (handler && one.handler !== handler) || (wanted !== null && one.label !== wanted));
      this._handlers.set(kind, kept);
      return this;
    }

    /** My sketch is about to make a sound (or a flash): do not listen to it for so long. */
    ignore(space, seconds) {
      const from = nowMs();
      const spans = (this._ignore.get(space) || []).filter((span) => span.until > from - 5000);
      spans.push({ from: from - 50, until: from + seconds * 1000 });
      this._ignore.set(space, spans);
      return this;
    }

    /** Milliseconds to the engine and back. */
    async ping() {
      const from = performance.now();
      if (!this._line) throw new Error("not connected");
      await this._line.command("ping");
      return performance.now() - from;
    }

    close() {
      open.delete(this);
      this._line?.close();
      this._take?.close();
      clearTimeout(this._hungry);
      this._notice.clear();
      this._unlistenToKeys?.();
      this.connected = this.engine = false;
      this.source = null;
      this._settle();
    }

    // ---- messages

    _watch() {
      const { streams = [], shares_video: shared } = this._lineHello;
      this._line.watch(this._lineHello);
      if (streams.includes("video") && shared) return;
      const why = streams.includes("video") ? "Write share_video: true in the websocket line of its pipeline." : "Its pipeline shows no camera: add it to the from: of its websocket line.";
      if (!this._warned.has(why)) console.warn(`tmstream: tm.video stays empty, because this engine does not share its camera. ${why}`);
      this._warned.add(why);
    }

    _look(jpeg) {
      if (!this._take) this._video.take(jpeg);
    }

    _receive(message, from) {
      if (message.type === "hello") return this._greet(message, from);
      if (from === this._line && !this._feed(message)) return undefined; // the take plays instead
      this._synchronise(message.end_us ?? message.t_us);
      switch (message.type) {
        case "prediction": this._predict(message); break;
        case "event": this._happen(message); break;
        case "landmarks": this._see(message); break;
        case "presence": if (message.state === "depart") this._people.delete(message.subject); break;
        case "spectrum":
          if (this._ignored("audio", message.t_us)) return undefined;
          this._spectrum = message.bins;
          this.levelDb = message.level_db;
          this.level = Math.min(1, Math.max(0, 1 + message.level_db / 60));
          break;
        case "status": this._report(message); break;
        default: // a later engine may say more than we know
      }
      if (message.type !== "event" && message.type !== "prediction") this._emit(message.type, null, message);
      return undefined;
    }

    _greet(hello, from) {
      if (hello.protocol !== PROTOCOL) {
        return this._problem({ code: "protocol", text: `This tmstream.js speaks protocol ${PROTOCOL}, the engine ${hello.protocol}. Take the tmstream.js that this engine serves.` });
      }
      if (from === this._line) this.engine = true;
      if (from === this._line && !this._suits(hello)) return this._fallBack();
      if (from === this._line) {
        this._lineHello = hello;
        if (this._wantsVideo) this._watch();
        clearTimeout(this._hungry);
        if (this.options.take && this.options.needs) this._hungry = setTimeout(() => this._fallBack(), HUNGRY_MS);
      }
      if (from === this._line && this._take) {
        this._take.close();
        this._take = null;
      }
      this._forget();
      this.hello = hello;
      this.labels = (hello.active_labels?.length ? hello.active_labels : hello.labels || []).map(clean);
      if (!this.labels.length) this.labels = (this.options.labels || []).map(clean);
      this.connected = true;
      this.source = from === this._line ? "engine" : "take";
      this.problem = null;
      this._notice.clear();
      for (const label of this._mentioned) this._check(label);
      this._settle();
      this._emit("hello", null, hello);
      this._emit("connect", null, hello);
      return undefined;
    }

    /** Does this engine send what the sketch said it needs? Only asked when there is a take to play instead. */
    _suits(hello) {
      return !this.options.take || (this.options.needs || []).every((stream) => (hello.streams || []).includes(stream));
    }

    /** Note a message of the engine; false while a take plays instead. What the sketch needs ends the take. */
    _feed(message) {
      if (this._lineHello && this.options.needs?.includes(message.type)) {
        clearTimeout(this._hungry);
        if (this._take) this._greet(this._lineHello, this._line);
      }
      return !this._take;
    }

    /** A take stands in for the engine: nobody needs to be told why. */
    _resting() {
      if (this.options.take) this._fallBack();
      return Boolean(this._take);
    }

    _fallBack() {
      this._take ??= new Take(this.options.take, this.options.loop, this);
    }

    _predict(message) {
      if (this._ignored(message.subject === null ? "audio" : "body", message.t_us, message.spaces)) return;
      const results = message.results.map((part) => ({ ...part, label: clean(part.label) }));
      const label = message.label === null ? null : clean(message.label);
      for (const part of results) if (!this.labels.includes(part.label)) this.labels.push(part.label); // taught since
      const answer = { ...message, label, results, seenMs: nowMs() };
      this._answers.set(message.subject, answer);
      if (message.subject !== null) {
        const person = this._person(message.subject);
        Object.assign(person, { label, confidence: message.confidence, rejected: message.rejected, results });
      }
      if (this._classify) {
        const list = results.map(({ label, confidence, closeness }) => ({ label, confidence, closeness }));
        if (label === null) list.unshift({ label: null, confidence: 1, rejected: message.rejected });
        list.subject = message.subject;
        this._call(this._classify, list);
      }
      this._emit("prediction", label, answer);
    }

    _happen(message) {
      if (this._ignored(message.subject === null ? "audio" : "body", message.onset_us) && message.event !== "leave") return;
      const event = { ...message, label: clean(message.label) };
      const { label, subject } = event;
      const holders = this._entered.get(label) || new Set();
      this._entered.set(label, holders);
      if (event.event === "trigger") this._pending.push({ label, ms: nowMs() });
      this._disappoint(event);
      if (event.event === "enter" || event.event === "hold") holders.add(subject);
      if (event.event === "leave") holders.delete(subject);
      if (event.event === "count") {
        if (!this._counts.has(label)) this._counts.set(label, new Map());
        this._counts.get(label).set(subject, event.count);
      }
      if (!event.simulated && event.event === "trigger") this.latency = this._engineMs() - event.onset_us / 1000;
      this._tell(event);
    }

    _expect(label) {
      if (!this._expected.has(label)) this._expected.set(label, true);
    }

    /** Say once that a sketch waits for a trigger of what is only entered and left: a sound triggers before it is entered. */
    _disappoint({ event, label }) {
      if (event === "enter" && this._expected.get(label)) {
        console.warn(`tmstream: "${label}" was entered, and never triggers: that only sounds and movements do. Ask tm.is("${label}"), or use tm.on("enter", "${label}", ...)`);
      }
      if (event === "enter" || event === "trigger") this._expected.set(label, false);
    }

    /** Tell handlers and the functions that a sketch may define: classEntered, classLeft ... */
    _tell(event) {
      this._emit(event.event, event.label, event);
      const sketch = this.options.sketch;
      const name = CALLBACKS[event.event];
      if (sketch && typeof sketch[name] === "function") this._call(sketch[name].bind(sketch), event.label, event);
      else if (typeof root[name] === "function") this._call(root[name], event.label, event);
    }

    _see(message) {
      if (this._ignored(message.space, message.t_us)) return;
      this._points.set(`${message.space} ${message.subject}`, { message, seenMs: nowMs() });
      if (["body", "face"].includes(message.space) && message.subject !== null) this._person(message.subject);
    }

    _report(status) {
      this.status = status;
      for (const [name, node] of Object.entries(status.nodes || {})) {
        if (node.state === "running" || !node.message || this._warned.has(node.message)) continue;
        this._warned.add(node.message);
        console.warn(`tmstream: ${name} is ${node.state}: ${node.message}`);
      }
    }

    _lost() {
      this._lineHello = null;
      this.engine = false;
      clearTimeout(this._hungry);
      this._video.image = null;
      if (this.source !== "engine") return; // a take was playing anyway
      this.connected = false;
      this.source = null;
      for (const [label, holders] of this._entered) {
        for (const subject of holders) this._tell({ type: "event", event: "leave", label, subject, t_us: 0, onset_us: 0, confidence: 0 });
      }
      this._forget();
      this._emit("disconnect", null, null);
    }

    _rewind() {
      this._forget();
      this._offsetUs = null;
    }

    _forget() {
      this._answers = new Map();
      this._people = new Map();
      this._points = new Map();
      this._entered = new Map();
      this._counts = new Map();
      this._triggers = [];
      this._pending = [];
      this._spectrum = [];
      this._offsetUs = null;
      this._frame = -1;
      this.level = 0;
    }

    _problem(found, onClick) {
      if (found.code !== "take" && this._resting()) return undefined; // the show goes on
      if (this.problem !== found.text) {
        console.warn(`tmstream: ${found.text}`);
        if (!this.options.quiet) this._notice.show(found.text, found.button, onClick);
        this.problem = found.text;
        this._emit("problem", null, found);
        this._excuse();
      }
      return undefined;
    }

    /** Why no results come, to whoever waits for them. */
    _excuse() {
      if (this.problem && this._classify) this._call(this._classify, [{ label: null, confidence: 1, rejected: "not_connected" }], new Error(this.problem));
    }

    _emit(kind, label, message) {
      for (const entry of [...(this._handlers.get(kind) || [])]) {
        if (entry.label === null || entry.label === label) this._call(entry.handler, message);
      }
    }

    _call(handler, ...parts) {
      try { handler(...parts); } catch (error) { complain(error); }
    }

    // ---- sums

    _fresh() {
      const oldest = nowMs() - FRESH_MS;
      for (const [subject, answer] of this._answers) if (answer.seenMs < oldest) this._answers.delete(subject);
      return [...this._answers.values()];
    }

    _focused() {
      const answers = this._fresh();
      const sure = answers.filter((answer) => answer.label !== null).sort((a, b) => b.confidence - a.confidence);
      return sure[0] || answers.sort((a, b) => b.seenMs - a.seenMs)[0] || null;
    }

    _best(label, value) {
      let best = 0;
      for (const answer of this._fresh()) {
        for (const part of answer.results) if (part.label === label) best = Math.max(best, value(answer, part));
      }
      return best;
    }

    _person(subject) {
      let person = this._people.get(subject);
      if (!person) {
        const tm = this;
        person = {
          id: subject, subject, label: null, confidence: 0, rejected: null, results: [],
          get body() { return tm.bodies.find((body) => body.subject === subject) ?? null; },
          get face() { return tm.faces.find((face) => face.subject === subject) ?? null; },
          is(label) { return person.label === tm._mention(label) || (tm._entered.get(clean(label))?.has(subject) ?? false); },
          closeness(label) { return person.results.find((part) => part.label === tm._mention(label))?.closeness ?? 0; },
        };
        this._people.set(subject, person);
      }
      person.seenMs = nowMs();
      return person;
    }

    _skeletons(space) {
      const oldest = nowMs() - POINTS_FRESH_MS;
      const found = [];
      for (const [key, entry] of this._points) {
        if (entry.seenMs < oldest) this._points.delete(key);
        else if (entry.message.space === space) found.push(this._skeleton(entry.message));
      }
      return found;
    }

    _skeleton(message) {
      const names = { hand: HAND, face: FACE }[message.space] ?? BODY;
      const { width, height } = this._canvas();
      const [scaleX, scaleY, leftX, topY] = this._fit(width, height, message.aspect || 1);
      const skeleton = { subject: message.subject, id: message.subject, space: message.space, side: message.side, keypoints: [] };
      message.points.forEach(([x, y, z, visibility], index) => {
        const point = {
          name: names[index], x: leftX + (this.options.mirror ? 1 - x : x) * scaleX, y: topY + y * scaleY,
          z: z * scaleX, visibility, confidence: visibility,
        };
        skeleton.keypoints.push(point);
        if (point.name) skeleton[point.name] = point;
      });
      return skeleton;
    }

    /** How a picture of this aspect lies on the canvas: stretched, whole ("contain") or filling it ("cover"). */
    _fit(width, height, aspect) {
      if (this.options.fit === "stretch") return [width, height, 0, 0];
      const byWidth = (width / height < aspect) === (this.options.fit === "contain");
      const scaleX = byWidth ? width : height * aspect;
      const scaleY = byWidth ? width / aspect : height;
      return [scaleX, scaleY, (width - scaleX) / 2, (height - scaleY) / 2];
    }

    _sketch() {
      return this.options.sketch || root.p5?.instance || null;
    }

    _canvas() {
      const sketch = this._sketch();
      if (this.options.width) return { width: this.options.width, height: this.options.height };
      if (sketch?.width) return { width: sketch.width, height: sketch.height };
      const canvas = this.options.canvas || (typeof document === "undefined" ? null : document.querySelector("canvas"));
      return canvas ? { width: canvas.width, height: canvas.height } : { width: 1, height: 1 };
    }

    /** Triggers wait in `_pending` until a frame begins that asks for them. */
    _turnFrame() {
      const frame = this._frameNumber();
      if (frame === this._frame) return;
      // A sketch that did not ask in the frame before wants news, not history.
      const missed = this._frame !== -1 && frame > this._frame + 1;
      const oldest = missed ? nowMs() - 250 : -Infinity;
      this._triggers = this._pending.filter((event) => event.ms >= oldest);
      this._pending = [];
      this._frame = frame;
    }

    _frameNumber() {
      const sketch = this._sketch();
      if (sketch && typeof sketch.frameCount === "number") return sketch.frameCount;
      if (typeof requestAnimationFrame !== "function") return this._frame + 1; // Node: every call is news
      if (this._ticks === undefined) {
        this._ticks = 0;
        const tick = () => {
          this._ticks += 1;
          if (open.has(this)) requestAnimationFrame(tick);
        };
        requestAnimationFrame(tick);
      }
      return this._ticks;
    }

    /** Learn how the engine's clock stands to ours: from `hello` when both run on one machine, else from the quickest message. */
    _synchronise(t_us) {
      if (t_us === undefined) return;
      const unixUs = nowMs() * 1000;
      const told = this.hello?.unix_offset_us;
      const lagUs = told === undefined ? Infinity : unixUs - t_us - told;
      if (lagUs > -100_000 && lagUs < 5_000_000) this._offsetUs = told;
      else if (this._offsetUs === null || unixUs - t_us < this._offsetUs) this._offsetUs = unixUs - t_us;
    }

    _engineMs() {
      return nowMs() - (this._offsetUs ?? 0) / 1000;
    }

    /** Did this happen while the sketch had asked not to listen? `spaces` of an answer say it best. */
    _ignored(guess, t_us, spaces) {
      if (!this._ignore.size || this._offsetUs === null) return false;
      const atMs = (t_us + this._offsetUs) / 1000;
      const during = (space) => (this._ignore.get(space) || []).some((span) => atMs >= span.from && atMs <= span.until);
      return (spaces?.length ? spaces : [guess]).every((space) => during(space) || during(space.split(".")[0]));
    }

    _mention(label) {
      const wanted = clean(label);
      if (!this._mentioned.has(wanted)) {
        this._mentioned.add(wanted);
        this._check(wanted);
      }
      return wanted;
    }

    _check(label) {
      const known = this.hello ? new Set([...(this.hello.labels || []).map(clean), ...this.labels]) : null;
      if (!known?.size || known.has(label) || this._warned.has(`label ${label}`)) return;
      this._warned.add(`label ${label}`);
      console.warn(`tmstream: no example is called "${label}". Did you mean "${nearest(label, known)}"? (${[...known].join(", ")})`);
    }

    // ---- keys 1 to 9 instead of a microphone

    _listenToKeys() {
      if (!this.options.simulateKeys || typeof document === "undefined") return;
      const heard = (event) => {
        const names = this.labels.length ? this.labels : [...this._mentioned];
        const label = names[Number(event.key) - 1];
        if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || label === undefined) return;
        if (event.target.closest?.("input, textarea, select, [contenteditable]")) return; // somebody writes
        const t_us = Math.round(this._engineMs() * 1000);
        const kinds = event.type === "keydown" ? ["trigger", "enter"] : ["leave"];
        for (const kind of kinds) this._happen({ type: "event", event: kind, label, t_us, onset_us: t_us, subject: null, confidence: 1, simulated: true });
      };
      document.addEventListener("keydown", heard);
      document.addEventListener("keyup", heard);
      this._unlistenToKeys = () => {
        document.removeEventListener("keydown", heard);
        document.removeEventListener("keyup", heard);
      };
    }
  }

  /** Connect to an engine: connect(), connect("localhost:8765"), connect("take.jsonl"), connect(address, options, whenReady). */
  function connect(...given) {
    let address = null;
    let options = {};
    let whenReady = null;
    for (const one of given) {
      if (typeof one === "string" || typeof one === "number" || one instanceof URL) address = String(one);
      else if (typeof one === "function") whenReady = one;
      else if (one) options = { ...options, ...one };
    }
    const token = /[#&]token=([\w-]+)/.exec(root.location?.hash ?? "");
    if (token && !options.token) options.token = token[1];
    joinP5();
    const tm = new Tmstream(address ?? options.address ?? null, options);
    open.add(tm);
    if (whenReady) tm.ready.then(whenReady);
    return tm;
  }

  /** Close the connection of a sketch that p5 removes; p5 1.x and 2.x have their own doors for that. */
  function joinP5() {
    const p5 = root.p5;
    if (!p5 || p5 === joinP5.done) return;
    joinP5.done = p5;
    const removed = function () {
      for (const tm of [...open]) if (!tm.options.sketch || tm.options.sketch === this) tm.close();
    };
    if (typeof p5.registerAddon === "function") p5.registerAddon((_p5, _fn, lifecycles) => { lifecycles.remove = removed; });
    else if (p5.prototype?.registerMethod) p5.prototype.registerMethod("remove", removed);
  }

  const tmstream = { connect, version: "0.1.0", protocol: PROTOCOL };
  root.tmstream = tmstream;
  joinP5();
  if (typeof module === "object" && module.exports) module.exports = tmstream;
})(typeof globalThis !== "undefined" ? globalThis : this);
