// Unit tests of tmstream.js in Node, with a socket that the test holds in its hand.
import assert from "node:assert/strict";
import { mkdtemp, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const client = process.env.TMSTREAM_CLIENT;
const tmstream = createRequire(import.meta.url)(join(client, "tmstream.js"));

class Socket {
  static all = [];
  constructor(address) {
    this.address = address;
    this.sent = [];
    Socket.all.push(this);
  }
  send(text) { this.sent.push(JSON.parse(text)); }
  say(message) { this.onmessage({ data: JSON.stringify(message) }); }
  close() { this.closed = true; }
}

const hello = (more = {}) => ({
  type: "hello", protocol: 1, version: "0", pipeline: "test", project: null, labels: ["clap", "hum"], active_labels: [],
  spaces: ["audio"], streams: ["prediction", "event", "landmarks"], role: "viewer", unix_offset_us: Date.now() * 1000 - 5e6, ...more,
});
const prediction = (label, results, more = {}) => ({
  type: "prediction", node: "head", t_us: 5e6, end_us: 5.1e6, seq: 1, subject: null, label, confidence: results[0]?.[1] ?? 0,
  rejected: label === null ? "too_far" : null, results: results.map(([label, confidence, closeness = confidence]) => ({ label, confidence, closeness })),
  latency: {}, spaces: ["audio"], ...more,
});
const event = (kind, label, more = {}) => ({ type: "event", event: kind, label, t_us: 5e6, onset_us: 5e6, subject: null, confidence: 1, latency: {}, ...more });

const settled = () => new Promise((resolve) => setImmediate(resolve));

async function connected(options = {}, greeting = hello()) {
  const tm = tmstream.connect("localhost:1", { WebSocket: Socket, ...options });
  await settled();
  const socket = Socket.all.at(-1);
  if (greeting) socket.say(greeting);
  return [tm, socket];
}

function listenToWarnings(t) {
  const warned = [];
  t.mock.method(console, "warn", (text) => warned.push(text));
  return warned;
}

test("connect returns at once, and awaiting it waits for hello", async () => {
  const tm = tmstream.connect("http://localhost:99", { WebSocket: Socket });
  assert.equal(tm.connected, false);
  await settled();
  assert.equal(Socket.all.at(-1).address, "ws://localhost:99/ws");
  let got = null;
  const waiting = (async () => { got = await tm; })();
  await settled();
  assert.equal(got, null);
  Socket.all.at(-1).say(hello());
  await waiting;
  assert.equal(got, tm);
  assert.equal(await tm.ready, tm);
  assert.equal(tm.connected, true);
  tm.close();
});

test("nobody waits for ever", async () => {
  const tm = tmstream.connect("localhost:1", { WebSocket: Socket, timeoutMs: 10 });
  const keep = setTimeout(() => {}, 5000);
  assert.equal((await tm).connected, false);
  clearTimeout(keep);
  tm.close();
});

test("results come in the order of ml5 1.x, and none of the above comes first when rejected", async () => {
  const [tm, socket] = await connected();
  const heard = [];
  tm.classifyStart((results, error) => heard.push([results, error]));
  socket.say(prediction("clap", [["clap", 0.9], ["hum", 0.1]]));
  assert.equal(heard[0][0][0].label, "clap");
  assert.equal(heard[0][0][0].confidence, 0.9);
  assert.equal(heard[0][1], undefined);
  assert.equal(tm.label, "clap");
  assert.equal(tm.confidence("clap"), 0.9);
  socket.say(prediction(null, [["clap", 0.6], ["hum", 0.4]]));
  assert.deepEqual(heard[1][0][0], { label: null, confidence: 1, rejected: "too_far" });
  assert.equal(heard[1][0][1].label, "clap");
  assert.equal(tm.label, null);
  assert.equal(tm.rejected, "too_far");
  assert.equal(tm.confidence("clap"), 0);
  assert.equal(tm.closeness("clap"), 0.6);
  tm.classifyStop();
  socket.say(prediction("clap", [["clap", 1]]));
  assert.equal(heard.length, 2);
  tm.close();
});

test("events reach on(), the functions of the sketch, and is()", async () => {
  const heard = [];
  const sketch = { classEntered: (label, e) => heard.push(`entered ${label} ${e.event}`) };
  globalThis.classLeft = (label) => heard.push(`left ${label}`);
  const [tm, socket] = await connected({ sketch });
  const stop = tm.on("trigger", "clap", (e) => heard.push(`on ${e.label}`));
  tm.on("trigger", (e) => heard.push(`any ${e.label}`));
  socket.say(event("trigger", "clap"));
  socket.say(event("trigger", "hum"));
  socket.say(event("enter", "hum"));
  assert.equal(tm.is("hum"), true);
  assert.equal(tm.is("clap"), false);
  socket.say(event("leave", "hum"));
  assert.equal(tm.is("hum"), false);
  stop();
  socket.say(event("trigger", "clap"));
  assert.deepEqual(heard, ["on clap", "any clap", "any hum", "entered hum enter", "left hum", "any clap"]);
  socket.say(event("count", "hum", { count: 3 }));
  assert.equal(tm.count("hum"), 3);
  delete globalThis.classLeft;
  tm.close();
});

test("triggered counts once per frame, and does not hand out history", async () => {
  const sketch = { frameCount: 1 };
  const [tm, socket] = await connected({ sketch });
  assert.equal(tm.triggered("clap"), 0);
  socket.say(event("trigger", "clap"));
  socket.say(event("trigger", "clap"));
  assert.equal(tm.triggered("clap"), 0, "not in the frame that is being drawn");
  sketch.frameCount = 2;
  assert.equal(tm.triggered("clap"), 2);
  assert.equal(tm.triggered("clap"), 2, "the same all through the frame");
  assert.equal(tm.triggered("hum"), 0);
  sketch.frameCount = 3;
  assert.equal(tm.triggered("clap"), 0);
  socket.say(event("trigger", "clap"));
  await new Promise((resolve) => setTimeout(resolve, 300));
  sketch.frameCount = 40; // another scene was on
  assert.equal(tm.triggered("clap"), 0);
  tm.close();
});

test("who waits for a pose to trigger is told once that it is entered", async (t) => {
  const warned = listenToWarnings(t);
  const [tm, socket] = await connected({}, hello({ labels: ["clap", "hum", "arms up"] }));
  tm.triggered("clap");
  tm.on("trigger", "hum", () => {});
  tm.triggered("arms up");
  tm.is("arms up");
  socket.say(event("enter", "arms up"));
  for (let again = 0; again < 2; again++) {
    for (const kind of ["trigger", "enter", "leave"]) socket.say(event(kind, "clap")); // a sound
    for (const kind of ["enter", "leave"]) socket.say(event(kind, "hum", { subject: "p1" }));
    tm.triggered("hum");
  }
  assert.equal(warned.length, 1);
  assert.match(warned[0], /"hum" was entered, and never triggers.*tm\.is\("hum"\)/);
  tm.close();
});

test("an unknown label warns once and names the nearest; labels are compared after NFC", async (t) => {
  const warned = listenToWarnings(t);
  const [tm, socket] = await connected({}, hello({ labels: ["clap", "caf\u00e9"] }));
  tm.confidence("clsp");
  tm.is("clsp");
  tm.on("enter", "clsp", () => {});
  assert.equal(warned.length, 1);
  assert.match(warned[0], /"clsp".*"clap"/);
  socket.say(prediction("cafe\u0301", [["cafe\u0301", 1]]));
  assert.equal(tm.is("caf\u00e9"), true);
  assert.equal(warned.length, 1);
  tm.close();
});

test("a label mentioned before hello is checked after it", async (t) => {
  const warned = listenToWarnings(t);
  const [tm, socket] = await connected({}, null);
  tm.on("trigger", "hmu", () => {});
  assert.equal(warned.length, 0);
  socket.say(hello());
  assert.match(warned[0], /"hum"/);
  tm.close();
});

test("bodies come in canvas pixels, mirrored on request, with left being the person's left", async () => {
  const points = Array.from({ length: 33 }, (_, i) => [i / 100, 0.5, 0.1, 0.9]);
  const seen = { type: "landmarks", space: "body", subject: "p1", t_us: 5e6, points, side: null, aspect: 2 };
  for (const [options, x, y] of [[{}, 60, 100], [{ mirror: true }, 340, 100], [{ fit: "contain" }, 60, 100], [{ fit: "cover" }, -(800 - 400) / 2 + 0.15 * 800, 100]]) {
    const [tm, socket] = await connected({ width: 400, height: options.fit === "cover" ? 400 : 200, ...options });
    socket.say(seen);
    assert.equal(tm.bodies.length, 1);
    assert.ok(Math.abs(tm.bodies[0].left_wrist.x - x) < 1e-9, `${JSON.stringify(options)} ${tm.bodies[0].left_wrist.x}`);
    assert.equal(tm.bodies[0].left_wrist.y, options.fit === "cover" ? 200 : y);
    assert.equal(tm.landmarks("body")[15].name, "left_wrist");
    assert.equal(tm.landmarks("body")[32].name, "right_foot_index");
    assert.equal(tm.landmarks("body", "p9").length, 0);
    assert.equal(tm.people[0].body.left_wrist.visibility, 0.9);
    tm.close();
  }
});

test("faces have 468 keypoints, and names where a sketch asks for one", async () => {
  const points = Array.from({ length: 468 }, (_, i) => [i / 1000, 0.5, 0, 1]);
  const [tm, socket] = await connected({ width: 400, height: 200 });
  socket.say({ type: "landmarks", space: "face", subject: "f1", t_us: 5e6, points, side: null, aspect: 2 });
  assert.equal(tm.bodies.length, 0);
  assert.equal(tm.faces.length, 1);
  assert.equal(tm.faces[0].keypoints.length, 468);
  assert.ok(Math.abs(tm.faces[0].mouth_left.x - 0.291 * 400) < 1e-9);
  assert.equal(tm.landmarks("face")[4].name, "nose");
  assert.equal(tm.people[0].face.subject, "f1", "who is seen is there, before anything was taught");
  assert.equal(tm.landmarks("face")[5].name, undefined);
  socket.say(prediction("smile", [["smile", 0.8]], { subject: "f1", spaces: ["face"] }));
  assert.equal(tm.people[0].face.subject, "f1");
  assert.equal(tm.people[0].body, null);
  tm.close();
});

test("every person has a label", async () => {
  const [tm, socket] = await connected();
  socket.say(prediction("clap", [["clap", 0.8]], { subject: "a", spaces: ["body"] }));
  socket.say(prediction("hum", [["hum", 0.9]], { subject: "b", spaces: ["body"] }));
  assert.deepEqual(tm.people.map((person) => [person.id, person.label]), [["a", "clap"], ["b", "hum"]]);
  assert.equal(tm.label, "hum", "the strongest");
  assert.equal(tm.people[0].is("clap"), true);
  socket.say({ type: "presence", subject: "b", t_us: 5e6, state: "depart" });
  assert.equal(tm.people.length, 1);
  tm.close();
});

test("ignore forgets what was heard meanwhile, by its onset, and nothing else", async () => {
  const [tm, socket] = await connected();
  const nowUs = () => Date.now() * 1000 - tm.hello.unix_offset_us;
  const heard = [];
  tm.on("trigger", (e) => heard.push(e.label));
  socket.say(event("trigger", "clap", { t_us: nowUs(), onset_us: nowUs() }));
  tm.ignore("audio", 0.1);
  const onset = nowUs();
  socket.say(event("trigger", "clap", { t_us: onset, onset_us: onset }));
  socket.say(prediction("clap", [["clap", 1]], { t_us: onset, end_us: onset + 1 }));
  assert.equal(tm.label, null);
  socket.say(event("trigger", "hum", { t_us: onset, onset_us: onset, subject: "p1" }));
  socket.say(prediction("hum", [["hum", 1]], { t_us: onset, end_us: onset + 1, subject: "p1", spaces: ["body.upper"] }));
  assert.equal(tm.label, "hum");
  await new Promise((resolve) => setTimeout(resolve, 120));
  socket.say(event("trigger", "clap", { t_us: nowUs(), onset_us: onset }));
  socket.say(event("trigger", "clap", { t_us: nowUs(), onset_us: nowUs() }));
  assert.deepEqual(heard, ["clap", "hum", "clap"]);
  tm.close();
});

test("spectrum and level", async () => {
  const [tm, socket] = await connected();
  socket.say({ type: "spectrum", t_us: 1, bins: [-60, -30], level_db: -30 });
  assert.deepEqual(tm.spectrum(), [-60, -30]);
  assert.equal(tm.level, 0.5);
  tm.close();
});

test("a lost connection leaves what was entered, and is opened again", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const [tm, socket] = await connected();
  const heard = [];
  tm.on("leave", "hum", () => heard.push("left"));
  tm.on("disconnect", () => heard.push("gone"));
  tm.on("connect", () => heard.push("back"));
  socket.say(event("enter", "hum"));
  socket.onclose({});
  assert.deepEqual(heard, ["left", "gone"]);
  assert.equal(tm.connected, false);
  assert.equal(tm.is("hum"), false);
  t.mock.timers.tick(700);
  const again = Socket.all.at(-1);
  assert.notEqual(again, socket);
  again.say(hello());
  assert.deepEqual(heard, ["left", "gone", "back"]);
  tm.close();
});

test("it waits longer and longer, and tells the callback why", async (t) => {
  listenToWarnings(t);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  t.mock.method(Math, "random", () => 0.5);
  const [tm] = await connected({}, null);
  let told = null;
  tm.classifyStart((results, error) => { told = [results[0].label, error.message]; });
  const before = Socket.all.length;
  for (const wait of [500, 1000, 2000, 4000, 8000, 8000]) {
    Socket.all.at(-1).onclose({});
    await settled();
    const dialled = Socket.all.length;
    t.mock.timers.tick(wait - 1);
    assert.equal(Socket.all.length, dialled);
    t.mock.timers.tick(1);
    await settled();
    assert.equal(Socket.all.length, dialled + 1);
  }
  assert.equal(Socket.all.length, before + 6);
  assert.equal(told[0], null);
  assert.match(told[1], /not answer at localhost:1/);
  assert.match(tm.problem, /running/);
  tm.close();
});

test("what is no address is told, also to who asks for results later", async (t) => {
  const warned = listenToWarnings(t);
  const tm = tmstream.connect("localhost:99999", { WebSocket: Socket });
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.match(tm.problem, /“localhost:99999” is not an address/);
  assert.equal(warned.length, 1);
  const told = await new Promise((resolve) => tm.classifyStart((results, error) => resolve([results[0].rejected, error.message])));
  assert.deepEqual(told, ["not_connected", tm.problem]);
  await assert.rejects(tm.ping(), /not connected/);
  tm.close();
});

test("options become a subscription, and a ping comes back", async () => {
  const [tm, socket] = await connected({ streams: ["event"], maxRateHz: 20 });
  assert.deepEqual(socket.sent[0], { type: "subscribe", id: 1, streams: ["event"], max_rate_hz: 20 });
  const pinged = tm.ping();
  socket.say({ type: "reply", id: 2, ok: true });
  assert.ok((await pinged) >= 0);
  const refused = tm._line.command("undo", {});
  socket.say({ type: "reply", id: 3, ok: false, error: { code: "forbidden", message: "only the studio may" } });
  await assert.rejects(refused, /only the studio/);
  tm.close();
});

async function takeFile(lines) {
  const file = join(await mkdtemp(join(tmpdir(), "tmstream-")), "take.jsonl");
  await writeFile(file, lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n"));
  return file;
}

test("a saved take plays without an engine, at its own pace", async () => {
  const file = await takeFile([hello(), event("trigger", "clap", { t_us: 1e6 }), event("trigger", "hum", { t_us: 1.15e6 }), '{"cut off']);
  const tm = tmstream.connect(file, { loop: false });
  const heard = [];
  tm.on("trigger", (e) => heard.push([e.label, performance.now()]));
  await tm;
  assert.deepEqual([tm.source, tm.engine], ["take", false]);
  assert.deepEqual(tm.labels, ["clap", "hum"]);
  await new Promise((resolve) => { tm.on("trigger", "hum", resolve); });
  assert.deepEqual(heard.map(([label]) => label), ["clap", "hum"]);
  assert.ok(heard[1][1] - heard[0][1] > 100);
  tm.close();
});

test("the take plays while no engine has what the sketch needs", async () => {
  const take = await takeFile([event("trigger", "clap")]);
  const [tm, socket] = await connected({ take, needs: ["landmarks"] }, hello({ streams: ["event"] }));
  const heard = [];
  tm.on("trigger", (e) => heard.push(e.label));
  await tm.ready;
  assert.equal(tm.source, "take");
  assert.equal(tm.engine, true, "an engine answers all the same");
  socket.say(event("trigger", "hum"));
  assert.ok(!heard.includes("hum"));
  socket.say(hello());
  assert.equal(tm.source, "engine");
  socket.say(event("trigger", "hum"));
  assert.ok(heard.includes("hum"));
  tm.close();
});

test("an engine whose camera is off gets a take played, until it sees somebody", async (t) => {
  const take = await takeFile([event("trigger", "clap")]);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const [tm, socket] = await connected({ take, needs: ["landmarks"] });
  const seen = { type: "landmarks", space: "body", subject: "p1", t_us: 5e6, points: [[0, 0, 0, 1]], side: null, aspect: 1 };
  assert.equal(tm.source, "engine");
  const playing = new Promise((resolve) => tm.on("trigger", "clap", resolve));
  t.mock.timers.tick(4000);
  await playing;
  assert.equal(tm.source, "take");
  socket.say(event("trigger", "hum"));
  assert.equal(tm.source, "take");
  socket.say(seen);
  assert.equal(tm.source, "engine");
  t.mock.timers.tick(60_000);
  assert.equal(tm.source, "engine", "nobody may be there for a while");
  assert.equal(tm.connected, true);
  tm.close();
});

test("a handler that throws is reported and harms nobody else", async (t) => {
  const thrown = [];
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const [tm, socket] = await connected();
  const heard = [];
  tm.on("trigger", () => { throw new Error("mine"); });
  tm.on("trigger", () => heard.push("still"));
  socket.say(event("trigger", "clap"));
  assert.deepEqual(heard, ["still"]);
  assert.throws(() => t.mock.timers.tick(1), /mine/);
  tm.close();
});

test("the module form exports the same", async () => {
  const module = await import(join(client, "tmstream.mjs"));
  assert.equal(typeof module.connect, "function");
  assert.equal(module.default, globalThis.tmstream);
});
