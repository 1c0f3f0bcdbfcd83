// The network itself: is every reading accounted for? The sum, its verdict, and the vitals; a click shows the lines.
import { byId, el, refill } from "./dom.js";
import { age, number } from "./format.js";
import { t } from "./i18n.js";
import { badge } from "./marks.js";
import { now_ms, on, store } from "./state.js";
import { look, view } from "./view.js";

export const TERMS = ["stored", "queued", "dropped", "quarantined", "missing"];

/** Return produced minus everything it must equal: zero when every reading is accounted for. */
export const difference = (total) => total.produced - TERMS.reduce((sum, term) => sum + (total[term] ?? 0), 0);

export function verdict(total) {
  const off = difference(total);
  return off === 0
    ? el("span", { class: "verdict good" }, "✓ ", t("balanced"))
    : el("span", { class: "verdict bad" }, "✗ ", t("unbalanced", { n: number(off) }));
}

function sum(total) {
  const terms = TERMS.map((term, index) => {
    const count = el("b", {}, number(total[term] ?? 0));
    count.dataset.sign = index ? "+" : "=";
    return el("div", {}, t(term), count);
  });
  return el("div", { class: "sum" },
    el("div", { class: "made" }, el("span", { class: "soft" }, t("produced")), el("b", {}, number(total.produced)), verdict(total)),
    el("div", { class: "terms" }, terms));
}

function vital(name, value, of = "") {
  return el("div", {}, el("b", {}, value, of ? el("small", {}, of) : ""), t(name));
}

/** One gateway in a line: for the phone, whose network page has the room. */
function post({ gateway, state, time_ms }) {
  return el("li", {}, badge(state === "ok" ? "ok" : "silent"), gateway, el("span", {}, `${t(state)} · ${t("ago", { age: age(now_ms() - time_ms) })}`));
}

function draw() {
  const { ledger, gateways, quarantined } = store;
  const known = ledger && (ledger.produced > 0 || gateways.length > 0);
  const ok = gateways.filter((gateway) => gateway.state === "ok").length;
  document.documentElement.dataset.balanced = known ? String(difference(ledger) === 0) : "";
  refill(byId("network"), el("button", { type: "button", class: "whole", click: () => look({ panel: view.panel === "network" ? "" : "network" }) },
    el("h2", {}, t("network"), el("span", { class: "more" }, t("details"))),
    known ? sum(ledger) : el("div", { class: "none" }, t("no_ledger")),
    el("div", { class: "vitals" },
      vital("gateways", number(ok), `/ ${number(gateways.length)}`),
      vital("queue", known ? number(ledger.queued) : "–"),
      vital("quarantined", number(quarantined)),
      vital("missing", known ? number(ledger.missing) : "–"))),
  el("ul", { class: "posts" }, gateways.map(post)));
}

export function start() {
  draw();
  on("network", draw);
  on("view", (changes) => { if ("lang" in changes) draw(); });
}
