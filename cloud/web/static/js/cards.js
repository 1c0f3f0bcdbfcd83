// The left column: a card a system, a figure a kind, with the last day as a line.
import * as api from "./api.js";
import { byId, el, svg, text } from "./dom.js";
import { figure, figureBasis, figureName, figureShown, plan } from "./figures.js";
import { age } from "./format.js";
import { label, t } from "./i18n.js";
import { counts, fresh, now_ms, on, store } from "./state.js";
import { look, view } from "./view.js";

const HIDDEN = ["network"]; // the network has its own panel
const LARGE = 6; // so many figures are drawn large before they shrink to a line
const DENSE = 9; // more figures than this, and every card is drawn tighter
const CROWDED = 20; // more than this, and the large ones give up their second line
const SPARK_S = 86_400;
const SPARK_STEP_S = 1_800;
const SPARK_EVERY_MS = 60_000;
const sparks = new Map(); // kind name -> [[time_ms, value]]
let rows = []; // {kind, value, what, sub, age, spark}
let shape = "";

function present() {
  return store.systems
    .filter((system) => !HIDDEN.includes(system.name))
    .map((system) => ({ system, kinds: [...store.kinds.values()].filter((kind) => kind.system === system.name && store.byKind.has(kind.name)) }))
    .filter(({ kinds }) => kinds.length);
}

/** Choose what is drawn large: first the leading kind of each system, then others while there is room. */
function chooseLarge(systems) {
  const large = new Set(systems.map(({ kinds }) => kinds[0].name));
  for (const rank of [1, 2]) {
    for (const { kinds } of systems) if (kinds[rank] && large.size < LARGE) large.add(kinds[rank].name);
  }
  return large;
}

function row(kind, large) {
  const what = el("span", { class: "kind" });
  const measure = el("span", { class: "measure" });
  const sub = el("em");
  const old = el("span", { class: "age" });
  const value = el("span", { class: "value" });
  const spark = svg("svg", { viewBox: "0 0 100 30", preserveAspectRatio: "none", "aria-hidden": "true" });
  const button = el("button", {
    type: "button", class: large ? "figure" : "figure small",
    click: () => look({ layer: view.layer === kind.name ? "" : kind.name }),
  }, el("span", { class: "what" }, what, measure, sub, old), value, spark);
  rows.push({ kind, large, what, measure, sub, old, value, spark });
  return button;
}

function build() {
  const systems = present();
  const wanted = JSON.stringify([t("title"), systems.map(({ kinds }) => kinds.map((kind) => kind.name))]);
  if (wanted === shape) return;
  shape = wanted;
  rows = [];
  const large = chooseLarge(systems);
  const count = systems.flatMap(({ kinds }) => kinds).length;
  byId("cards").classList.toggle("dense", count > DENSE);
  byId("cards").classList.toggle("crowded", count > CROWDED);
  byId("cards").replaceChildren(...systems.map(({ system, kinds }) => {
    const figures = kinds.map((kind) => row(kind, large.has(kind.name)));
    const card = el("article", { class: kinds.length === 1 ? "card one" : "card" },
      el("header", {}, el("h2", {}, label(system.label, system.name)), el("span", { class: "share" })), ...figures);
    card.dataset.system = system.name;
    return card;
  }));
  if (!systems.length) byId("cards").replaceChildren(el("article", { class: "card blank-card" }, el("p", {}, t("no_figures"))));
  drawSparks();
}

function update() {
  build();
  for (const each of rows) {
    const it = figure(each.kind);
    const { value, unit } = figureShown(it);
    text(each.what, label(each.kind.label, each.kind.name));
    text(each.measure, each.large ? figureName(it) : "");
    text(each.sub, figureBasis(it));
    each.sub.title = each.kind.name === "air_quality" ? t("aqi_basis") : "";
    const old_ms = now_ms() - it.time_ms;
    text(each.old, it.value !== null && old_ms > 2 * each.kind.period_s * 1000 ? t("ago", { age: age(old_ms) }) : "");
    each.value.classList.toggle("empty", it.value === null);
    if (each.value.dataset.shown !== value + unit) {
      each.value.dataset.shown = value + unit;
      each.value.replaceChildren(value, unit ? el("span", { class: "unit" }, unit) : "");
    }
  }
  for (const card of byId("cards").querySelectorAll("[data-system]")) updateCard(card);
}

function updateCard(card) {
  const nodes = [...store.nodes.values()].filter((node) => store.kinds.get(node.kind)?.system === card.dataset.system);
  const count = counts(nodes);
  text(card.querySelector(".share"), `${fresh(count)}/${count.total}`);
  card.classList.toggle("on", view.layer !== "" && (view.layer === card.dataset.system || store.kinds.get(view.layer)?.system === card.dataset.system));
}

/** Fetch the last day of every figure, one after another: the wall never hurries the store. */
async function readSparks() {
  const end = Math.ceil(now_ms() / (SPARK_STEP_S * 1000)) * SPARK_STEP_S * 1000;
  for (const { kind } of [...rows]) {
    const { quantity, aggregate } = plan(kind);
    try {
      sparks.set(kind.name, await api.summary({ kind: kind.name, quantity, start: end - SPARK_S * 1000, end, step_s: SPARK_STEP_S, aggregate }));
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error; // the line stays as it was; the link's banner tells
    }
  }
  drawSparks();
}

function drawSparks() {
  for (const { kind, spark } of rows) {
    const points = (sparks.get(kind.name) ?? []).filter(([, value]) => value !== null);
    if (points.length < 2) {
      spark.replaceChildren();
      continue;
    }
    const start = now_ms() - SPARK_S * 1000;
    const values = points.map(([, value]) => value);
    const low = Math.min(...values);
    const span = Math.max(...values) - low;
    const y = (value) => (span ? 28 - (26 * (value - low)) / span : 15);
    const x = (time_ms) => Math.min(100, Math.max(0, (100 * (time_ms - start)) / (SPARK_S * 1000)));
    const line = points.map(([time_ms, value], i) => `${i ? "L" : "M"}${x(time_ms).toFixed(2)} ${y(value).toFixed(2)}`).join("");
    const area = `${line}L${x(points.at(-1)[0]).toFixed(2)} 30L${x(points[0][0]).toFixed(2)} 30Z`;
    spark.replaceChildren(svg("path", { class: "area", d: area }), svg("path", { d: line }));
  }
}

export function start() {
  update();
  readSparks();
  setInterval(readSparks, SPARK_EVERY_MS);
  setInterval(update, 1000);
  on("view", update);
  on("nodes", update);
}
