// The list of nodes that need somebody now: rejected and suspect readings, late and silent nodes; storms are folded.
import { byId, el, refill } from "./dom.js";
import { age, moment, phrase } from "./format.js";
import { label, t } from "./i18n.js";
import { badge } from "./marks.js";
import { isDoubtful, kindOf, now_ms, on, quantityOf, store } from "./state.js";
import { look } from "./view.js";

const FOLD = 4; // more than this of one kind with one trouble are one line
const SHOWN = 60; // of an opened fold
const ORDER = ["rejected", "suspect", "late", "silent", "never"];
const BADGE = { rejected: "suspect", suspect: "suspect", late: "late", silent: "silent", never: "silent" };
const open = new Set();
let drawn = "";

function doubt(node, reading) {
  const rejected = Object.entries(reading.rejected ?? {})[0];
  const since_ms = store.doubtSince.get(node.id) ?? reading.time_ms;
  if (rejected) return { trouble: "rejected", node, since_ms, quantity: rejected[0], value: rejected[1] };
  const quantity = Object.keys(reading.qc).find((name) => reading.qc[name] === 3 || reading.qc[name] === 4);
  return { trouble: "suspect", node, since_ms, quantity, value: reading.values?.[quantity] };
}

function troubles() {
  const items = [];
  for (const node of store.nodes.values()) {
    const reading = store.latest.get(node.id);
    if (node.state === "late") items.push({ trouble: "late", node, since_ms: node.time_ms });
    else if (node.state === "silent") items.push({ trouble: node.time_ms ? "silent" : "never", node, since_ms: node.time_ms ?? 0 });
    else if (reading && isDoubtful(reading)) items.push(doubt(node, reading));
  }
  return items;
}

/** Return groups {trouble, kind, items}, doubtful readings first, then the newest trouble first. */
function groups(items) {
  const folded = new Map();
  for (const item of items) {
    const key = `${item.trouble}|${item.node.kind}`;
    if (!folded.has(key)) folded.set(key, { key, trouble: item.trouble, kind: item.node.kind, items: [] });
    folded.get(key).items.push(item);
  }
  const list = [];
  for (const group of folded.values()) {
    group.items.sort((a, b) => b.since_ms - a.since_ms);
    if (group.items.length > FOLD) list.push({ ...group, since_ms: group.items.at(-1).since_ms });
    else list.push(...group.items.map((item) => ({ ...group, key: item.node.id, items: [item], since_ms: item.since_ms })));
  }
  return list.sort((a, b) => ORDER.indexOf(a.trouble) - ORDER.indexOf(b.trouble) || b.since_ms - a.since_ms);
}

function why({ trouble, quantity, value, since_ms }) {
  if (quantity) {
    const about = quantityOf(quantity);
    return t(`why_${trouble}`, { quantity: label(about.label, quantity), value: value === undefined ? "" : phrase(value, { ...about, form: "gauge" }) });
  }
  return t(`why_${trouble}`, { age: age(now_ms() - since_ms) });
}

/** What is wrong, and that new firmware may be why. */
const reason = (item) => (item.node.trial ? `${why(item)} · ${t("trial")}` : why(item));

function line(item, sub = false) {
  const { node, since_ms } = item;
  return el("button", { type: "button", class: sub ? "note sub" : "note", data: { key: node.id }, click: () => look({ node: node.id }) },
    badge(BADGE[item.trouble]), el("span", { class: "name" }, label(node.label, node.id)),
    el("span", { class: "since" }, since_ms ? t("since", { time: moment(since_ms, now_ms()) }) : ""),
    el("span", { class: "why" }, reason(item)));
}

function fold(group) {
  const opened = open.has(group.key);
  const kind = kindOf(group.items[0].node);
  const toggle = () => {
    if (opened) open.delete(group.key);
    else open.add(group.key);
    draw(true);
  };
  const head = el("button", { type: "button", class: "note", ariaExpanded: String(opened), data: { key: group.key }, click: toggle },
    badge(BADGE[group.trouble]), el("span", { class: "name" }, t("group", { kind: label(kind?.label, group.kind), n: group.items.length })),
    el("span", { class: "since" }, opened ? "▾" : "▸"),
    el("span", { class: "why" }, t(`why_group_${group.trouble}`, { age: age(now_ms() - group.since_ms) })));
  return opened ? [head, ...group.items.slice(0, SHOWN).map((item) => line(item, true))] : [head];
}

function draw(force = false) {
  const items = troubles();
  const list = groups(items);
  const signature = JSON.stringify([t("title"), list.map((group) => [group.key, group.items.map(reason)])]);
  if (!force && signature === drawn) return;
  drawn = signature;
  byId("attention-count").textContent = items.length ? String(items.length) : "";
  document.documentElement.dataset.attention = String(items.length);
  const box = byId("attention");
  if (!items.length) refill(box, store.nodes.size ? el("div", { class: "none" }, badge("ok"), el("div", {}, t("all_well"))) : "");
  else refill(box, ...list.flatMap((group) => (group.items.length > 1 ? fold(group) : [line(group.items[0])])));
}

export function start() {
  draw();
  on("nodes", () => draw());
  on("view", (changes) => draw("lang" in changes));
  setInterval(draw, 2000);
}
