// The connection to the engine: one socket, commands with one reply each, patience when it is away.

const BACKOFF_MS = [300, 700, 1500, 3000, 5000];
const STREAMS = ["prediction", "event", "landmarks", "presence", "spectrum", "status"];
const PICTURE = 3; // first byte of a frame that holds the engine's camera picture (layout: server/uplink.py)
const PICTURE_HEADER = 16;
const CODE = /[#&]c(?:ode)?=([\w-]+)/;

export class Wire {
  constructor() {
    this.role = "none";
    this.connected = false;
    this.hello = null;
    this._handlers = new Map();
    this._waiting = new Map();
    this._number = 0;
    this._tries = 0;
    this._watching = false;
    this._session = null; // lives in this page's memory, and nowhere else
    this._code = CODE.exec(location.hash)?.[1] ?? null;
    if (this._code) history.replaceState(null, "", location.pathname);
    document.addEventListener("visibilitychange", () => this._choose());
  }

  on(kind, handler) {
    if (!this._handlers.has(kind)) this._handlers.set(kind, []);
    this._handlers.get(kind).push(handler);
  }

  emit(kind, message) {
    for (const handler of this._handlers.get(kind) ?? []) handler(message);
  }

  get mayTeach() {
    return this.role === "control";
  }

  open() {
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
    socket.binaryType = "arraybuffer";
    this._socket = socket;
    socket.onmessage = ({ data }) => (typeof data === "string" ? this._receive(JSON.parse(data)) : this._receiveFrame(data));
    socket.onclose = () => this._closed();
  }

  /** Send a command; resolves with its result, rejects with the engine's own words. */
  command(type, fields = {}) {
    const id = ++this._number;
    return new Promise((resolve, reject) => {
      if (this._socket?.readyState !== WebSocket.OPEN) {
        reject(new Error("tmstream is not running"));
        return;
      }
      this._waiting.set(id, { resolve, reject, type });
      this._socket.send(JSON.stringify({ type, id, ...fields }));
    });
  }

  /** Bytes that have not left the page yet. */
  get buffered() {
    return this._socket?.bufferedAmount ?? 0;
  }

  /** Send a frame of sound or a picture. */
  send(frame) {
    if (this._socket?.readyState === WebSocket.OPEN) this._socket.send(frame);
  }

  async _receive(message) {
    if (message.type === "reply") {
      const waiting = this._waiting.get(message.id);
      this._waiting.delete(message.id);
      if (message.ok) waiting?.resolve(message.result);
      else {
        const error = Object.assign(new Error(message.error?.message ?? "refused"), { code: message.error?.code });
        if (waiting) waiting.reject(error);
        else this.emit("refused", error);
      }
      return;
    }
    if (message.type === "hello") {
      const first = !this.connected;
      this.hello = message;
      this.role = message.role;
      this.connected = true;
      this._tries = 0;
      if (first) await this._authenticate();
      this._choose();
      this.emit("hello", message);
      return;
    }
    this.emit(message.type, message);
  }

  _receiveFrame(data) {
    const view = new DataView(data);
    if (data.byteLength <= PICTURE_HEADER || view.getUint8(0) !== PICTURE) return;
    this.emit("picture", { t_us: Number(view.getBigUint64(8, true)), jpeg: new Uint8Array(data, PICTURE_HEADER) });
  }

  /** Pictures only come when asked for; nobody looks at a hidden tab. */
  _choose() {
    const may = this.connected && this.hello.streams.includes("video") && (this.mayTeach || this.hello.shares_video);
    const watching = may && !document.hidden;
    if (!this.connected || watching === this._watching) return;
    this._watching = watching;
    this.command("subscribe", { streams: watching ? [...STREAMS, "video"] : STREAMS }).catch(() => { this._watching = null; });
  }

  async _authenticate() {
    if (!this._session && !this._code) return;
    try {
      const reply = await this.command("auth", this._session ? { token: this._session } : { code: this._code });
      this._session = reply.session ?? this._session;
      this.role = reply.role;
    } catch (error) {
      this._session = null;
      this.emit("auth_failed", error);
    }
    this._code = null; // it is good for one time
  }

  _closed() {
    const was = this.connected;
    this.connected = false;
    this._watching = false; // a new connection has asked for nothing yet
    for (const { reject } of this._waiting.values()) reject(new Error("the connection to tmstream ended"));
    this._waiting.clear();
    if (was || this._tries === 0) this.emit("away", null);
    const wait = BACKOFF_MS[Math.min(this._tries++, BACKOFF_MS.length - 1)];
    setTimeout(() => this.open(), wait);
  }
}
