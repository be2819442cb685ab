// Pieces of the pages about the notifier: matchers, links between the pages, what is shown if it is off.
import { el, notice, notifierAPI, whole } from "./dom.js";

export const operators = ["=", "!=", "=~", "!~"];

const quote = (text) => `"${text.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n")}"`;
const unquote = (text) => (text.startsWith('"') ? text.slice(1, -1).replace(/\\([^])/g, (_, letter) => (letter === "n" ? "\n" : letter)) : text);

/// The text of a matcher, as both of Alertmanager's syntaxes read it.
export const matcherText = ({ name, operator, value }) => `${/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) ? name : quote(name)}${operator}${quote(value)}`;

/// The matcher of a text that `matcherText` has made, or of one without quotes; null if it is none.
export function parseMatcher(text) {
  const parts = /^\s*("(?:[^"\\]|\\[^])*"|[^\s{}!=~,\\"'`]+)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\[^])*"|[^"]*?)\s*$/.exec(text);
  return parts && { name: unquote(parts[1]), operator: parts[2], value: unquote(parts[3]) };
}

/// The matchers of a text such as `a="b", c=~"d.*"`, each as a text. The server says what is wrong with one.
export function splitMatchers(text) {
  const inner = text.trim().replace(/^\{([^]*)\}$/, "$1");
  return (inner.match(/(?:"(?:[^"\\]|\\[^])*"?|[^",])+/g) ?? []).map((part) => part.trim()).filter(Boolean);
}

export const matchersOf = (labels) => Object.entries(labels).map(([name, value]) => ({ name, operator: "=", value }));

/// The matcher of a silence in the API's form, and back.
export const fromAPI = ({ name, value, isRegex, isEqual = true }) => ({ name, value, operator: operators[(isRegex ? 2 : 0) + (isEqual ? 0 : 1)] });
export const toAPI = ({ name, value, operator }) => ({ name, value, isRegex: operator.endsWith("~"), isEqual: !operator.startsWith("!") });

export const matcherChips = (matchers) => matchers.map(matcherText).map((text) => el("span", { class: `label mono ${whole(text)}` }, text));

const link = (page, name, texts, more = {}) => {
  const query = new URLSearchParams(more);
  for (const text of texts) query.append(name, text);
  return `${page}?${query}`;
};

/// The address of the form for a silence with these matchers.
export const silenceAddress = (matchers) => link("silences", "matcher", matchers.map(matcherText), { new: "1" });
/// The addresses of the explanation and of the group of the alerts with these labels.
export const whyAddress = (labels) => link("notifications", "why", [matchersOf(labels).map(matcherText).join(", ")]);
export const groupAddress = (labels) => link("alert-groups", "filter", [matchersOf(labels).map(matcherText).join(", ")]);

/// What people do with an alert. The keys let the focus stay when the page is drawn again.
export const alertLinks = (labels, scope = "") => {
  const key = scope + JSON.stringify(labels);
  return el("div", { class: "row actions" },
    el("a", { class: "button", href: silenceAddress(matchersOf(labels)), "data-key": `silence ${key}` }, "Silence"),
    el("a", { class: "button", href: whyAddress(labels), "data-key": `why ${key}` }, "Why"));
};

const isOff = (error) => error.message.includes("--alerting.config.file");

/// What is shown instead of an answer.
export const failure = (error) => (isOff(error)
  ? notice("plain", "The built-in notifier is off. The flag --alerting.config.file turns it on: it names a configuration in Alertmanager's format.")
  : notice("bad", error.message));

let known = null;

/// Whether the notifier is on; that changes only with the daemon. Asked again after an error.
export function hasNotifier() {
  known ??= notifierAPI("receivers").then(() => true, (error) => {
    if (!isOff(error)) known = null;
    return false;
  });
  return known;
}

/// A field for a text with matchers.
export const matcherField = (value, attributes) => el("input", {
  type: "search", class: "wide mono", placeholder: 'Matchers: alertname="Down", job=~"web.*"', "aria-label": "Matchers",
  spellcheck: "false", autocapitalize: "off", value, ...attributes,
});
