// The query page: panels with an expression each, as a table or a graph; the URL holds the state.
import { el, api, notice, seriesText, parseDuration, formatDuration, parseTime, formatTime } from "./dom.js";
import { editor } from "./editor.js";
import { chart } from "./chart.js";

const ranges = [1, 10, 60, 300, 900, 1800, 3600, 7200, 21600, 43200, 86400, 172800, 604800, 1209600, 2419200, 4838400, 9676800, 15724800, 31536000, 63072000];
const densities = { low: 100, medium: 250, high: 750 };

/// The panels that the URL describes, in Prometheus's parameters.
function readPanels() {
  const query = new URLSearchParams(location.search);
  const panels = [];
  for (let i = 0; query.has(`g${i}.expr`); i++) {
    const get = (name, standard) => query.get(`g${i}.${name}`) ?? standard;
    const tab = { 0: "graph", 1: "table" }[get("tab")] ?? get("tab", "table");
    panels.push({
      expr: get("expr"), tab: tab === "graph" ? "graph" : "table", range: parseDuration(get("range_input", "1h")) ?? 3600,
      end: get("end_input") ? parseTime(get("end_input")) : null, moment: get("moment_input") ? parseTime(get("moment_input")) : null,
      type: get("step_input") ? "custom" : get("res_type", "auto"), density: get("res_density", "medium"),
      step: Number(get("res_step", get("step_input", "15"))) || 15,
      stacked: get("display_mode", get("stacked") === "1" ? "stacked" : "lines") === "stacked", zero: get("y_axis_min") === "0",
    });
  }
  return panels.length ? panels : [blank()];
}

const blank = () => ({ expr: "", tab: "table", range: 3600, end: null, moment: null, type: "auto", density: "medium", step: 15, stacked: false, zero: false });

function writePanels(panels) {
  const query = new URLSearchParams();
  panels.forEach((panel, i) => {
    const set = (name, value) => query.set(`g${i}.${name}`, value);
    set("expr", panel.expr);
    set("tab", panel.tab);
    set("range_input", formatDuration(panel.range));
    if (panel.end) set("end_input", formatTime(panel.end));
    if (panel.moment) set("moment_input", formatTime(panel.moment));
    set("res_type", panel.type);
    if (panel.type === "auto") set("res_density", panel.density);
    else set("res_step", panel.step);
    set("display_mode", panel.stacked ? "stacked" : "lines");
    if (panel.zero) set("y_axis_min", "0");
  });
  const text = `?${query}`;
  if (text !== location.search) history.pushState(null, "", location.pathname + text);
}

export function queryPage(main) {
  const panels = readPanels();
  const list = el("div");
  const draw = () => list.replaceChildren(...panels.map((panel) => panelNode(panel, {
    changed: () => writePanels(panels),
    remove: panels.length > 1 ? () => {
      panels.splice(panels.indexOf(panel), 1);
      writePanels(panels);
      draw();
    } : null,
    duplicate: () => {
      panels.splice(panels.indexOf(panel) + 1, 0, { ...panel });
      writePanels(panels);
      draw();
    },
  })));
  draw();
  main.append(list, el("button", {
    onclick: () => {
      panels.push(blank());
      draw();
    },
  }, "Add panel"));
}

function panelNode(panel, { changed, remove, duplicate }) {
  let running = null;
  const status = el("span", { class: "soft" });
  const messages = el("div");
  const output = el("div");
  const controls = el("div", { class: "row" });
  const tabs = el("div", { class: "tabs", role: "tablist" });

  const run = async () => {
    panel.expr = field.value();
    changed();
    running?.abort();
    if (!panel.expr) return output.replaceChildren(el("p", { class: "soft" }, "Enter an expression to see data, for instance ", el("code", {}, "up"), "."));
    running = new AbortController();
    const { signal } = running;
    const began = performance.now();
    status.textContent = "…";
    messages.replaceChildren();
    try {
      const body = panel.tab === "graph" ? await graph(signal) : await instant(signal);
      const took = Math.round(performance.now() - began);
      const count = body.data.result?.length ?? 0;
      status.textContent = `${took} ms · ${["scalar", "string"].includes(body.data.resultType) ? 1 : count} series`
        + (body.data.stats ? ` · ${body.data.stats.samples.totalQueryableSamples} samples` : "");
      messages.append(...(body.warnings ?? []).map((text) => notice("warn", text)), ...(body.infos ?? []).map((text) => notice("plain", text)));
    } catch (error) {
      if (error.name === "AbortError") return;
      status.textContent = "";
      output.replaceChildren(notice("bad", error.message));
    }
  };

  async function instant(signal) {
    const body = await api("query", { query: panel.expr, time: panel.moment, stats: "true" }, signal);
    output.replaceChildren(resultTable(body.data));
    return body;
  }

  async function graph(signal) {
    const end = panel.end ?? Date.now() / 1000;
    const step = panel.type === "auto" ? Math.max(1, Math.floor(panel.range / densities[panel.density])) : panel.step;
    const start = end - panel.range;
    const body = await api("query_range", { query: panel.expr, start: start.toFixed(3), end: end.toFixed(3), step, stats: "true" }, signal);
    if (!body.data.result.length) output.replaceChildren(el("p", { class: "soft" }, "Empty result."));
    else {
      chart(output, body.data.result, {
        start: Number(start.toFixed(3)), end, step, stacked: panel.stacked, fromZero: panel.zero,
        onZoom: (from, to) => {
          panel.range = Math.max(1, Math.round(to - from));
          panel.end = Math.round(to);
          drawControls();
          run();
        },
      });
    }
    return body;
  }

  const change = (name, value) => {
    panel[name] = value;
    drawControls();
    run();
  };

  function timeInput(name) {
    return el("input", {
      placeholder: name === "end" ? "End: now (UTC)" : "Time: now (UTC)", size: 20, value: panel[name] ? formatTime(panel[name]) : "",
      title: "YYYY-MM-DD HH:mm:ss, UTC; empty for now",
      onchange: (event) => {
        const time = event.target.value.trim() ? parseTime(event.target.value) : null;
        event.target.setCustomValidity(event.target.value.trim() && time == null ? "YYYY-MM-DD HH:mm:ss" : "");
        if (event.target.reportValidity()) change(name, time);
      },
    });
  }

  function drawControls() {
    tabs.replaceChildren(...["table", "graph"].map((tab) => el("button", {
      role: "tab", "aria-selected": String(panel.tab === tab), onclick: () => change("tab", tab),
    }, tab === "table" ? "Table" : "Graph")), el("span", { class: "spacer" }), status);
    if (panel.tab === "table") return controls.replaceChildren(timeInput("moment"));
    const stepRange = (direction) => {
      const next = direction > 0 ? ranges.find((r) => r > panel.range) : ranges.findLast((r) => r < panel.range);
      if (next) change("range", next);
    };
    const resolution = el("select", {
      "aria-label": "Resolution",
      onchange: (event) => {
        const [type, value] = event.target.value.split(":");
        panel.type = type;
        if (type === "auto") change("density", value);
        else if (value) change("step", Number(value));
        else change("step", panel.step);
      },
    }, Object.keys(densities).map((name) => el("option", { value: `auto:${name}`, selected: panel.type === "auto" && panel.density === name }, `${name} resolution`)),
    [10, 30, 60, 300, 900, 3600].map((s) => el("option", { value: `fixed:${s}`, selected: panel.type === "fixed" && panel.step === s }, `step ${formatDuration(s)}`)),
    panel.type === "custom" ? el("option", { value: "custom:", selected: true }, `step ${formatDuration(panel.step)}`) : null);
    controls.replaceChildren(
      el("button", { onclick: () => stepRange(-1), title: "Shorter range" }, "−"),
      el("input", {
        size: 6, value: formatDuration(panel.range), "aria-label": "Range",
        onchange: (event) => {
          const range = parseDuration(event.target.value);
          event.target.setCustomValidity(range ? "" : "a duration, for instance 1h30m");
          if (event.target.reportValidity()) change("range", range);
        },
      }),
      el("button", { onclick: () => stepRange(1), title: "Longer range" }, "+"),
      el("button", { onclick: () => change("end", (panel.end ?? Date.now() / 1000) - panel.range / 2), title: "Earlier" }, "‹"),
      timeInput("end"),
      el("button", { onclick: () => change("end", Math.min(Date.now() / 1000, (panel.end ?? Date.now() / 1000) + panel.range / 2)), title: "Later" }, "›"),
      resolution,
      el("button", { "aria-pressed": String(panel.stacked), onclick: () => change("stacked", !panel.stacked) }, "Stacked"),
      el("button", { "aria-pressed": String(panel.zero), onclick: () => change("zero", !panel.zero) }, "From zero"));
  }

  const field = editor(panel.expr, run);
  const format = async () => {
    try {
      field.set((await api("format_query", { query: field.value() })).data);
    } catch (error) {
      messages.replaceChildren(notice("bad", error.message));
    }
  };
  drawControls();
  const node = el("section", { class: "card panel" },
    el("div", { class: "row", style: "align-items:flex-start" }, field.node, el("button", { class: "main", onclick: run }, "Run"),
      el("button", { class: "quiet", onclick: format, title: "Format the expression" }, "Format"),
      el("button", { class: "quiet", onclick: duplicate, title: "Duplicate this panel" }, "Copy"),
      remove && el("button", { class: "quiet", onclick: remove, title: "Remove this panel" }, "✕")),
    tabs, controls, messages, output);
  run();
  return node;
}

/// A table of an instant result of any type.
function resultTable(data) {
  const { resultType, result } = data;
  if (resultType === "scalar" || resultType === "string") return table_([[resultType, result[1]]]);
  if (!result.length) return el("p", { class: "soft" }, "Empty result.");
  const most = 10000;
  const rows = result.slice(0, most).map((series) => {
    const points = resultType === "matrix" ? series.values ?? [] : series.value ? [series.value] : [];
    const histograms = resultType === "matrix" ? series.histograms ?? [] : series.histogram ? [series.histogram] : [];
    const text = resultType === "matrix"
      ? [...points.map(([t, v]) => `${v} @${t}`), ...histograms.map(([t, h]) => `${histogramText(h)} @${t}`)].join("\n")
      : points.length ? points[0][1] : histogramText(histograms[0][1]);
    return [seriesText(series.metric), text];
  });
  return el("div", {}, table_(rows), result.length > most && el("p", { class: "soft" }, `${result.length - most} more series are not shown.`));
}

const table_ = (rows) => el("table", {}, el("tbody", {}, rows.map(([name, value]) =>
  el("tr", {}, el("td", { class: "mono" }, name), el("td", { class: "number mono lines" }, value)))));

const histogramText = (h) => `count ${h.count}, sum ${h.sum}\n` + (h.buckets ?? []).map(([kind, low, high, count]) =>
  `${kind === 1 || kind === 3 ? "[" : "("}${low}, ${high}${kind === 0 || kind === 3 ? "]" : ")"}: ${count}`).join("\n");
