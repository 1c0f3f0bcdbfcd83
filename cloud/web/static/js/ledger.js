// The network's details: gateways, the ledger line of every node, and what lies in quarantine.
import * as api from "./api.js";
import { el, text } from "./dom.js";
import { openDrawer } from "./drawer.js";
import { age, moment, number } from "./format.js";
import { hexDump } from "./hex.js";
import { label, t } from "./i18n.js";
import { badge } from "./marks.js";
import { difference, TERMS, verdict } from "./network.js";
import { now_ms, store } from "./state.js";
import { look } from "./view.js";

const ROWS = 200;
const ENTRIES = 200;

function cells(line) {
  return ["produced", ...TERMS].map((term) => el("td", { class: line[term] ? "" : "zero" }, number(line[term] ?? 0)));
}

function ledgerRow(line, picked) {
  const node = store.nodes.get(line.node);
  const open = el("button", { type: "button", click: () => look({ node: line.node }) }, node ? label(node.label, line.node) : line.node);
  open.title = line.node;
  const off = difference(line);
  return el("tr", { class: line.node === picked ? "pick" : "" }, el("td", {}, open), ...cells(line),
    el("td", {}, off === 0 ? "✓" : el("span", { class: "cross" }, `✗ ${number(off)}`)));
}

const trouble = (line) => Math.abs(difference(line)) * 1e6 + (line.missing ?? 0) * 1e3 + (line.quarantined ?? 0) * 10 + (line.dropped ?? 0) * 10 + (line.queued ?? 0);

function ledgerTable(ledger, picked) {
  const body = el("tbody");
  const more = el("p", { class: "more-line" });
  const find = el("input", { class: "find", type: "search", placeholder: t("find_node"), ariaLabel: t("find_node"), value: picked });
  const lines = [...ledger.nodes].sort((a, b) => trouble(b) - trouble(a) || (a.node < b.node ? -1 : 1));
  const list = () => {
    const wanted = find.value.trim().toLowerCase();
    const found = lines.filter((line) => `${line.node} ${label(store.nodes.get(line.node)?.label)}`.toLowerCase().includes(wanted));
    body.replaceChildren(
      ...(wanted ? [] : [el("tr", { class: "total" }, el("td", {}, "Σ"), ...cells(ledger.total), el("td", {}, difference(ledger.total) === 0 ? "✓" : el("span", { class: "cross" }, "✗")))]),
      ...found.slice(0, ROWS).map((line) => ledgerRow(line, picked)));
    text(more, t("shown_of", { n: number(Math.min(ROWS, found.length)), total: number(found.length) }));
  };
  find.addEventListener("input", list);
  list();
  const head = el("tr", {}, ["node", "produced", ...TERMS].map((name) => el("th", { scope: "col" }, t(name))), el("th"));
  return [el("h3", {}, t("ledger"), verdict(ledger.total)), find, el("div", { class: "ledger-wrap" }, el("table", {}, el("thead", {}, head), body)), more];
}

function bytes(base64) {
  return Uint8Array.from(atob(base64 ?? ""), (letter) => letter.charCodeAt(0));
}

function entry(it) {
  const payload = bytes(it.payload_base64);
  const dump = hexDump(payload);
  return el("details", { class: "entry" },
    el("summary", {}, el("span", { class: "soft" }, moment(it.time_ms, now_ms())), el("span", {}, it.node ?? "–"),
      el("span", {}, it.reason), el("span", { class: "soft" }, t("entry_bytes", { n: number(payload.length) }))),
    el("p", {}, [it.detail, it.topic, it.gateway].filter(Boolean).join(" · ")),
    el("pre", {}, dump.text),
    dump.cut ? el("p", {}, t("entry_cut", { n: number(dump.cut) })) : null);
}

function quarantineList({ total, entries }) {
  const list = entries.length ? entries.map(entry) : [el("p", { class: "none" }, t("quarantine_empty"))];
  const more = total > entries.length ? el("p", { class: "more-line" }, t("shown_of", { n: number(entries.length), total: number(total) })) : null;
  return [el("h3", {}, t("quarantine"), el("span", {}, number(total))), ...list, more];
}

function gatewayTable(gateways) {
  const row = ({ gateway, state, time_ms, health = {} }) => el("tr", {}, el("td", {}, gateway),
    el("td", {}, el("span", { class: "state" }, badge(state === "ok" ? "ok" : "silent"), t(state))),
    el("td", {}, time_ms ? t("ago", { age: age(now_ms() - time_ms) }) : t("never")),
    el("td", { class: "soft" }, Object.entries(health).filter(([, value]) => typeof value !== "object").map(([name, value]) => `${word(name)} ${tidy(value)}`).join(" · ")));
  return gateways.length ? [el("h3", {}, t("gateways")), el("table", { class: "posts-table" }, el("tbody", {}, gateways.map(row)))] : [];
}

/** A health figure's name in words, or as the gateway calls it. */
const word = (name) => (t(`health_${name}`) === `health_${name}` ? name : t(`health_${name}`));
const tidy = (value) => (typeof value === "number" ? number(value, Number.isInteger(value) ? 0 : 2) : value === true || value === "ok" ? "✓" : value === false ? "✗" : String(value));

/** Open the details; `picked` marks the ledger line of one node. */
export async function openNetwork(picked = "") {
  const box = el("div", { class: "scroll" }, el("p", { class: "none" }, t("loading_chart")));
  openDrawer({ wide: true, heading: [el("h2", {}, t("network"))], body: [box] });
  try {
    const [ledger, gateways, quarantine] = await Promise.all([api.ledger(), api.gateways(), api.quarantine(ENTRIES)]);
    box.replaceChildren(...gatewayTable(gateways.gateways), ...quarantineFirst(picked, ledger, quarantine));
    box.querySelector("tr.pick")?.scrollIntoView({ block: "center" });
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error;
    box.replaceChildren(el("p", { class: "none" }, t("not_read", { reason: error.message })));
  }
}

/** The quarantine is short and what people come for; the ledger is long. A picked line turns that round. */
function quarantineFirst(picked, ledger, quarantine) {
  const parts = [quarantineList(quarantine), ledgerTable(ledger, picked)];
  return (picked ? parts.reverse() : parts).flat().filter(Boolean);
}
