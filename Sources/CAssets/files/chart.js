// Draws a range result over time with dygraphs.
import { el, seriesText, formatTime } from "./dom.js";

const colours = ["#2f6fed", "#e0662b", "#1f9d6b", "#b23fc2", "#c9a200", "#d6336c", "#138a9e", "#7a5cf0", "#7d8b1e", "#9a5b3b"];
export const colour = (index) => index < colours.length ? colours[index] : `hsl(${(index * 137.5) % 360} 60% 52%)`;

/// A number with few digits and a prefix for its size.
export function short(value) {
  if (value == null || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 1e-3 || size >= 1e15) return value.toExponential(2);
  for (const [limit, prefix] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (size >= limit) return `${+(value / limit).toPrecision(4)}${prefix}`;
  }
  return String(+value.toPrecision(4));
}

/// Shows `result` (a matrix) between `start` and `end` in `holder`; `onZoom(start, end)` in seconds.
export function chart(holder, result, { start, end, step, stacked, fromZero, onZoom }) {
  const shown = result.slice(0, 200);
  const steps = Math.floor((end - start) / step + 1e-9) + 1;
  const rows = Array.from({ length: steps }, (_, i) => [new Date((start + i * step) * 1000)]);
  for (const [at, series] of shown.entries()) {
    for (const row of rows) row[at + 1] = stacked ? 0 : null;
    for (const [time, value] of series.values ?? []) {
      const row = rows[Math.round((time - start) / step)];
      const number = Number(value.replace("Inf", "Infinity"));
      if (row) row[at + 1] = Number.isFinite(number) ? number : null;
    }
  }
  const box = el("div", { class: "chart" });
  const tip = el("div", { class: "tip", hidden: true });
  const frame = el("div", { style: "position: relative" }, box, tip);
  const legend = el("div", { class: "legend mono" });
  holder.replaceChildren(frame, legend);
  const names = shown.map((series) => seriesText(series.metric));
  const style = getComputedStyle(document.documentElement);
  const graph = new Dygraph(box, rows, {
    labels: ["time", ...names.map((name, i) => `${i}\u0000${name}`)], colors: shown.map((_, i) => colour(i)),
    legend: "never", labelsUTC: true, stackedGraph: stacked, includeZero: stacked || fromZero, connectSeparatedPoints: false,
    strokeWidth: 1.6, gridLineColor: style.getPropertyValue("--line"), axisLineColor: style.getPropertyValue("--line"),
    drawPoints: steps < 3, pointSize: 2.5, highlightCircleSize: 3, isZoomedIgnoreProgrammaticZoom: true,
    highlightSeriesOpts: shown.length > 1 ? { strokeWidth: 2.6 } : null,
    axes: { x: { axisLabelWidth: 72 }, y: { axisLabelFormatter: short, axisLabelWidth: 62 } },
    highlightCallback: (event, x, points, row, name) => {
      const point = points.find((p) => p.name === name) ?? points[0];
      if (!point) return;
      const index = Number(point.name.split("\u0000")[0]);
      const value = rows[row]?.[index + 1];
      tip.replaceChildren(el("div", { class: "soft" }, formatTime(x / 1000), " UTC"), el("b", {}, String(value ?? "–")),
        el("div", { class: "mono" }, names[index]));
      tip.hidden = false;
      const left = point.canvasx > box.clientWidth / 2;
      tip.style.left = left ? "" : `${point.canvasx + 14}px`;
      tip.style.right = left ? `${box.clientWidth - point.canvasx + 14}px` : "";
      tip.style.top = `${Math.max(0, point.canvasy - 30)}px`;
    },
    unhighlightCallback: () => (tip.hidden = true),
    zoomCallback: (from, to) => {
      if (from > start * 1000 || to < end * 1000) onZoom?.(from / 1000, to / 1000);
    },
  });
  const visible = shown.map(() => true);
  legend.append(...shown.map((series, i) => {
    const last = series.values?.at(-1)?.[1];
    return el("div", {
      title: "Click: only this one. Ctrl-click: switch it on or off.",
      onclick: (event) => {
        const alone = visible.every((on, j) => on === (j === i));
        visible.forEach((on, j) => (visible[j] = event.ctrlKey || event.metaKey ? (j === i ? !on : on) : alone || j === i));
        graph.setVisibility(visible.map((on, j) => [j, on]).reduce((all, [j, on]) => ({ ...all, [j]: on }), {}), false);
        [...legend.children].forEach((row, j) => row.classList?.toggle("off", visible[j] === false));
      },
    }, el("i", { style: `background:${colour(i)}` }), el("span", {}, names[i]),
    el("span", { class: "soft whole", style: "margin-left:auto" }, last == null ? "" : short(Number(last))));
  }));
  if (result.length > shown.length) {
    legend.append(el("p", { class: "soft" }, `${result.length - shown.length} more series are not drawn: aggregate or select fewer.`));
  }
}
