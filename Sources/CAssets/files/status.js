// Build and runtime information, flags, configuration, the store's statistics.
import { el, api, notice, table } from "./dom.js";

async function show(main, title, make) {
  const holder = el("div");
  main.append(el("h1", {}, title), holder);
  try {
    holder.replaceChildren(...[await make()].flat());
  } catch (error) {
    holder.replaceChildren(notice("bad", error.message));
  }
}

const card = (title, rows) => el("section", { class: "card" }, el("h2", {}, title),
  table([], rows.map(([name, value]) => [name, el("span", { class: "mono" }, String(value))])));

const time = (text) => text.slice(0, 19).replace("T", " ") + " UTC";

// The API has fields of Go's runtime, too, which say nothing about martlet.
export const statusPage = (main) => show(main, "Status", async () => {
  const [{ data: runtime }, { data: build }] = await Promise.all([api("status/runtimeinfo"), api("status/buildinfo")]);
  return el("div", { class: "grid" }, card("Build", [
    ["Version", build.version], ["Revision", build.revision], ["Branch", build.branch], ["Built by", build.buildUser],
    ["Build date", build.buildDate], ["Compiler", build.goVersion],
  ]), card("Runtime", [
    ["Started", time(runtime.startTime)], ["Time of the server", time(runtime.serverTime)], ["Host", runtime.hostname],
    ["Working directory", runtime.CWD], ["Last reload of the configuration", runtime.reloadConfigSuccess ? "successful" : "failed"],
    ["Last successful reload", time(runtime.lastConfigTime)], ["Retention", runtime.storageRetention],
    ["Damaged records of the write-ahead log", runtime.corruptionCount], ["Processors", runtime.GOMAXPROCS],
  ]));
});

export const flagsPage = (main) => show(main, "Flags", async () => {
  const flags = Object.entries((await api("status/flags")).data);
  const search = el("input", { type: "search", placeholder: "Filter", size: 30 });
  const list = el("section", { class: "card" });
  const draw = () => list.replaceChildren(table(["Flag", "Value"], flags
    .filter(([name, value]) => `${name} ${value}`.toLowerCase().includes(search.value.toLowerCase()))
    .map(([name, value]) => [el("code", {}, `--${name}`), el("span", { class: "mono" }, value)])));
  search.addEventListener("input", draw);
  draw();
  return [el("div", { class: "row", style: "margin-bottom:14px" }, search), list];
});

export const configPage = (main) => show(main, "Configuration", async () => {
  const { yaml } = (await api("status/config")).data;
  return el("section", { class: "card" }, el("button", { style: "margin-bottom:10px", onclick: () => navigator.clipboard.writeText(yaml) }, "Copy"), el("pre", {}, yaml));
});

export const tsdbPage = (main) => show(main, "Store", async () => {
  const { data } = await api("status/tsdb");
  const when = (ms) => (Math.abs(ms) < 8.6e15 && data.headStats.numSeries ? time(new Date(ms).toISOString()) : "–");
  const head = data.headStats;
  const top = (title, rows) => el("section", { class: "card" }, el("h2", {}, title),
    table(["Name", "Number"], rows.map(({ name, value }) => [el("span", { class: "mono" }, name), [{ class: "number mono" }, value.toLocaleString("en")]])));
  return [card("Head", [["Series", head.numSeries], ["Label pairs", head.numLabelPairs], ["Chunks", head.chunkCount],
    ["Oldest sample", when(head.minTime)], ["Newest sample", when(head.maxTime)]]),
    el("div", { class: "grid" }, top("Metric names with most series", data.seriesCountByMetricName), top("Label names with most values", data.labelValueCountByLabelName),
      top("Label names that take most memory (bytes)", data.memoryInBytesByLabelName), top("Label pairs with most series", data.seriesCountByLabelValuePair))];
});
