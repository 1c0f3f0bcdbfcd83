// One node: who it is, how it is, every latest value with its quality, and a chart a quantity.
import { isOver, lookUp, of } from "./alerts.js";
import { lines } from "./alertline.js";
import * as api from "./api.js";
import { draw, stepOf } from "./chart.js";
import { el, refill, text } from "./dom.js";
import { openDrawer } from "./drawer.js";
import { age, moment, phrase, shown } from "./format.js";
import { label, t } from "./i18n.js";
import { badge } from "./marks.js";
import { kindOf, now_ms, on, quantityOf, store } from "./state.js";
import { look, moment_ms, view } from "./view.js";

const RANGES = { "1h": 3600, "24h": 86_400, "7d": 604_800, "30d": 2_592_000, "1y": 31_536_000 };
const FEW = 2; // alerts of the past, unless more are asked for
const REDRAW_MS = 60_000;
const SETTLE_MS = 300;
let open = null; // {id, run, charts: Map box -> uPlot, boxes: Map quantity -> box, values: Map quantity -> element}

const chosen = () => (view.range in RANGES ? view.range : "24h");

function quantities(node) {
  const kind = kindOf(node);
  const known = (kind?.quantities ?? []).map((quantity) => quantity.name);
  const reading = store.latest.get(node.id);
  const others = Object.keys({ ...reading?.values, ...reading?.rejected }).filter((name) => !known.includes(name));
  const names = [...known, ...others];
  return [...names.filter((name) => name === kind?.headline), ...names.filter((name) => name !== kind?.headline)];
}

function heading(node) {
  const kind = kindOf(node);
  const system = store.systems.find((each) => each.name === kind?.system);
  const ledger = el("button", { type: "button", click: () => look({ panel: `ledger:${node.id}` }) }, t("ledger_line"));
  const pair = (name, value) => (value ? el("span", {}, `${t(name)} ${value}`) : null);
  return [
    el("h2", {}, label(node.label, node.id)),
    el("div", { class: "ident" }, el("span", {}, `${label(system?.label)} · ${label(kind?.label, node.kind)}`), el("span", { class: "state" }), el("span", { class: "trial", hidden: true }, t("trial"))),
    el("div", { class: "ident" }, el("span", {}, node.id), pair("site", node.site), pair("gateway", node.gateway), ledger),
  ];
}

function flag(reading, name) {
  if (reading?.rejected?.[name] !== undefined) {
    return el("span", { class: "flag fail" }, "× ", t("rejected", { value: phrase(reading.rejected[name], { ...quantityOf(name), form: "gauge" }) }));
  }
  const qc = reading?.qc?.[name];
  return qc && qc !== 1 ? el("span", { class: qc === 2 ? "flag" : "flag suspect" }, t(`quality_${qc}`)) : null;
}

function fill(node) {
  const reading = store.latest.get(node.id);
  for (const [name, box] of open.values) {
    const { value, unit } = shown(reading?.values?.[name], quantityOf(name));
    box.replaceChildren(...[flag(reading, name), " ", el("span", { class: "value" }, value, unit ? el("span", { class: "unit" }, unit) : "")].filter(Boolean));
  }
  const said = node.time_ms ? `${t(node.state)} · ${t("ago", { age: age(now_ms() - node.time_ms) })}` : `${t(node.state)} · ${t("never")}`;
  if (open.state.dataset.state !== node.state) {
    open.state.dataset.state = node.state;
    open.state.replaceChildren(badge(node.state), el("span"));
  }
  text(open.state.lastChild, said);
  open.trial.hidden = !node.trial;
}

function rangeBar() {
  const at = moment_ms();
  return el("div", { class: "ranges" },
    Object.keys(RANGES).map((name) => el("button", { type: "button", class: "quiet", ariaPressed: String(chosen() === name), click: () => look({ range: name }) }, t(`range_${name}`))),
    el("span", { class: "until" }, at === null ? t("live") : t("until", { time: moment(windowEnd(), now_ms()) })));
}

/** With a moment in the address, the charts show what led to it and a quarter of what followed. */
function windowEnd() {
  const at = moment_ms();
  return at === null ? now_ms() : Math.min(now_ms(), at + RANGES[chosen()] * 250);
}

async function drawCharts() {
  const { run, boxes } = open;
  const node = store.nodes.get(open.id);
  const span_s = RANGES[chosen()];
  const end = Math.round(windowEnd());
  const start = end - span_s * 1000;
  const period_s = kindOf(node)?.period_s ?? 60;
  const step_s = stepOf(span_s, period_s);
  for (const [name, box] of boxes) {
    const quantity = quantityOf(name);
    const query = { node: node.id, start, end };
    try {
      const [values, rejected] = await Promise.all([
        api.readings({ ...query, quantity: name, step_s, aggregate: step_s && (quantity.form === "gauge" ? "mean" : "last") }),
        span_s > RANGES["30d"] ? [] : api.readings({ ...query, quantity: `${name}_rejected` })]);
      if (open?.run !== run) return;
      show(box, { values, rejected, step_s: step_s ?? period_s, quantity, start, end, at_ms: moment_ms(), tall: box === [...boxes.values()][0] });
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      if (open?.run !== run) return;
      box.replaceChildren(el("div", { class: "hint" }, t("not_read", { reason: error.message })));
    }
  }
}

function show(box, chart) {
  open.charts.get(box)?.destroy();
  open.charts.delete(box);
  if (!chart.values.length && !chart.rejected.length) {
    box.replaceChildren(el("div", { class: "hint" }, t("no_readings")));
    return;
  }
  box.replaceChildren();
  open.charts.set(box, draw(box, chart));
  const crossed = box.parentElement.querySelector(".crossed");
  text(crossed, chart.rejected.length ? t("rejected_points", { n: chart.rejected.length }) : "");
}

/** What lasts at the node, and the last of what was; the rest on demand. */
function drawAlerts() {
  if (!open?.alerts) return;
  const all = of(open.id);
  const few = all.filter((alert, index) => !isOver(alert) || index < FEW);
  const shown = open.past ? all : few;
  const rest = all.length - shown.length;
  const more = rest ? el("button", { type: "button", class: "more-line", data: { key: "past" }, click: () => { open.past = true; drawAlerts(); } }, t("earlier_alerts", { n: rest })) : "";
  refill(open.alerts, ...shown.flatMap((alert) => lines(alert, drawAlerts, { here: true })), more);
}

async function readAlerts() {
  try {
    await lookUp({ node: open.id, state: "all", limit: 100 });
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error; // what is known stays
  }
}

export function openNode(id) {
  closeNode();
  const node = store.nodes.get(id);
  if (!node) {
    openDrawer({ heading: [el("h2", {}, id), el("p", { class: "soft" }, t("unknown_node"))], body: [] });
    return;
  }
  open = { id, run: Symbol(id), charts: new Map(), boxes: new Map(), values: new Map() };
  const blocks = quantities(node).map((name) => {
    const value = el("span");
    const plot = el("div", { class: "plot" }, el("div", { class: "hint" }, t("loading_chart")));
    open.values.set(name, value);
    open.boxes.set(name, plot);
    return el("section", { class: "quantity" }, el("div", { class: "row" }, el("span", { class: "label" }, label(quantityOf(name).label, name), el("span", { class: "crossed" })), value), plot);
  });
  const head = heading(node);
  open.state = head[1].querySelector(".state");
  open.trial = head[1].querySelector(".trial");
  open.alerts = el("div", { class: "scroll alerts of-node", role: "list" });
  openDrawer({ heading: head, body: [rangeBar(), open.alerts, el("div", { class: "scroll quantities" }, blocks)] });
  fill(node);
  drawAlerts();
  readAlerts();
  drawCharts();
}

export function closeNode() {
  open?.charts.forEach((chart) => chart.destroy());
  open = null;
}

export function start() {
  on("alerts", drawAlerts);
  on("readings", () => { if (open) fill(store.nodes.get(open.id)); });
  setInterval(() => { if (open) fill(store.nodes.get(open.id)); }, 1000);
  setInterval(() => { if (open && moment_ms() === null && store.link.state === "open") drawCharts(); }, REDRAW_MS);
  let settling;
  window.addEventListener("resize", () => {
    clearTimeout(settling);
    settling = setTimeout(() => { if (open) drawCharts(); }, SETTLE_MS);
  });
}
