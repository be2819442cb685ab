// Alerts by state, and the health of all rules.
import { el, api, notice, labelChips, facts, ago, formatDuration, refresh, redraw, table, toggles } from "./dom.js";
import { alertLinks, hasNotifier } from "./notifier.js";

const stateClass = { inactive: "good", pending: "warn", firing: "bad", unknown: "plain" };
const healthClass = { ok: "good", err: "bad", unknown: "plain" };

const queryLink = (expression) => el("a", { href: `query?g0.expr=${encodeURIComponent(expression)}&g0.tab=table` }, el("code", {}, expression));

/// How long a condition must hold, and how long an alert outlives it.
const holds = (rule) => [rule.duration && `for ${formatDuration(rule.duration)}`, rule.keepFiringFor && `keep firing for ${formatDuration(rule.keepFiringFor)}`];

const filter = (words) => el("input", { placeholder: `Filter by ${words}`, size: 30, type: "search" });

export function alertsPage(main) {
  const states = new Set();
  const search = filter("name or label");
  const list = el("div");
  const open = new Set();
  let groups = [];
  let links = () => null;
  const draw = () => {
    const words = search.value.toLowerCase();
    const cards = groups.map((group) => {
      const rules = group.rules.filter((rule) => rule.type === "alerting" && (!states.size || states.has(rule.state))
        && (!words || JSON.stringify([rule.name, rule.labels, rule.alerts?.map((a) => a.labels)]).toLowerCase().includes(words)));
      return rules.length ? el("section", { class: "card" },
        el("div", { class: "row" }, el("h2", {}, group.name), el("span", { class: "soft" }, group.file)),
        rules.map((rule) => alertNode(group, rule, open, links))) : null;
    }).filter(Boolean);
    redraw(list, cards.length ? cards : [el("p", { class: "soft" }, groups.length ? "No alert matches." : "No alerting rules.")]);
  };
  search.addEventListener("input", draw);
  main.append(el("h1", {}, "Alerts"), el("div", { class: "row", style: "margin-bottom:14px" },
    toggles(["firing", "pending", "inactive"], states, draw), search), list);
  refresh(list, 5, async () => {
    try {
      groups = (await api("rules", { type: "alert" })).data.groups;
      if (await hasNotifier()) links = alertLinks;
      draw();
    } catch (error) {
      list.replaceChildren(notice("bad", error.message));
    }
  });
}

function alertNode(group, rule, open, links) {
  const key = `${group.file};${group.name};${rule.name};${rule.query}`;
  const alerts = rule.alerts ?? [];
  return el("details", {
    open: open.has(key) || rule.state === "firing" && !open.has(`-${key}`), class: "alert",
    ontoggle: (event) => (event.target.open ? (open.add(key), open.delete(`-${key}`)) : (open.delete(key), open.add(`-${key}`))),
  },
  el("summary", {}, el("span", { class: `badge ${stateClass[rule.state] ?? "plain"}` }, `${rule.state}${alerts.length ? ` (${alerts.length})` : ""}`), " ",
    el("b", {}, rule.name), " ", rule.health === "err" && el("span", { class: "badge bad" }, "error")),
  el("div", {},
    el("div", {}, queryLink(rule.query)),
    el("div", { class: "soft" }, facts(...holds(rule), `evaluated ${ago(rule.lastEvaluation)} in ${formatDuration(rule.evaluationTime)}`)),
    el("div", {}, labelChips(rule.labels ?? {})),
    rule.lastError && notice("bad", rule.lastError),
    Object.entries(rule.annotations ?? {}).map(([name, value]) => el("div", {}, el("span", { class: "soft" }, `${name}: `), value)),
    alerts.length > 0 && table(["Labels", "State", "Active since", "Value"], alerts.map((alert) => [
      el("div", {}, labelChips(alert.labels, ["alertname"]), Object.entries(alert.annotations ?? {}).map(([name, value]) => el("div", { class: "soft" }, `${name}: ${value}`)), links(alert.labels)),
      el("span", { class: `badge ${stateClass[alert.state]}` }, alert.state), [{ class: "whole" }, [`${alert.activeAt.slice(0, 19).replace("T", " ")} UTC`, el("div", { class: "soft" }, ago(alert.activeAt))]],
      [{ class: "number mono" }, String(Number(alert.value))]]))));
}

export function rulesPage(main) {
  const healths = new Set();
  const search = filter("name, label, query");
  const list = el("div");
  let groups = [];
  const draw = () => {
    const words = search.value.toLowerCase();
    const cards = groups.map((group) => {
      const rules = group.rules.filter((rule) => (!healths.size || healths.has(rule.health))
        && (!words || JSON.stringify([group.name, rule.name, rule.query, rule.labels]).toLowerCase().includes(words)));
      return rules.length ? el("section", { class: "card" },
        el("div", { class: "row" }, el("h2", {}, group.name), el("span", { class: "soft" }, group.file), el("span", { class: "spacer" }),
          el("span", { class: "soft" }, `every ${formatDuration(group.interval)} · evaluated ${ago(group.lastEvaluation)} in ${formatDuration(group.evaluationTime)}`)),
        table(["Rule", "Health", "Last evaluation", "Duration"], rules.map((rule) => [
          el("div", {}, el("b", {}, rule.name), el("span", { class: "soft" }, ` ${rule.type}`), el("div", {}, queryLink(rule.query)),
            el("div", { class: "soft" }, facts(...holds(rule))), labelChips(rule.labels ?? {}), rule.lastError && notice("bad", rule.lastError)),
          el("span", { class: `badge ${healthClass[rule.health]}` }, rule.health), [{ class: "whole" }, ago(rule.lastEvaluation)], [{ class: "number" }, formatDuration(rule.evaluationTime)]]))) : null;
    }).filter(Boolean);
    list.replaceChildren(...(cards.length ? cards : [el("p", { class: "soft" }, groups.length ? "No rule matches." : "No rules are configured.")]));
  };
  search.addEventListener("input", draw);
  main.append(el("h1", {}, "Rules"), el("div", { class: "row", style: "margin-bottom:14px" },
    toggles(["ok", "err", "unknown"], healths, draw), search), list);
  refresh(list, 5, async () => {
    try {
      groups = (await api("rules")).data.groups;
      draw();
    } catch (error) {
      list.replaceChildren(notice("bad", error.message));
    }
  });
}
