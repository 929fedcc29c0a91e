// A page for the person in the room: how it is, in words; "that was wrong"; strictness; restart.
// It asks for no camera and no microphone, and can teach nothing. Texts from the wire only ever
// become text nodes.

const $ = (id) => document.getElementById(id);
const KEY = "tmstream attendant";
const REPLY_MS = 5000;

const SAID_MS = 8000;
const MARKED_S = 1.5;
const LONGEST_AGO_S = 28; // the engine remembers half a minute
const HAPPENED = { trigger: "at", enter: "since" }; // of the others nothing new is heard

let socket, number = 0, role = "none", wait = 500, heads = [], heard = 0, lastStatus = null, answered = null, hiding, moving = false;
const waiting = new Map();

function say(text) {
  clearTimeout(hiding);
  $("said").textContent = text;
  hiding = setTimeout(() => { $("said").textContent = ""; }, SAID_MS);
}

/** Where the fader really stands; another client may have moved it. */
function follow(live) {
  heads = (live ?? []).filter((one) => one.param === "strictness");
  $("strictness").disabled = !heads.length;
  if (heads.length && !moving) $("strictness").value = heads[0].value;
}

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
    follow(message.live);
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
    if (!(message.event in HAPPENED)) return;
    const when = document.createElement("small");
    when.textContent = `${HAPPENED[message.event]} ${new Date().toLocaleTimeString()}`;
    $("last").replaceChildren(message.label, when);
    answered = performance.now();
  },
  prediction(message) {
    if (message.label !== null) answered = performance.now();
  },
  status(message) {
    lastStatus = message;
    heard = performance.now();
    follow(message.live);
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
    const reason = document.createElement("li");
    reason.textContent = "It may be starting anew: wait half a minute. This page connects by itself.";
    $("reasons").replaceChildren(reason);
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
  // It takes a while to reach for the phone: the last answer is meant, however long ago it was.
  const ago_s = answered === null ? 0 : (performance.now() - answered) / 1000;
  if (ago_s > LONGEST_AGO_S) return say("Not noted: its last answer is too long ago. Press within half a minute.");
  const reply = await ask("mark", { label: null, seconds: ago_s + MARKED_S });
  const learned = lastStatus?.locked ? "It is learned when somebody unlocks teaching." : "It is learned already.";
  say(reply.ok ? `Noted. ${learned}` : `Not noted: ${reply.error.message}`);
};

$("strictness").oninput = () => { moving = true; }; // until it is let go, nobody else moves it
$("strictness").onchange = async () => {
  const value = Number($("strictness").value);
  const replies = await Promise.all(heads.map(({ node }) => ask("set", { node, param: "strictness", value })));
  moving = false;
  const failed = replies.find((reply) => !reply.ok);
  say(failed ? `Not changed: ${failed.error.message}` : "Changed.");
};

$("restart").onclick = async () => {
  if (!confirm("Restart the engine? It will be away for a few seconds.")) return;
  const reply = await ask("restart");
  say(reply.ok ? "Restarting …" : `Not restarted: ${reply.error.message}`);
};

setInterval(() => { if (socket?.readyState === WebSocket.OPEN) show(); }, 1000);
connect();
