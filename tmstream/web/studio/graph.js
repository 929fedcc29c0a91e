// The pipeline as boxes and arrows, from the sources down; each box says how its node fares.
import { fill, h, milliseconds, svg } from "./dom.js";

const [BOX, TALL, GAP_X, GAP_Y, MARGIN] = [118, 48, 12, 26, 16];
const STATES = { running: "runs", waiting: "waits", failed: "failed" };

/** How far each node is from a source: one row below the lowest node it reads. */
export function rowsOf(graph) {
  const depth = new Map();
  const known = new Map(graph.map((node) => [node.name, node]));
  const down = (name) => {
    if (!known.has(name)) return -1;
    if (!depth.has(name)) depth.set(name, 1 + Math.max(-1, ...known.get(name).sources.map(down)));
    return depth.get(name);
  };
  const rows = [];
  for (const { name } of graph) (rows[down(name)] ??= []).push(name);
  return rows;
}

export class PipelineGraph {
  constructor() {
    this.element = h("div.graph");
    this.parts = new Map();
  }

  /** Draw it anew; `graph` is the one of `hello`. */
  show(graph) {
    this.parts.clear();
    const rows = rowsOf(graph);
    const most = Math.max(1, ...rows.map((row) => row.length));
    const width = most * BOX + (most - 1) * GAP_X + 2 * MARGIN;
    const height = Math.max(1, rows.length) * (TALL + GAP_Y) - GAP_Y + 4;
    const places = new Map();
    rows.forEach((row, y) => {
      const start = (width - row.length * BOX - (row.length - 1) * GAP_X) / 2;
      row.forEach((name, x) => places.set(name, { x: start + x * (BOX + GAP_X), y: 2 + y * (TALL + GAP_Y), row: y }));
    });
    const arrows = graph.flatMap((node) => node.sources.filter((name) => places.has(name)).map((name) => svg("path", { class: "edge", d: arrow(places.get(name), places.get(node.name), width), "marker-end": "url(#tip)" })));
    const boxes = graph.map((node) => this.box(node, places.get(node.name)));
    const words = graph.map((node) => (node.sources.length ? `${node.name} reads ${node.sources.join(" and ")}` : `${node.name} is a ${node.kind}`)).join("; ");
    fill(this.element, graph.length > 0 && svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `The pipeline: ${words}`, "--wide": `${width}px` },
      svg("defs", {}, svg("marker", { id: "tip", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, svg("path", { class: "tip", d: "M0 0 8 4 0 8z" }))),
      arrows, boxes));
  }

  box({ name, kind }, { x, y }) {
    const part = { figures: svg("text", { class: "figures", x: 10, y: 41 }), title: svg("title", {}, `${name}: ${kind}`), kind };
    part.group = svg("g", { class: "node", transform: `translate(${x} ${y})` }, part.title,
      svg("rect", { width: BOX, height: TALL, rx: 9 }), svg("circle", { class: "light", cx: BOX - 12, cy: 12, r: 4 }),
      svg("text", { class: "name", x: 10, y: 16 }, short(name, 13)), svg("text", { class: "kind", x: 10, y: 29 }, short(kind, 18)), part.figures);
    this.parts.set(name, part);
    return part.group;
  }

  /** The engine is away: nothing is known of its nodes. */
  still() {
    for (const part of this.parts.values()) {
      part.group.setAttribute("class", "node");
      part.figures.textContent = "";
    }
  }

  /** Take over what the engine says about each node. */
  update(nodes) {
    for (const [name, part] of this.parts) {
      const node = nodes[name];
      if (!node) continue;
      part.group.setAttribute("class", `node ${node.state}`);
      const rate = `${node.rate_hz >= 10 ? Math.round(node.rate_hz) : node.rate_hz.toFixed(1)}/s`;
      part.figures.textContent = node.state === "running" ? [rate, node.p50_us ? milliseconds(node.p50_us) : null, node.dropped ? `−${node.dropped}` : null].filter(Boolean).join(" · ") : STATES[node.state];
      part.title.textContent = [`${name} (${part.kind}) ${STATES[node.state]}`, rate, `median ${milliseconds(node.p50_us)}`, `${node.dropped} dropped`, node.message].filter(Boolean).join(", ");
    }
  }
}

/** From the foot of one box to the head of another; past other rows it goes along the side. */
function arrow(from, to, width) {
  const [x1, y1, x2, y2] = [from.x + BOX / 2, from.y + TALL, to.x + BOX / 2, to.y];
  if (to.row - from.row === 1) return `M${x1} ${y1}C${x1} ${y1 + GAP_Y / 2} ${x2} ${y2 - GAP_Y / 2} ${x2} ${y2}`;
  const side = x1 <= width / 2 ? 4 : width - 4;
  const turn = GAP_Y * 0.8;
  return `M${x1} ${y1}C${x1} ${y1 + turn} ${side} ${y1} ${side} ${y1 + turn * 1.4}V${y2 - turn * 1.4}C${side} ${y2} ${x2} ${y2 - turn} ${x2} ${y2}`;
}

const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
