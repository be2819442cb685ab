// The form of a silence, and the preview of what it hits.
import { el, api, notice, notifierAPI, labelChips, field, go, delayed, parseDuration, formatDuration, parseTime, formatTime } from "./dom.js";
import { operators, matcherText, fromAPI, toAPI, failure } from "./notifier.js";

const day = 86400;
/// The time that the preview looks back, and the most alerts that it counts and lists.
const lookBack = 30 * day;
const mostCounted = 10000;
const mostListed = 10;

const alerts = (count) => `${count.toLocaleString("en")} alert${count === 1 ? "" : "s"}`;

/// Rows of matchers that people edit; `changed` is called after each change.
function matcherRows(matchers, changed) {
  const list = el("div", { class: "matchers" });
  const add = (matcher, isFocused) => {
    const name = el("input", { "aria-label": "Label name", placeholder: "label", class: "mono", value: matcher.name, autocapitalize: "off", spellcheck: "false" });
    const operator = el("select", { "aria-label": "Operator" }, operators.map((text) => el("option", { selected: text === matcher.operator }, text)));
    const value = el("input", { "aria-label": "Value", placeholder: "value", class: "mono", value: matcher.value, autocapitalize: "off", spellcheck: "false" });
    const row = el("div", { class: "matcher" }, name, operator, value, el("button", {
      type: "button", class: "quiet", title: "Remove this matcher", "aria-label": "Remove this matcher",
      onclick: () => {
        row.remove();
        more.focus();
        changed();
      },
    }, "✕"));
    // An input has one line: a value with others stays as it is until it is edited.
    const original = matcher.value;
    const shown = value.value;
    row.read = () => ({ name: name.value.trim(), operator: operator.value, value: value.value === shown ? original : value.value });
    row.addEventListener("input", changed);
    list.append(row);
    if (isFocused) name.focus();
  };
  const more = el("button", { type: "button", onclick: () => add({ name: "", operator: "=", value: "" }, true) }, "Add matcher");
  for (const matcher of matchers.length ? matchers : [{ name: "", operator: "=", value: "" }]) add(matcher, false);
  return { node: el("div", {}, list, more), read: () => [...list.children].map((row) => row.read()).filter((m) => m.name || m.value) };
}

/// What the matchers hit now and hit in the last 30 days.
async function hits(matchers, signal) {
  const now = await notifierAPI("alerts", { filter: matchers.map(matcherText) }, { signal });
  const start = Math.floor(Date.now() / 1000) - lookBack;
  const { data: names } = await api("labels", { "match[]": "ALERTS", start }, signal);
  // External labels and relabelling come after the rules: no series of theirs has such labels.
  const compared = matchers.filter((matcher) => names.includes(matcher.name));
  const skipped = matchers.filter((matcher) => !names.includes(matcher.name)).map((matcher) => matcher.name);
  const text = compared.map(({ name, operator, value }) => `${JSON.stringify(name)}${operator}${JSON.stringify(value)}`);
  const { data: past } = compared.length
    ? await api("series", { "match[]": `ALERTS{${[...text, 'alertstate="firing"'].join(",")}}`, start, limit: mostCounted }, signal) : { data: names.length ? null : [] };
  return { now, past, skipped };
}

function preview(matchers) {
  const node = el("div", { class: "preview", "aria-live": "polite" });
  let running = null;
  const draw = ({ now, past, skipped }) => {
    const names = new Map();
    for (const { alertname } of past ?? []) names.set(alertname, (names.get(alertname) ?? 0) + 1);
    const most = [...names].sort((a, b) => b[1] - a[1]);
    return [
      el("p", {}, "Hits ", el("b", {}, alerts(now.length)), " now", now.length > mostListed ? `, the first ${mostListed}:` : now.length ? ":" : "."),
      el("ul", {}, now.slice(0, mostListed).map((alert) => el("li", {}, labelChips(alert.labels)))),
      past && el("p", {}, "Hit ", el("b", {}, past.length >= mostCounted ? `at least ${alerts(mostCounted)}` : alerts(past.length)),
        " of this server's rules in the last 30 days", past.length ? ":" : "."),
      el("ul", {}, most.slice(0, mostListed).map(([name, count]) => el("li", {}, `${name ?? ""}: ${count.toLocaleString("en")}`)),
        most.length > mostListed && el("li", { class: "soft" }, `${most.length - mostListed} more names`)),
      skipped.length > 0 && past?.length !== 0 && el("p", { class: "soft" },
        `The history of alerts has no label ${skipped.join(", ")}: ${past ? "it is not compared" : "what this hit before is not known"}.`),
    ].filter(Boolean);
  };
  const update = async () => {
    running?.abort();
    const wanted = matchers();
    if (!wanted.length) return node.replaceChildren(el("p", { class: "soft" }, "Enter a matcher to see which alerts it hits."));
    running = new AbortController();
    try {
      node.replaceChildren(...draw(await hits(wanted, running.signal)));
    } catch (error) {
      if (error.name !== "AbortError") node.replaceChildren(failure(error));
    }
  };
  return { node, update };
}

/// The fields of start, duration and end: the last two follow each other.
function period(silence) {
  const text = { autocapitalize: "off", spellcheck: "false", class: "mono", size: 20 };
  const start = el("input", { ...text, name: "start", placeholder: "now", value: silence.startsAt ? formatTime(Date.parse(silence.startsAt) / 1000) : "" });
  const duration = el("input", { ...text, name: "duration", size: 8 });
  const end = el("input", { ...text, name: "end" });
  const begin = () => (start.value.trim() ? parseTime(start.value) : Date.now() / 1000);
  const fromDuration = () => {
    const seconds = parseDuration(duration.value);
    if (seconds != null && begin() != null) end.value = formatTime(begin() + seconds);
  };
  const fromEnd = () => {
    const time = parseTime(end.value);
    if (time != null && begin() != null) duration.value = time > begin() ? formatDuration(Math.round(time - begin())) : "";
  };
  let isByDuration = !silence.endsAt;
  if (silence.endsAt) {
    end.value = formatTime(Date.parse(silence.endsAt) / 1000);
    fromEnd();
  } else {
    duration.value = formatDuration(silence.seconds ?? 7200);
    fromDuration();
  }
  start.addEventListener("input", () => (isByDuration ? fromDuration() : fromEnd()));
  duration.addEventListener("input", () => ((isByDuration = true), fromDuration()));
  end.addEventListener("input", () => ((isByDuration = false), fromEnd()));
  const required = (time, name) => {
    if (time == null) throw new Error(`The ${name} is not a time as 2026-01-31 12:00:00.`);
    return time;
  };
  return {
    node: el("div", { class: "row fields" }, field("Start (UTC)", start), field("Duration", duration), field("End (UTC)", end)),
    hasOtherStart: () => start.value !== start.defaultValue,
    read: () => {
      const from = required(begin(), "start");
      const seconds = parseDuration(duration.value);
      if (isByDuration && seconds == null) throw new Error("The duration is not one as 2h or 1d12h.");
      const to = isByDuration ? from + seconds : required(parseTime(end.value), "end");
      const stored = silence.startsAt && start.value === start.defaultValue ? silence.startsAt : new Date(from * 1000).toISOString();
      return { startsAt: stored, endsAt: new Date(to * 1000).toISOString() };
    },
  };
}

/// The form of a new silence with `matchers`, or of one that is there: `silence` is as the API shows it, and has an id if it is edited.
export function silenceForm(silence) {
  const isEdit = Boolean(silence.id);
  const before = JSON.stringify(silence.matchers);
  const warning = el("div");
  const errors = el("div");
  const shown = preview(() => rows.read());
  const show = delayed(shown.update);
  const rows = matcherRows(silence.matchers.map(fromAPI), () => {
    warn();
    show();
  });
  const time = period(silence);
  const author = el("input", { name: "author", autocomplete: "name", required: true, value: silence.createdBy ?? localStorage.getItem("author") ?? "" });
  const comment = el("textarea", { name: "comment", rows: 2, required: true }, silence.comment ?? "");
  const submit = el("button", { class: "main" }, isEdit ? "Save" : "Create silence");
  const warn = () => {
    const isNew = isEdit && (JSON.stringify(rows.read().map(toAPI).map(inOrder)) !== JSON.stringify(JSON.parse(before).map(inOrder)) || time.hasOtherStart());
    warning.replaceChildren(...(isNew ? [notice("warn", "With other matchers or another start, this silence ends and a new one begins.")] : []));
  };
  const send = async (event) => {
    event.preventDefault();
    errors.replaceChildren();
    submit.disabled = true;
    try {
      const matchers = rows.read().map(toAPI);
      if (!matchers.length) throw new Error("A silence needs at least one matcher.");
      const body = {
        id: silence.id, matchers, ...time.read(), createdBy: author.value.trim(), comment: comment.value.trim(), annotations: silence.annotations,
      };
      const headers = { "Content-Type": "application/json" };
      const { silenceID } = await notifierAPI("silences", {}, { method: "POST", headers, body: JSON.stringify(body) });
      localStorage.setItem("author", author.value.trim());
      go(`silences?id=${encodeURIComponent(silenceID)}`);
    } catch (error) {
      errors.replaceChildren(failure(error));
    } finally {
      submit.disabled = false;
    }
  };
  const form = el("form", { class: "card", onsubmit: send },
    el("h2", {}, isEdit ? "Edit silence" : "New silence"),
    el("div", { class: "grid form" },
      el("div", {}, el("div", { class: "soft" }, "Matchers"), rows.node, time.node, field("Author", author), field("Comment", comment),
        el("div", { class: "row" }, submit, el("a", { class: "button", href: "silences" }, "Cancel")), warning, errors),
      el("div", {}, el("h2", {}, "What it hits"), shown.node)));
  form.addEventListener("input", warn);
  shown.update();
  return form;
}

/// A matcher with its members in one order.
const inOrder = ({ name, value, isRegex, isEqual = true }) => [name, value, isRegex, isEqual];
