// The delivery ledger, and why receivers were or were not notified of an alert.
import { el, api, notice, notifierAPI, labelChips, formatDuration, refresh, redraw, delayed, field, keptDetails, table, facts } from "./dom.js";
import { failure, matcherField, silenceAddress, matchersOf, splitMatchers } from "./notifier.js";

/// Deliveries that are asked for at first and more with each press; the server gives 5000 at most.
const page = 50;
const mostShown = 5000;

const outcomeClass = { delivered: "good", accepted: "good", failed: "bad", refused: "bad" };
const badge = (text) => el("span", { class: `badge ${outcomeClass[text] ?? "plain"}` }, text);
const day = (text) => text.slice(0, 10);
const time = (text) => el("span", { title: text }, el("span", { class: "whole" }, day(text)), " ", el("span", { class: "whole" }, `${text.slice(11, 19)} UTC`));

/// A text whose words do not break if they are short, except behind a hyphen.
const words = (text) => (text.match(/[^\s-]+-?|[\s-]+/g) ?? []).map((word) => (/^\S{1,30}$/.test(word) ? el("span", { class: "whole" }, word) : word));

function attempts(delivery, open) {
  const log = delivery.attemptLog;
  const key = JSON.stringify([delivery.time, delivery.receiver, delivery.integration, delivery.groupKey]);
  const last = log.at(-1);
  const summary = facts(`${delivery.attempts} attempt${delivery.attempts === 1 ? "" : "s"}`, last?.status && `status ${last.status}`, last && formatDuration(last.latencySeconds));
  if (!log.length) return el("div", {}, summary, delivery.error && notice("bad", delivery.error));
  const left = delivery.attempts - log.length;
  return keptDetails(key, open, {}, el("summary", { "data-key": key }, words(summary)), log.map((attempt) => el("div", { class: "attempt" },
    el("div", {}, badge(attempt.outcome), " ", el("span", { class: "soft" }, words(facts(`${attempt.time.slice(11, 23).replace("Z", "")} UTC`, attempt.status && `status ${attempt.status}`, `after ${formatDuration(attempt.latencySeconds)}`)))),
    attempt.error && el("div", {}, attempt.error),
    attempt.answer && el("pre", { class: "excerpt" }, attempt.answer))),
  left > 0 && el("p", { class: "soft" }, `${left} attempts between them were not kept.`));
}

const counts = (delivery) => facts(delivery.firingCount && `${delivery.firingCount} firing`, delivery.resolvedCount && `${delivery.resolvedCount} resolved`);

const ledgerTable = (deliveries, open) => table(["Time", "Receiver", "Group", "Reason", "Outcome", "Attempts"], deliveries.map((delivery) => [
  time(delivery.time),
  [el("b", {}, words(delivery.receiver)), el("div", { class: "soft" }, words(delivery.integration))],
  [el("span", { class: "mono" }, words(delivery.groupKey)), el("div", { class: "soft" }, words(counts(delivery)))],
  words(delivery.reason), badge(delivery.outcome), attempts(delivery, open)]));

/// One alert with the sentences about it.
function explained(alert) {
  const stateClass = { firing: "bad", resolved: "good", past: "plain" };
  return el("section", { class: "card" },
    el("div", { class: "row" }, el("h2", {}, alert.labels.alertname ?? "Alert"), el("span", { class: `badge ${stateClass[alert.state] ?? "plain"}` }, alert.state),
      el("span", { class: "spacer" }), alert.state === "firing" && el("a", { class: "button", href: silenceAddress(matchersOf(alert.labels)) }, "Silence")),
    el("div", {}, labelChips(alert.labels, ["alertname"])), sentences(alert.steps),
    alert.history?.length > 0 && el("details", {}, el("summary", { class: "soft" }, "Changes of its state"),
      table(["Time", "State", "Group", "Cause"], alert.history.map((change) => [
        time(change.time), words(change.state), el("span", { class: "mono" }, words(change.groupKey)), words(change.causes.join(", "))]))));
}

const sentences = (steps) => el("ol", { class: "steps" }, steps.map((step) => el("li", {}, step.sentence,
  step.kind === "silenced" && step.silence && [" ", el("a", { href: `silences?id=${encodeURIComponent(step.silence)}` }, "Show the silence")])));

/// The question "why", with its answer below it.
function explanation(text) {
  const answer = el("div");
  const search = matcherField(text, { name: "why" });
  let turn = 0;
  const ask = async () => {
    const now = ++turn;
    const filter = splitMatchers(search.value);
    history.replaceState(null, "", filter.length ? `?${new URLSearchParams({ why: search.value })}` : location.pathname);
    if (!filter.length) return answer.replaceChildren();
    try {
      const { data, infos } = await api("notifications/why", { filter });
      if (now !== turn) return;
      answer.replaceChildren(...(infos ?? []).map((info) => notice("plain", info)), ...data.alerts.map(explained),
        ...(data.steps.length ? [el("section", { class: "card" }, sentences(data.steps))] : []));
    } catch (error) {
      if (now === turn) answer.replaceChildren(failure(error));
    }
  };
  ask();
  const send = (event) => {
    event.preventDefault();
    ask();
  };
  return el("div", {}, el("form", { class: "row", style: "margin-bottom:14px", onsubmit: send, role: "search" }, search, el("button", { class: "main" }, "Explain")), answer);
}

export function notificationsPage(main) {
  const query = new URLSearchParams(location.search);
  const list = el("div");
  const open = new Set();
  const names = el("datalist", { id: "receivers" });
  const search = matcherField("", { name: "filter" });
  const receiver = el("input", { type: "search", name: "receiver", list: "receivers", size: 18, spellcheck: "false", autocapitalize: "off" });
  const outcome = el("select", { name: "outcome" }, [["", "all"], ["delivered", "delivered"], ["failed", "failed"]].map(([value, text]) => el("option", { value }, text)));
  let limit = page;
  let turn = 0;
  const load = async () => {
    const now = ++turn;
    try {
      const { data: { deliveries } } = await api("notifications/ledger", { filter: splitMatchers(search.value), receiver: receiver.value, outcome: outcome.value, limit });
      if (now !== turn) return;
      const isFiltered = search.value || receiver.value || outcome.value;
      redraw(list, deliveries.length ? [el("section", { class: "card" }, ledgerTable(deliveries, open)),
        deliveries.length >= limit && limit < mostShown && el("button", { "data-key": "more", onclick: more }, "Show more")]
        : [el("p", { class: "soft" }, isFiltered ? "No notification matches." : "There are no notifications yet.")]);
    } catch (error) {
      if (now === turn) redraw(list, [failure(error)]);
    }
  };
  const more = () => {
    limit = Math.min(mostShown, limit + 2 * page);
    load();
  };
  const filter = delayed(() => {
    limit = page;
    load();
  });
  for (const input of [search, receiver, outcome]) input.addEventListener("input", filter);
  notifierAPI("receivers").then((all) => names.append(...all.map(({ name }) => el("option", { value: name }))), () => {});
  main.append(el("h1", {}, "Notifications"),
    el("h2", { class: "part" }, "Why was somebody notified, or not?"), explanation(query.get("why") ?? ""),
    el("h2", { class: "part" }, "Deliveries"),
    el("div", { class: "row fields", style: "margin-bottom:14px" }, field("Matchers of an alert", search, { class: "field wide" }), field("Receiver", receiver), field("Outcome", outcome)), names, list);
  refresh(list, 15, load);
}
