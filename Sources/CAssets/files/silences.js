// The silences by state, their end, and the form to add or change one.
import { el, notice, notifierAPI, refresh, redraw, keptDetails, roughDuration, table } from "./dom.js";
import { fromAPI, matcherChips, matcherText, parseMatcher, toAPI, failure } from "./notifier.js";
import { silenceForm } from "./silence-form.js";

/// Seconds before the end of a silence at which it is marked.
const soon = 900;
/// The most silences of one state that are shown.
const mostShown = 300;

const until = (text) => (Date.parse(text) - Date.now()) / 1000;
const day = (text) => `${text.slice(0, 19).replace("T", " ")} UTC`;

/// The time that matters in a state: its words, and whether it is near.
function timing({ status: { state }, startsAt, endsAt }) {
  if (state === "pending") return { words: `starts in ${roughDuration(until(startsAt))}`, detail: `${day(startsAt)} until ${day(endsAt)}` };
  if (state === "expired") return { words: `ended ${roughDuration(-until(endsAt))} ago`, detail: day(endsAt) };
  return { words: `${roughDuration(until(endsAt))} left`, detail: `until ${day(endsAt)}`, isSoon: until(endsAt) <= soon };
}

function row(silence, { armed, expire }) {
  const { id, status: { state } } = silence;
  const { words, detail, isSoon } = timing(silence);
  const expireButton = state !== "expired" && el("button", {
    "data-key": `expire ${id}`, class: armed.has(id) ? "danger" : "", onclick: () => expire(id),
  }, armed.has(id) ? "Really expire?" : "Expire");
  return [
    el("div", {}, matcherChips(silence.matchers.map(fromAPI)), el("div", {}, silence.comment),
      el("div", { class: "soft" }, silence.createdBy ? `by ${silence.createdBy}` : "without an author")),
    [isSoon ? el("span", { class: "badge warn" }, `ends soon: ${words}`) : el("span", { class: "whole" }, words), el("div", { class: "soft" }, detail)],
    el("div", { class: "row actions" },
      el("a", { class: "button", href: `silences?${state === "expired" ? "again" : "edit"}=${encodeURIComponent(id)}`, "data-key": `edit ${id}` }, state === "expired" ? "Create again" : "Edit"),
      expireButton)];
}

function cards(silences, chosen, open, actions) {
  const stateClass = { active: "good", pending: "warn", expired: "plain" };
  return Object.keys(stateClass).map((state) => {
    const all = silences.filter((silence) => silence.status.state === state);
    if (!all.length) return null;
    const list = all.length > mostShown ? [...all.filter((one) => one.id === chosen), ...all.filter((one) => one.id !== chosen)].slice(0, mostShown) : all;
    const shown = table(["Silence", "Time", ""], list.map((silence) => row(silence, actions)));
    list.forEach((silence, at) => silence.id === chosen && shown.tBodies[0].rows[at].classList.add("chosen"));
    return el("section", { class: "card" }, keptDetails(state, open, {},
      el("summary", { "data-key": state }, el("span", { class: `badge ${stateClass[state]}` }, `${state} (${all.length})`)),
      shown, all.length > list.length && el("p", { class: "soft" }, `${all.length - list.length} more: use the filter.`)));
  }).filter(Boolean);
}

/// The form that the address asks for; null for none.
async function wantedForm(query) {
  if (query.has("new")) return silenceForm({ matchers: query.getAll("matcher").map(parseMatcher).filter(Boolean).map(toAPI) });
  const id = query.get("edit") ?? query.get("again");
  if (!id) return null;
  const silence = await notifierAPI(`silence/${encodeURIComponent(id)}`);
  if (query.has("edit") && silence.status.state !== "expired") return silenceForm(silence);
  const { matchers, comment, annotations, startsAt, endsAt } = silence;
  return silenceForm({ matchers, comment, annotations, seconds: Math.max(60, Math.round((Date.parse(endsAt) - Date.parse(startsAt)) / 1000)) });
}

export function silencesPage(main) {
  const query = new URLSearchParams(location.search);
  const chosen = query.get("id");
  const search = el("input", { type: "search", placeholder: "Filter by matcher or comment", size: 32 });
  const holder = el("div");
  const message = el("div");
  const list = el("div");
  const open = new Set(["active", "pending"]);
  const armed = new Set();
  let silences = [];
  let isFirst = true;
  const draw = () => {
    const words = search.value.toLowerCase();
    const text = (one) => [...one.matchers.map(fromAPI).map(matcherText), one.createdBy, one.comment, one.id].join("\n").toLowerCase();
    const shown = cards(silences.filter((one) => !words || text(one).includes(words)), chosen, open, { armed, expire });
    redraw(list, shown.length ? shown : [el("p", { class: "soft" }, silences.length ? "No silence matches." : "There are no silences.")]);
  };
  const load = async () => {
    try {
      silences = await notifierAPI("silences");
      if (isFirst && silences.some((one) => one.id === chosen && one.status.state === "expired")) open.add("expired");
      draw();
      if (isFirst) list.querySelector(".chosen")?.scrollIntoView({ block: "nearest" });
      isFirst = false;
    } catch (error) {
      redraw(list, [failure(error)]);
    }
  };
  // The first press asks, so that a slip ends nothing.
  const expire = async (id) => {
    if (!armed.has(id)) {
      armed.add(id);
      setTimeout(() => armed.delete(id) && draw(), 5000);
      return draw();
    }
    armed.delete(id);
    message.replaceChildren();
    try {
      await notifierAPI(`silence/${encodeURIComponent(id)}`, {}, { method: "DELETE" });
    } catch (error) {
      message.replaceChildren(notice("bad", `The silence was not expired. ${error.message}`));
    }
    await load();
  };
  search.addEventListener("input", draw);
  main.append(el("h1", {}, "Silences"), holder,
    el("div", { class: "row", style: "margin-bottom:14px" }, el("a", { class: "button main", href: "silences?new=1" }, "New silence"), search), message, list);
  wantedForm(query).then((form) => {
    if (!form) return;
    holder.replaceChildren(form);
    main.querySelector("a.main").remove();
  }).catch((error) => holder.replaceChildren(failure(error)));
  refresh(list, 5, load);
}
