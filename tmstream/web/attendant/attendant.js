// A page for the person in the room: how it is, in words; "that was wrong"; strictness; restart.
// It asks for no camera and no microphone, and can teach nothing. Texts from the wire only ever
// become text nodes.

const $ = (id) => document.getElementById(id);
const KEY = "tmstream attendant";
const REPLY_MS = 5000;

let socket, number = 0, role = "none", wait = 500, heads = [], head = null, heard = 0, lastStatus = null;
const waiting = new Map();

function say(text) { $("said").textContent = text; }

function remembered(value) {
  try {
    if (value === undefined) return sessionStorage.getItem(KEY);
    value === null ? sessionStorage.removeItem(KEY) : sessionStorage.setItem(KEY, value);
  } catch { /* a browser that keeps nothing asks again */ }
  return null;
}

function ask(type, fields = {}) {
  return new Promise((resolve) => {
    if (!socket || socket.readyState !== WebSocket.OPEN) return resolve({ ok: false, error: { message: "not connected" } });
    const id = ++number;
    const timer = setTimeout(() => { waiting.delete(id); resolve({ ok: false, error: { message: "no answer" } }); }, REPLY_MS);
    waiting.set(id, (reply) => { clearTimeout(timer); resolve(reply); });
    socket.send(JSON.stringify({ type, id, ...fields }));
  });
}

async function enter(fields) {
  const reply = await ask("auth", fields);
  role = reply.ok ? reply.result.role : "none";
  const may = role === "attendant" || role === "control";
  remembered(may ? reply.result.session : null);
  $("door").hidden = may;
  $("inside").hidden = !may;
  if (!may) return say(reply.ok ? "That code is not for attendants." : `Not let in: ${reply.error.message}`);
  say("");
  ask("subscribe", { streams: ["event", "prediction", "status"], max_rate_hz: 4 });
}

const handlers = {
  hello(message) {
    if (message.private) document.title = "tmstream (private)";
    const code = new URLSearchParams(location.hash.slice(1)).get("c");
    history.replaceState(null, "", location.pathname);   // a code is good once; keep it out of sight
    const session = remembered();
    if (code) return enter({ code });
    if (session) return enter({ token: session });
    $("door").hidden = false;
  },
  reply(message) {
    waiting.get(message.id)?.(message);
    waiting.delete(message.id);
  },
  event(message) {
    if (message.event === "leave" || message.event === "hold") return;
    $("last").textContent = `${message.label} (${message.event === "trigger" ? "heard or seen" : message.event})`;
  },
  status(message) {
    lastStatus = message;
    heard = performance.now();
    heads = Object.keys(message.nodes).sort((a, b) => Number(b.includes("head")) - Number(a.includes("head")));
    show();
  },
};

function show() {
  const silent = performance.now() - heard > 5000;
  const nodes = silent || !lastStatus ? {} : lastStatus.nodes;
  const wrong = Object.entries(nodes).filter(([, node]) => node.state !== "running" || node.message);
  const title = !heard ? "Waiting for the engine …"
    : silent ? "The engine says nothing"
    : wrong.length ? "Something needs attention"
    : "All is well";
  if ($("state").textContent !== title) $("state").textContent = title;
  $("state").dataset.well = heard && !silent && !wrong.length ? "yes" : "no";
  const lines = wrong.map(([name, node]) => `${name}: ${node.message ?? "does not run"}`);
  if (heard && !silent && lastStatus.examples === 0) lines.push("Nothing has been taught yet.");
  if ([...$("reasons").children].map((item) => item.textContent).join("\n") === lines.join("\n")) return;
  $("reasons").replaceChildren(...lines.map((line) => {
    const item = document.createElement("li");
    item.textContent = line;
    return item;
  }));
}

function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
  socket.onopen = () => { wait = 500; };
  socket.onmessage = ({ data }) => {
    if (typeof data !== "string") return;
    const message = JSON.parse(data);
    handlers[message.type]?.(message);
  };
  socket.onclose = () => {
    for (const done of waiting.values()) done({ ok: false, error: { message: "the connection was lost" } });
    waiting.clear();
    $("state").textContent = "The engine is not running";
    $("state").dataset.well = "no";
    $("reasons").replaceChildren();
    heard = 0;
    setTimeout(connect, wait);
    wait = Math.min(wait * 2, 10_000);
  };
}

$("door").onsubmit = (event) => {
  event.preventDefault();
  const code = $("code").value.trim();
  $("code").value = "";
  enter({ code });
};

$("wrong").onclick = async () => {
  const reply = await ask("mark", { label: null, seconds: 1.5 });
  say(reply.ok ? "Noted. It is learned when somebody unlocks teaching." : `Not noted: ${reply.error.message}`);
};

$("strictness").onchange = async () => {
  const value = Number($("strictness").value);
  let reply = { ok: false, error: { message: "no node has a strictness" } };
  for (const node of head ? [head] : heads) {
    reply = await ask("set", { node, param: "strictness", value });
    if (reply.ok) { head = node; break; }
  }
  say(reply.ok ? "Changed." : `Not changed: ${reply.error.message}`);
};

$("restart").onclick = async () => {
  if (!confirm("Restart the engine? It will be away for a few seconds.")) return;
  const reply = await ask("restart");
  say(reply.ok ? "Restarting …" : `Not restarted: ${reply.error.message}`);
};

setInterval(() => { if (socket?.readyState === WebSocket.OPEN) show(); }, 1000);
connect();
