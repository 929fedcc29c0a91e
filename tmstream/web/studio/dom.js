// Elements without a library. Text is always set as text, never as HTML: labels are anybody's words.

/** h("button.small", { onclick: f, "aria-label": "x" }, "text", child, [more]) */
export function h(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || (value === false && !key.startsWith("aria-"))) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key.startsWith("--")) element.style.setProperty(key, value);
    else if (key in element && !key.includes("-")) element[key] = value;
    else element.setAttribute(key, value === true && !key.startsWith("aria-") ? "" : value);
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** The same for drawings: svg("path", { d: "M0 0" }) */
export function svg(tag, properties = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("--")) element.style.setProperty(key, value);
    else element.setAttribute(key, value);
  }
  element.append(...children.flat(2));
  return element;
}

/** Replace what is inside, keeping the keyboard where it was (by data-key); where that was deleted, at the next of its kind. */
export function fill(parent, ...children) {
  const focused = parent.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const alike = () => [...parent.querySelectorAll("[data-key]")].filter((one) => one.dataset.key.split(" ")[0] === focused.split(" ")[0]);
  const before = focused ? alike() : [];
  const place = before.indexOf(document.activeElement);
  parent.replaceChildren(...children.flat(3).filter(Boolean));
  if (!focused) return;
  const after = alike();
  const gone = after.length < before.length || focused.startsWith("remove "); // a card may only have another name
  const next = gone ? after[Math.min(place, after.length - 1)] ?? parent.closest("[tabindex]") : null;
  (after.find((one) => one.dataset.key === focused) ?? next)?.focus();
}

/** A line with a name under which a screen reader finds a panel. */
export function panel(title, ...children) {
  return h("section.panel", { "aria-label": title }, h("h2", {}, title), ...children);
}

const INKS = 8;
const places = new Map();

/** A label keeps its colour as long as the page is open. */
export function inkOf(label) {
  if (!places.has(label)) places.set(label, places.size % INKS);
  return `var(--ink-${places.get(label)})`;
}

/** A renamed label keeps its colour, unless the new name has one already. */
export function keepInk(label, to) {
  if (!places.has(to)) places.set(to, places.get(label));
}

/** The colour as a canvas wants it. */
export function canvasInk(name) {
  const found = /^var\((.+)\)$/.exec(name);
  return getComputedStyle(document.documentElement).getPropertyValue(found ? found[1] : name).trim();
}

/** Size a canvas to its box in device pixels; returns its context, scaled to CSS pixels. */
export function sharpen(canvas) {
  const scale = Math.min(2, devicePixelRatio || 1);
  const [width, height] = [Math.round(canvas.clientWidth * scale), Math.round(canvas.clientHeight * scale)];
  if (width && (canvas.width !== width || canvas.height !== height)) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  return context;
}

const SPACES = { audio: "Sound", "body.upper": "Arms and head", "body.full": "The whole body", hand: "Hand signs", gesture: "Movements", face: "Faces", image: "Pictures" };

/** What is compared with what, as people call it. */
export const spaceName = (space) => SPACES[space] ?? space;

export const percent = (value) => (value === null || value === undefined ? "–" : `${Math.round(value * 100)} %`);
export const milliseconds = (us) => (us >= 100_000 ? `${Math.round(us / 1000)} ms` : us >= 1000 ? `${(us / 1000).toFixed(1)} ms` : `${Math.round(us)} µs`);
