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

const facts = (title, object) => el("section", { class: "card" }, el("h2", {}, title),
  table(["", ""], Object.entries(object).map(([name, value]) => [name, el("span", { class: "mono" }, String(value))])));

export const statusPage = (main) => show(main, "Status", async () => {
  const [runtime, build] = await Promise.all([api("status/runtimeinfo"), api("status/buildinfo")]);
  return el("div", { class: "grid" }, facts("Build", build.data), facts("Runtime", runtime.data));
});

export const flagsPage = (main) => show(main, "Flags", async () => {
  const flags = Object.entries((await api("status/flags")).data);
  const search = el("input", { type: "search", placeholder: "Filter", size: 30 });
  const card = el("section", { class: "card" });
  const draw = () => card.replaceChildren(table(["Flag", "Value"], flags
    .filter(([name, value]) => `${name} ${value}`.toLowerCase().includes(search.value.toLowerCase()))
    .map(([name, value]) => [el("code", {}, `--${name}`), el("span", { class: "mono" }, value)])));
  search.addEventListener("input", draw);
  draw();
  return [el("div", { class: "row", style: "margin-bottom:14px" }, search), card];
});

export const configPage = (main) => show(main, "Configuration", async () => {
  const { yaml } = (await api("status/config")).data;
  return el("section", { class: "card" }, el("button", { style: "margin-bottom:10px", onclick: () => navigator.clipboard.writeText(yaml) }, "Copy"), el("pre", {}, yaml));
});

export const tsdbPage = (main) => show(main, "Store", async () => {
  const { data } = await api("status/tsdb");
  const time = (ms) => (Math.abs(ms) < 8.6e15 && data.headStats.numSeries ? new Date(ms).toISOString() : "–");
  const head = data.headStats;
  const top = (title, rows) => el("section", { class: "card" }, el("h2", {}, title),
    table(["Name", ""], rows.map(({ name, value }) => [el("span", { class: "mono" }, name), [{ class: "number mono" }, value.toLocaleString("en")]])));
  return [facts("Head", { series: head.numSeries, "label pairs": head.numLabelPairs, chunks: head.chunkCount, "oldest sample": time(head.minTime), "newest sample": time(head.maxTime) }),
    el("div", { class: "grid" }, top("Metric names with most series", data.seriesCountByMetricName), top("Label names with most values", data.labelValueCountByLabelName),
      top("Label names that take most memory (bytes)", data.memoryInBytesByLabelName), top("Label pairs with most series", data.seriesCountByLabelValuePair))];
});
