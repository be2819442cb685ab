// Routing between the pages, the navigation, the banner, the theme.
import { el, notice } from "./dom.js";
import { queryPage } from "./query.js";
import { alertsPage, rulesPage } from "./alerts.js";
import { groupsPage } from "./groups.js";
import { silencesPage } from "./silences.js";
import { notificationsPage } from "./notifications.js";
import { targetsPage, discoveryPage } from "./targets.js";
import { statusPage, flagsPage, configPage, tsdbPage } from "./status.js";

const pages = [
  ["query", "Query", queryPage],
  ["alerts", "Alerts", alertsPage],
  ["alert-groups", "Alert groups", groupsPage],
  ["silences", "Silences", silencesPage],
  ["notifications", "Notifications", notificationsPage],
  ["rules", "Rules", rulesPage],
  ["targets", "Targets", targetsPage],
  ["service-discovery", "Discovery", discoveryPage],
  ["tsdb-status", "Store", tsdbPage],
  ["status", "Status", statusPage],
  ["flags", "Flags", flagsPage],
  ["config", "Configuration", configPage],
];

const base = new URL(document.baseURI).pathname;
const main = document.getElementById("page");
const banner = document.getElementById("banner");
/// Whether the API has answered since the document was loaded; before that, pages would show errors only.
let answers = false;

function show() {
  const path = location.pathname.slice(base.length).replace(/\/$/, "") || "query";
  const [name, title, page] = pages.find(([name]) => name === path) ?? pages[0];
  document.title = `${title} · ${document.title.split(" · ").pop()}`;
  document.getElementById("nav").replaceChildren(
    ...pages.map(([key, label]) => el("a", { href: key, class: key === name ? "here" : "" }, label)));
  main.replaceChildren();
  if (answers) page(main);
}

/// Sentences about a state that somebody should know: what `-/ready` says and the notifications, or why nothing answers.
function news(ready, readyText, notes, body) {
  if (ready?.headers.get("X-Prometheus-Stopping") === "true") return ["martlet is shutting down."];
  const reason = ready?.status === 503 ? readyText.replace("Service Unavailable: ", "").trim() : "";
  if (notes?.status === 503 && !ready?.ok) return [`martlet is not ready yet: ${reason || "starting up"}.`];
  if (!notes?.ok) return [`martlet does not answer${notes ? `: HTTP ${notes.status}` : ""}.`];
  const texts = (body?.data ?? []).map((note) => note.text);
  // A notification may have the same reason in a sentence.
  const warnings = [reason, ...[...readyText.matchAll(/^Warning: (.*)$/gm)].map((match) => match[1].replace(/\.$/, ""))];
  return [...warnings.filter((text) => text && !texts.some((other) => other.includes(text))), ...texts];
}

/// Shows the page as soon as the API answers, and in the banner what is wrong: again every few seconds.
async function watch() {
  if (!answers || !document.hidden) {
    const [ready, notes] = await Promise.all(["-/ready", "api/v1/notifications"]
      .map((path) => fetch(path, { signal: AbortSignal.timeout(10000) }).catch(() => null)));
    const [readyText, body] = await Promise.all([ready?.text().catch(() => "") ?? "", notes?.json().catch(() => null)]);
    const text = news(ready, readyText, notes, body).join("\n");
    if (banner.textContent !== text) banner.replaceChildren(...(text ? [notice("warn", text)] : []));
    if (!answers && (ready?.ok || notes && ![502, 503, 504].includes(notes.status))) {
      answers = true;
      show();
    }
  }
  setTimeout(watch, answers ? 5000 : 1000);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || link.target || link.origin !== location.origin) return;
  const path = new URL(link.href).pathname.slice(base.length);
  if (!pages.some(([name]) => name === path)) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  show();
});
addEventListener("popstate", show);

const theme = (name) => document.documentElement.setAttribute("data-theme", name);
theme(localStorage.getItem("theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
document.getElementById("theme").addEventListener("click", () => {
  const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  localStorage.setItem("theme", next);
  theme(next);
});

show();
watch();
