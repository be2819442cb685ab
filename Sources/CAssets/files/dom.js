// Small pieces that all pages use: elements, API calls, times.

/// Makes an element. Attributes whose names begin with "on" are listeners; children are nodes or text, never HTML.
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.flat(9).filter((child) => child != null && child !== false));
  return node;
}

/// Sends a request; resolves to the status and the body, a text. Parameters that are empty are left out.
async function ask(path, parameters, options) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of [value].flat()) if (one !== "" && one != null) query.append(name, one);
  }
  try {
    const response = await fetch(`${path}?${query}`, options);
    return { status: response.status, text: await response.text() };
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error(`martlet does not answer: ${error.message}`);
  }
}

/// The JSON of an answer; null if there is none.
function json({ status, text }) {
  if (!text) return null;
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`HTTP ${status}: ${text.slice(0, 300)}`);
  }
}

/// Asks the API; resolves to the whole envelope, throws an Error with the server's words.
export async function api(path, parameters = {}, signal) {
  const answer = await ask(`api/v1/${path}`, parameters, { signal });
  const body = json(answer);
  if (body?.status !== "success") throw new Error(body?.error ? `${body.errorType}: ${body.error}` : `HTTP ${answer.status}`);
  return body;
}

/// Asks Alertmanager's API; resolves to the answer, null if it is empty, throws an Error with the server's words.
export async function notifierAPI(path, parameters = {}, options = {}) {
  const answer = await ask(`api/v2/${path}`, parameters, options);
  const body = json(answer);
  if (answer.status !== 200) throw new Error((typeof body === "string" ? body : body?.message) || `HTTP ${answer.status}`);
  return body;
}

export const notice = (kind, text) => el("div", { class: `notice ${kind}`, role: "alert" }, text);

/// The class of a text of few letters, which fits into any column and is not to break inside.
export const whole = (text) => (text.length <= 40 ? "whole" : "");

/// Labels as chips.
export function labelChips(labels, skip = []) {
  return Object.entries(labels).filter(([name]) => !skip.includes(name)).map(([name, value]) => `${name}="${value}"`)
    .map((text) => el("span", { class: `label mono ${whole(text)}` }, text));
}

/// `name{a="b"}`, as Prometheus prints a series.
export function seriesText(metric) {
  const { __name__: name = "", ...labels } = metric;
  const inner = Object.entries(labels).map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(", ");
  return inner || !name ? `${name}{${inner}}` : name;
}

const units = [["y", 31536000], ["w", 604800], ["d", 86400], ["h", 3600], ["m", 60], ["s", 1]];

/// Seconds of a duration such as `1h30m` or `15`; null if it is none.
export function parseDuration(text) {
  text = text.trim();
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  if (!/^(\d+(ms|[ywdhms]))+$/.test(text)) return null;
  let seconds = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+)(ms|[ywdhms])/g)) {
    seconds += unit === "ms" ? amount / 1000 : amount * units.find(([name]) => name === unit)[1];
  }
  return seconds;
}

/// A duration in its two largest units.
export const roughDuration = (seconds) =>
  formatDuration(seconds >= 86400 ? seconds - seconds % 3600 : seconds >= 3600 ? seconds - seconds % 60 : Math.max(1, Math.round(seconds)));

export function formatDuration(seconds) {
  if (seconds === 0) return "0s";
  if (seconds < 1) return `${(seconds * 1000).toPrecision(3)}ms`;
  let rest = Math.round(seconds);
  let text = "";
  for (const [name, size] of units) {
    if (["y", "w"].includes(name) && rest % size) continue;
    if (rest >= size) {
      text += `${Math.floor(rest / size)}${name}`;
      rest %= size;
    }
  }
  return text;
}

/// A UTC time as people read it: `2026-01-31 12:00:00`.
export const formatTime = (seconds) => new Date(seconds * 1000).toISOString().replace("T", " ").replace(/\.\d+Z$/, "");

/// Seconds of a UTC time `YYYY-MM-DD HH:mm:ss`; null if it is none.
export function parseTime(text) {
  const time = Date.parse(text.trim().replace(" ", "T") + "Z");
  return Number.isNaN(time) ? null : time / 1000;
}

/// How long ago an RFC 3339 time was.
export function ago(text) {
  const time = Date.parse(text);
  if (!time || time < 0) return "never";
  const seconds = (Date.now() - time) / 1000;
  return seconds < 1 ? "just now" : `${formatDuration(Math.max(0, seconds))} ago`;
}

/// A table with a head (texts; none if empty) and rows of cells; a cell is a node, a text or [attributes, child].
/// The head of numbers is aligned as they are. On narrow screens cells are below each other, each but the first behind its head.
export function table(head, rows) {
  const attributes = (content) => (Array.isArray(content) && content[0]?.constructor === Object ? content[0] : null);
  const cell = (content, column) => el("td", { "data-head": head[column], ...attributes(content) },
    attributes(content) ? content[1] : content);
  const title = (text, column) => el("th", { class: /\bnumber\b/.test(attributes(rows[0]?.[column])?.class) && "number" }, text);
  return el("table", {}, head.length > 0 && el("thead", {}, el("tr", {}, head.map(title))),
    el("tbody", {}, rows.map((row) => el("tr", {}, row.map(cell)))));
}

/// Buttons that turn values on and off: `chosen` is the set of those that are on.
export function toggles(values, chosen, changed) {
  return values.map((value) => el("button", {
    "aria-pressed": String(chosen.has(value)),
    onclick: (event) => {
      chosen.has(value) ? chosen.delete(value) : chosen.add(value);
      event.target.setAttribute("aria-pressed", String(chosen.has(value)));
      changed();
    },
  }, value));
}

/// Replaces the children of `list`; what had the focus keeps it, known by its `data-key`.
export function redraw(list, nodes) {
  const key = list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  list.replaceChildren(...nodes.filter(Boolean));
  if (key) list.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

/// Details that stay as people left them when the page is drawn again: `open` is the set of the keys of those that are open.
export function keptDetails(key, open, attributes, ...children) {
  return el("details", {
    ...attributes, open: open.has(key), ontoggle: (event) => (event.target.open ? open.add(key) : open.delete(key)),
  }, ...children);
}

/// Shows another page, as a link does.
export function go(path) {
  history.pushState(null, "", new URL(path, document.baseURI));
  dispatchEvent(new PopStateEvent("popstate"));
}

/// Calls `action` a moment after the last call of the function that is returned.
export function delayed(action) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, 300);
  };
}

/// A field of a form with its name above it.
export const field = (name, input, attributes = {}) => el("label", { class: "field", ...attributes }, el("span", { class: "soft" }, name), input);

/// Facts about one thing in a line; what is missing is left out.
export const facts = (...texts) => texts.filter(Boolean).join(" · ");

/// Calls `action` at once and every `seconds` while `node` is on the page.
export function refresh(node, seconds, action) {
  action();
  const timer = setInterval(() => (node.isConnected ? document.hidden || action() : clearInterval(timer)), seconds * 1000);
}
