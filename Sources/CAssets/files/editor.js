// The expression field with completion of metric names, label names and values, functions and keywords.
import { el, api } from "./dom.js";

const functions = `abs absent absent_over_time acos acosh asin asinh atan atanh avg_over_time ceil changes clamp clamp_max
clamp_min cos cosh count_over_time day_of_month day_of_week day_of_year days_in_month deg delta deriv exp
first_over_time floor histogram_avg histogram_count histogram_fraction histogram_quantile histogram_stddev
histogram_stdvar histogram_sum hour idelta increase info irate label_join label_replace last_over_time ln log10 log2
max_over_time min_over_time minute month pi predict_linear present_over_time quantile_over_time rad rate resets round
scalar sgn sin sinh sort sort_desc sqrt stddev_over_time stdvar_over_time sum_over_time tan tanh time timestamp vector
year`.split(/\s+/);
const aggregations = "sum avg count min max group stddev stdvar topk bottomk count_values quantile".split(" ");
const keywords = "by without on ignoring group_left group_right bool offset and or unless atan2".split(" ");

let names;
/// Names of all metrics, asked for once a minute at most.
async function metricNames() {
  if (!names || Date.now() - names.at > 60000) {
    names = { at: Date.now(), list: api("label/__name__/values").then((body) => body.data, () => []) };
  }
  return names.list;
}

/// What the text before the cursor calls for: { start, options: [text, hint] }.
async function complete(text) {
  const value = text.match(/([A-Za-z_][\w]*)\s*(=|!=|=~|!~)\s*"([^"]*)$/);
  if (value) {
    const selector = selectorBefore(text);
    const body = await api(`label/${value[1]}/values`, { "match[]": selector, limit: 200 }).catch(() => null);
    return { start: text.length - value[3].length, word: value[3], options: (body?.data ?? []).map((v) => [v, value[1]]) };
  }
  const word = text.match(/[A-Za-z_:][\w:]*$/)?.[0] ?? "";
  const start = text.length - word.length;
  const open = Math.max(text.lastIndexOf("{"), text.search(/(by|without|on|ignoring|group_left|group_right)\s*\([^)]*$/));
  const inBraces = text.lastIndexOf("{") > text.lastIndexOf("}");
  if (inBraces || (open >= 0 && /\([^)]*$/.test(text.slice(open)) && open > text.lastIndexOf("{"))) {
    const body = await api("labels", { "match[]": inBraces ? selectorBefore(text) : "", limit: 300 }).catch(() => null);
    return { start, word, options: (body?.data ?? []).filter((l) => l !== "__name__").map((l) => [l, "label"]) };
  }
  if (word.length < 1) return { start, word, options: [] };
  return {
    start, word,
    options: [...functions.map((f) => [f, "function"]), ...aggregations.map((a) => [a, "aggregation"]),
      ...keywords.map((k) => [k, "keyword"]), ...(await metricNames()).map((n) => [n, "metric"])],
  };
}

/// The metric whose braces are open at the end of the text, as a selector; empty if there is none.
function selectorBefore(text) {
  const name = text.slice(0, text.lastIndexOf("{")).match(/[A-Za-z_:][\w:]*$/)?.[0];
  return name ? `{__name__="${name}"}` : "";
}

/// How well `option` fits `word`: the lower the better, -1 for not at all.
function rank(option, word) {
  const at = option.toLowerCase().indexOf(word.toLowerCase());
  return at < 0 ? -1 : at * 100 + option.length;
}

/// An editor that calls `run` on Enter; returns { node, value() , set(text) }.
export function editor(text, run) {
  const area = el("textarea", {
    rows: 1, spellcheck: "false", autocomplete: "off", "aria-label": "PromQL expression",
    placeholder: "Expression (Enter runs, Shift+Enter makes a new line)",
  });
  const list = el("div", { class: "suggestions", hidden: true, role: "listbox" });
  let current = { options: [], index: 0 };
  let turn = 0;
  const fit = () => {
    area.style.height = "auto";
    area.style.height = `${Math.min(300, area.scrollHeight + 2)}px`;
  };
  const close = () => {
    list.hidden = true;
    current = { options: [], index: 0 };
  };
  const accept = (option) => {
    const end = area.selectionStart;
    const suffix = option[1] === "function" || option[1] === "aggregation" ? "(" : "";
    area.setRangeText(option[0] + suffix, current.start, end, "end");
    close();
    fit();
    area.focus();
  };
  const paint = () => {
    list.replaceChildren(...current.options.map((option, i) =>
      el("div", {
        role: "option", "aria-selected": String(i === current.index),
        onmousedown: (event) => {
          event.preventDefault();
          accept(option);
        },
      }, el("code", {}, option[0]), el("span", {}, option[1]))));
    list.hidden = current.options.length === 0;
    list.children[current.index]?.scrollIntoView({ block: "nearest" });
  };
  const suggest = async () => {
    const mine = ++turn;
    const found = await complete(area.value.slice(0, area.selectionStart));
    if (mine !== turn || document.activeElement !== area) return;
    const ranked = found.options.map((option) => [rank(option[0], found.word), option]).filter(([r]) => r >= 0)
      .sort((a, b) => a[0] - b[0]).slice(0, 60).map(([, option]) => option);
    current = { start: found.start, options: ranked.length === 1 && ranked[0][0] === found.word ? [] : ranked, index: 0 };
    paint();
  };
  area.addEventListener("input", () => {
    fit();
    suggest();
  });
  area.addEventListener("blur", close);
  area.addEventListener("keydown", (event) => {
    const open = !list.hidden;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      if (open && current.picked) accept(current.options[current.index]);
      else {
        close();
        turn++;
        run();
      }
    } else if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      const n = current.options.length;
      current.index = (current.index + (event.key === "ArrowDown" ? (current.picked ? 1 : 0) : n - 1)) % n;
      current.picked = true;
      paint();
    } else if (open && event.key === "Tab") {
      event.preventDefault();
      accept(current.options[current.index]);
    } else if (event.key === "Escape") {
      if (open) close();
      else area.blur();
    }
  });
  area.value = text;
  setTimeout(fit);
  return {
    node: el("div", { class: "editor" }, area, list),
    value: () => area.value.trim(),
    set: (value) => {
      area.value = value;
      fit();
    },
    focus: () => area.focus(),
  };
}
