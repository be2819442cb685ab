// The alerts of the notifier in their groups, with what suppresses them.
import { el, notifierAPI, labelChips, ago, refresh, redraw, delayed, keptDetails, table, toggles } from "./dom.js";
import { alertLinks, failure, groupAddress, matcherField, splitMatchers } from "./notifier.js";

/// The most groups that are shown, and the most alerts of one.
const mostGroups = 200;
const mostAlerts = 100;
const stateClass = { active: "bad", suppressed: "warn", unprocessed: "plain" };

const name = (labels) => labels.alertname ?? Object.entries(labels).map(([key, value]) => `${key}="${value}"`).join(", ");
/// A link in a sentence keeps the focus, too.
const named = (href, text, key) => el("a", { href, "data-key": key }, text);

/// Sentences about what suppresses an alert.
function reasons({ status, fingerprint }, { silences, alerts }) {
  return [
    ...status.silencedBy.map((id) => {
      const silence = silences.get(id);
      const text = silence ? silence.comment || id : id;
      return el("div", {}, "silenced: ", named(`silences?id=${encodeURIComponent(id)}`, text, `${fingerprint} ${id}`), silence?.createdBy && el("span", { class: "soft" }, ` by ${silence.createdBy}`));
    }),
    ...status.inhibitedBy.map((id) => {
      const source = alerts.get(id);
      return el("div", {}, "inhibited by ", source ? named(groupAddress(source.labels), name(source.labels), `${fingerprint} ${id}`) : `the alert ${id}`);
    }),
    ...status.mutedBy.map((interval) => el("div", {}, `muted by the time interval ${interval}`)),
  ];
}

function card(group, states, open, known) {
  const alerts = group.alerts.filter((alert) => !states.size || states.has(alert.status.state));
  if (!alerts.length) return null;
  const key = JSON.stringify([group.receiver.name, group.labels, group.routeLabels]);
  const labels = labelChips(group.labels);
  return el("section", { class: "card" },
    el("div", { class: "row" }, el("h2", {}, labels.length ? labels : "without group labels"), el("span", { class: "soft" }, "to the receiver ", el("b", {}, group.receiver.name)),
      el("span", { class: "spacer" }), el("span", { class: "soft" }, `${alerts.length} alert${alerts.length === 1 ? "" : "s"}`)),
    table(["Alert", "State", "Since", ""], alerts.slice(0, mostAlerts).map((alert) => [
      el("div", {}, el("b", {}, alert.labels.alertname ?? ""), " ", labelChips(alert.labels, ["alertname"]), annotations(alert, `${key} ${alert.fingerprint}`, open)),
      [el("span", { class: `badge ${stateClass[alert.status.state] ?? "plain"}` }, alert.status.state), reasons(alert, known)],
      [{ class: "whole", title: alert.startsAt }, ago(alert.startsAt)],
      alertLinks(alert.labels, key)])),
    alerts.length > mostAlerts && el("p", { class: "soft" }, `${alerts.length - mostAlerts} more alerts: use the filter.`));
}

function annotations(alert, key, open) {
  const all = Object.entries(alert.annotations ?? {});
  const line = ([name, value]) => el("div", {}, el("span", { class: "soft" }, `${name}: `), value);
  if (all.length < 3) return all.map(line);
  return [line(all[0]), keptDetails(key, open, {}, el("summary", { class: "soft", "data-key": `more ${key}` }, `${all.length - 1} more annotations`), all.slice(1).map(line))];
}

/// The silences and the inhibiting alerts that groups name.
async function causes(groups) {
  const all = groups.flatMap((group) => group.alerts);
  const alerts = new Map(all.map((alert) => [alert.fingerprint, alert]));
  const isSilenced = all.some((alert) => alert.status.silencedBy.length);
  const isMissing = all.some((alert) => alert.status.inhibitedBy.some((id) => !alerts.has(id)));
  const [silences, others] = await Promise.all([isSilenced ? notifierAPI("silences", { expired: "false", pending: "false" }) : [], isMissing ? notifierAPI("alerts") : []]);
  for (const alert of others) alerts.set(alert.fingerprint, alert);
  return { alerts, silences: new Map(silences.map((silence) => [silence.id, silence])) };
}

export function groupsPage(main) {
  const states = new Set();
  const open = new Set();
  const list = el("div");
  const search = matcherField(new URLSearchParams(location.search).get("filter") ?? "");
  let shown = { groups: [], known: null };
  let turn = 0;
  const draw = () => {
    const cards = shown.groups.slice(0, mostGroups).map((group) => card(group, states, open, shown.known)).filter(Boolean);
    const more = shown.groups.length - mostGroups;
    redraw(list, cards.length ? [...cards, more > 0 && el("p", { class: "soft" }, `${more} more groups: use the filter.`)]
      : [el("p", { class: "soft" }, shown.groups.length || search.value.trim() ? "No alert matches." : "No alert fires.")]);
  };
  const load = async () => {
    const now = ++turn;
    try {
      const groups = await notifierAPI("alerts/groups", { filter: splitMatchers(search.value) });
      const known = await causes(groups);
      // A slow answer to an older filter is too late.
      if (now !== turn) return;
      shown = { groups, known };
      draw();
    } catch (error) {
      if (now === turn) redraw(list, [failure(error)]);
    }
  };
  const filter = delayed(load);
  search.addEventListener("input", () => {
    history.replaceState(null, "", search.value ? `?${new URLSearchParams({ filter: search.value })}` : location.pathname);
    filter();
  });
  main.append(el("h1", {}, "Alert groups"),
    el("div", { class: "row", style: "margin-bottom:14px" }, toggles(["active", "suppressed"], states, draw), search), list);
  refresh(list, 5, load);
}
