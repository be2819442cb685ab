// Routing between the pages, the navigation, the theme.
import { el, notice } from "./dom.js";
import { queryPage } from "./query.js";
import { alertsPage, rulesPage } from "./alerts.js";
import { targetsPage, discoveryPage } from "./targets.js";
import { statusPage, flagsPage, configPage, tsdbPage } from "./status.js";

const pages = [
  ["query", "Query", queryPage],
  ["alerts", "Alerts", alertsPage],
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

function show() {
  const path = location.pathname.slice(base.length).replace(/\/$/, "") || "query";
  const [name, title, page] = pages.find(([name]) => name === path) ?? pages[0];
  document.title = `${title} · ${document.title.split(" · ").pop()}`;
  document.getElementById("nav").replaceChildren(
    ...pages.map(([key, label]) => el("a", { href: key, class: key === name ? "here" : "" }, label)));
  main.replaceChildren();
  page(main);
}

async function whenReady() {
  const response = await fetch("-/ready").catch(() => null);
  if (response?.ok) return show();
  const text = response?.headers.get("X-Prometheus-Stopping") === "true" ? "martlet is shutting down…"
    : response ? `martlet is not ready: ${(await response.text()).trim()}` : "martlet does not answer.";
  main.replaceChildren(notice("warn", text));
  setTimeout(whenReady, 1000);
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

whenReady();
