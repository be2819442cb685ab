// The health of scrape targets, and what discovery found.
import { el, api, notice, whole, labelChips, ago, formatDuration, refresh, table } from "./dom.js";

const healthClass = { up: "good", down: "bad", unknown: "plain" };

function byPool(targets) {
  const pools = new Map();
  for (const target of targets) pools.set(target.scrapePool, [...(pools.get(target.scrapePool) ?? []), target]);
  return pools;
}

// A scheme comes from relabelling: only what a browser opens as a page becomes a link.
function endpoint(t) {
  const url = t.globalUrl ?? t.scrapeUrl;
  return /^https?:\/\//i.test(url) ? el("a", { href: url, class: whole(t.scrapeUrl), target: "_blank", rel: "noreferrer" }, t.scrapeUrl) : t.scrapeUrl;
}

// Clients know the words of Prometheus; people want to know what took too long.
function failure(t) {
  const isLate = t.lastError.includes("context deadline exceeded");
  return isLate ? `${t.lastError} (no answer within ${t.scrapeTimeout}, the scrape_timeout)` : t.lastError;
}

export function targetsPage(main) {
  let targets = [];
  let health = "";
  const search = el("input", { type: "search", placeholder: "Filter by endpoint or label", size: 30 });
  const list = el("div");
  const draw = () => {
    const words = search.value.toLowerCase();
    const shown = targets.filter((t) => (!health || t.health === health) && (!words || JSON.stringify([t.scrapeUrl, t.labels]).toLowerCase().includes(words)));
    const cards = [...byPool(shown)].map(([pool, members]) => {
      const up = members.filter((t) => t.health === "up").length;
      return el("section", { class: "card" },
        el("div", { class: "row" }, el("h2", {}, pool), el("span", { class: `badge ${up === members.length ? "good" : "bad"}` }, `${up} of ${members.length} up`)),
        table(["Endpoint", "Labels", "State", "Last scrape", "Duration"], members.map((t) => [
          el("div", {}, endpoint(t), t.lastError && notice("bad", failure(t))),
          el("details", {}, el("summary", {}, labelChips(t.labels)), el("div", { class: "soft" }, "before relabelling"), labelChips(t.discoveredLabels)),
          el("span", { class: `badge ${healthClass[t.health]}` }, t.health),
          [{ class: "whole", title: `every ${t.scrapeInterval}, timeout ${t.scrapeTimeout}` }, ago(t.lastScrape)],
          [{ class: "number" }, formatDuration(t.lastScrapeDuration)]])));
    });
    list.replaceChildren(...(cards.length ? cards : [el("p", { class: "soft" }, targets.length ? "No target matches." : "No targets are configured.")]));
  };
  search.addEventListener("input", draw);
  main.append(el("h1", {}, "Targets"), el("div", { class: "row", style: "margin-bottom:14px" },
    el("select", {
      "aria-label": "State",
      onchange: (event) => {
        health = event.target.value;
        draw();
      },
    }, [["", "all states"], ["up", "up"], ["down", "down"], ["unknown", "unknown"]].map(([value, text]) => el("option", { value }, text))), search), list);
  refresh(list, 5, async () => {
    try {
      targets = (await api("targets", { state: "active" })).data.activeTargets;
      draw();
    } catch (error) {
      list.replaceChildren(notice("bad", error.message));
    }
  });
}

export function discoveryPage(main) {
  const list = el("div");
  main.append(el("h1", {}, "Service discovery"), list);
  refresh(list, 15, async () => {
    try {
      const { activeTargets, droppedTargets, droppedTargetCounts } = (await api("targets", { state: "any" })).data;
      const active = byPool(activeTargets);
      const dropped = byPool(droppedTargets ?? []);
      const pools = [...new Set([...active.keys(), ...dropped.keys(), ...Object.keys(droppedTargetCounts ?? {})])].sort();
      list.replaceChildren(...(pools.length ? pools.map((pool) => el("section", { class: "card" },
        el("div", { class: "row" }, el("h2", {}, pool), el("span", { class: "soft" }, `${active.get(pool)?.length ?? 0} active, ${droppedTargetCounts?.[pool] ?? 0} dropped`)),
        table(["Discovered labels", "Target labels"], [
          ...(active.get(pool) ?? []).map((t) => [labelChips(t.discoveredLabels), labelChips(t.labels)]),
          ...(dropped.get(pool) ?? []).slice(0, 200).map((t) => [labelChips(t.discoveredLabels), el("span", { class: "badge plain" }, "dropped by relabelling")]),
        ]))) : [el("p", { class: "soft" }, "No scrape jobs are configured.")]));
    } catch (error) {
      list.replaceChildren(notice("bad", error.message));
    }
  });
}
