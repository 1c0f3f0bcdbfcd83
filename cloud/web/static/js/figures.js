// One figure a kind: how the values of many nodes become the one number on the card.
import { number, phrase, shown } from "./format.js";
import { label, t } from "./i18n.js";
import { now_ms, quantityOf, store } from "./state.js";

// How a kind's nodes become one number, where the mean of its headline is not what people ask for.
const HOW = {
  water_level: { how: "max" }, manhole: { how: "max" }, rain_gauge: { how: "max" }, radiation: { how: "max" }, hazmat: { how: "max" },
  structure: { how: "max" }, tunnel: { how: "max" }, outfall: { how: "max" }, dust: { how: "max" },
  streetlight: { how: "share", quantity: "lamp_on", words: "lamps" },
  parking_bay: { how: "share", quantity: "occupied", words: "occupied" },
  charging_pile: { how: "sum" }, power_meter: { how: "sum" }, three_phase_meter: { how: "sum" }, water_meter: { how: "sum" }, gas_meter: { how: "sum" }, footfall: { how: "sum" },
  noise: { how: "energy" }, sluice_gate: { how: "mean", words: "gate" },
};
const WORDS = { max: "highest", sum: "sum", mean: "average", energy: "average", share: "average" };
const STORE_AGGREGATE = { max: "max", sum: "mean", mean: "mean", energy: "mean", share: "mean" };
const AIR = "pm2_5_ug_m3"; // told as an index
const FRESH_PERIODS = 20; // older values no longer speak for the kind

/** Return {quantity, how, words, aggregate} of a kind. */
export function plan(kind) {
  const { how = "mean", quantity = kind.headline, words } = HOW[kind.name] ?? {};
  return { quantity, how, words: words ?? WORDS[how], aggregate: STORE_AGGREGATE[how] };
}

function reduce(how, values) {
  const sum = values.reduce((a, b) => a + b, 0);
  if (how === "sum") return sum;
  if (how === "max") return values.reduce((a, b) => Math.max(a, b));
  if (how === "share") return (100 * values.filter((value) => value >= 0.5).length) / values.length;
  if (how === "energy") return 10 * Math.log10(values.reduce((a, b) => a + 10 ** (b / 10), 0) / values.length);
  return sum / values.length;
}

/** Return {value, node, time_ms, quantity, words} over the kind's fresh nodes; value is null when none speaks. */
export function figure(kind) {
  const { quantity, how, words } = plan(kind);
  const oldest = now_ms() - FRESH_PERIODS * kind.period_s * 1000;
  const values = [];
  let [node, time_ms, top] = [null, 0, -Infinity];
  for (const each of store.byKind.get(kind.name) ?? []) {
    const reading = store.latest.get(each.id);
    const value = reading?.values?.[quantity];
    if (value === undefined || value === null || reading.time_ms < oldest) continue;
    values.push(value);
    time_ms = Math.max(time_ms, reading.time_ms);
    if (value > top) [top, node] = [value, each];
  }
  const value = values.length ? reduce(how, values) : null;
  return { value, node: how === "max" ? node : null, time_ms, quantity: quantityOf(quantity), how, words };
}

/** Return {value, unit} of a figure, ready to show. */
export function figureShown({ value, quantity, how }) {
  if (value === null) return { value: "–", unit: "" };
  if (quantity.name === AIR) return { value: number(airIndex(value).index), unit: t(`aqi_${airIndex(value).grade}`) };
  if (how === "share") return { value: number(value, 1), unit: "%" };
  return shown(value, quantity);
}

/** Return the name of what the figure says: "highest", "lamps lit", or the quantity's own name. */
export function figureName({ words, quantity }) {
  if (quantity.name === AIR) return t("air");
  return words === "average" ? label(quantity.label, quantity.name) : t(words);
}

/** Return what stands beside the name: the node of the highest value, or what an index was made of. */
export function figureBasis({ node, quantity, value }) {
  if (node) return label(node.label, node.id);
  return quantity.name === AIR && value !== null ? `${label(quantity.label)} ${phrase(value, quantity)}` : "";
}

// HJ 633-2026, table 1: PM2.5 concentration (µg/m³) at each sub-index.
const IAQI = [[0, 0], [35, 50], [60, 100], [115, 150], [150, 200], [250, 300], [350, 400], [500, 500]];
const GRADES = [50, 100, 150, 200, 300];

/** Return {index, grade 1..6} for a PM2.5 concentration by HJ 633-2026. */
export function airIndex(pm2_5_ug_m3) {
  let index = 500;
  for (let i = 1; i < IAQI.length; i += 1) {
    const [[low, from], [high, to]] = [IAQI[i - 1], IAQI[i]];
    if (pm2_5_ug_m3 <= high) {
      index = from + ((to - from) * (pm2_5_ug_m3 - low)) / (high - low);
      break;
    }
  }
  index = Math.ceil(index);
  const grade = GRADES.findIndex((limit) => index <= limit) + 1;
  return { index, grade: grade || 6 };
}
