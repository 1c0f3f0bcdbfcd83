// The quantity around an episode, with the episode's time as a ground and its thresholds as lines.
import * as api from "./api.js";
import { amount, levelWord, quantityOf } from "./alerttext.js";
import { draw, stepOf } from "./chart.js";
import { rem } from "./dom.js";
import { t } from "./i18n.js";
import { LEVEL_COLOURS } from "./marks.js";
import { now_ms, store } from "./state.js";

const LEAST_MS = 30 * 60_000; // before and after, at least
const LONGEST_MS = 14 * 86_400_000;
const STAGES = { near_m: "blue", warning_m: "yellow", guaranteed_m: "orange", record_m: "red" }; // flood signals by regulation

/** Return {start, end, before, after}: the episode with as much again around it. */
function frame(alert) {
  const over = alert.end_ms ?? now_ms();
  const around = Math.max(LEAST_MS, (over - alert.start_ms) / 2);
  const end = Math.min(now_ms(), over + around);
  return { start: Math.round(Math.max(alert.start_ms - around, end - LONGEST_MS)), end: Math.round(end) };
}

/** A quantity of the store: the alert's own; for what is derived, or a silence, the kind's headline shows what happened. */
export function charted(alert) {
  const own = store.quantities.get(alert.quantity);
  return own ?? store.quantities.get(store.kinds.get(alert.kind)?.headline) ?? null;
}

function thresholds(alert, quantity) {
  if (quantity.name !== alert.quantity) return [];
  const lines = alert.threshold === null || alert.threshold === undefined ? [] : [
    { value: alert.threshold, level: alert.level, words: `${levelWord(alert.level)} ${amount(alert, alert.threshold)}` }];
  const stages = quantity.name === "level_m" ? store.nodes.get(alert.node)?.stages ?? {} : {};
  for (const [name, value] of Object.entries(stages)) {
    if (typeof value !== "number" || lines.some((line) => Math.abs(line.value - value) < 0.005)) continue;
    lines.push({ value, level: STAGES[name] ?? null, words: `${t(`stage_${name}`) === `stage_${name}` ? name : t(`stage_${name}`)} ${amount(alert, value)}`, aside: true });
  }
  return lines;
}

/** Shade the episode's time. */
const ground = (alert) => (chart) => {
  const { ctx, bbox } = chart;
  const at = (time_ms) => Math.min(bbox.left + bbox.width, Math.max(bbox.left, chart.valToPos(time_ms / 1000, "x", true)));
  const [left, right] = [at(alert.start_ms), at(alert.end_ms ?? now_ms())];
  ctx.save();
  ctx.fillStyle = `${LEVEL_COLOURS[alert.highest]}22`;
  ctx.fillRect(left, bbox.top, right - left, bbox.height);
  ctx.fillStyle = LEVEL_COLOURS[alert.highest];
  ctx.fillRect(left, bbox.top, rem() * 0.12 * devicePixelRatio, bbox.height);
  ctx.restore();
};

const rules = (lines) => (chart) => {
  const { ctx, bbox } = chart;
  const em = rem() * devicePixelRatio;
  ctx.save();
  ctx.textAlign = "left";
  ctx.font = `${em * 0.82}px ${getComputedStyle(document.body).fontFamily}`;
  for (const { value, level, words } of lines) {
    const y = chart.valToPos(value, "y", true);
    if (y < bbox.top || y > bbox.top + bbox.height) continue;
    ctx.strokeStyle = ctx.fillStyle = LEVEL_COLOURS[level] ?? "#a5b6c2";
    ctx.lineWidth = em * 0.1;
    ctx.setLineDash([em * 0.5, em * 0.3]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.textBaseline = y - bbox.top > em * 1.2 ? "bottom" : "top";
    ctx.fillText(words, bbox.left + em * 0.3, y + (ctx.textBaseline === "bottom" ? -em * 0.15 : em * 0.15));
  }
  ctx.restore();
};

/** Read and draw into `box`; return the chart, or null when there is nothing to draw. */
export async function drawEpisode(box, alert) {
  const quantity = charted(alert);
  if (!quantity || !store.nodes.has(alert.node)) return null;
  const { start, end } = frame(alert);
  const period_s = store.kinds.get(alert.kind)?.period_s ?? 60;
  const step_s = stepOf((end - start) / 1000, period_s);
  const query = { node: alert.node, start, end };
  const [values, rejected] = await Promise.all([
    api.readings({ ...query, quantity: quantity.name, step_s, aggregate: step_s && (quantity.form === "gauge" ? "mean" : "last") }),
    api.readings({ ...query, quantity: `${quantity.name}_rejected` })]);
  if (!box.isConnected || (!values.length && !rejected.length)) return null;
  const lines = thresholds(alert, quantity);
  box.replaceChildren();
  return draw(box, {
    values, rejected, step_s: step_s ?? period_s, quantity: quantity.name === alert.quantity ? quantityOf(alert) : quantity, start, end, at_ms: null, tall: true,
    also: lines.filter((line) => !line.aside).map((line) => line.value), under: [ground(alert)], over: [rules(lines)],
  });
}
