// One quantity over time: a line, gaps where nothing was heard, and a cross where a value was rejected.
/* global uPlot */
import { el, rem } from "./dom.js";
import { moment, phrase, tick, timeZone } from "./format.js";
import { COLOURS } from "./marks.js";
import { now_ms } from "./state.js";

const GRID = "#22323f";
const POINTS = 480; // a chart shows no more than its pixels can

/** Return the seconds a point of a chart stands for, undefined for every reading: whole hours and days are quickly read. */
export function stepOf(span_s, period_s) {
  const least_s = span_s / POINTS;
  const unit_s = span_s > 62 * 86_400 ? 86_400 : span_s > 7 * 86_400 ? 3600 : 60;
  const step_s = Math.ceil(least_s / unit_s) * unit_s;
  return step_s > period_s ? step_s : undefined;
}

/** Return the usual distance of readings in ms: their median, at least the step asked for. */
function usual(values, step_s) {
  const steps = values.slice(1).map(([time_ms], i) => time_ms - values[i][0]).sort((a, b) => a - b);
  return Math.max(step_s * 1000, steps[steps.length >> 1] ?? 0);
}

/** Join values and rejected values into uPlot's columns; a silence of three usual distances is a gap. */
export function columns(values, rejected, step_s) {
  const gap_ms = 3 * usual(values, step_s);
  const rows = new Map();
  const row = (time_ms) => rows.get(time_ms) ?? rows.set(time_ms, [null, null]).get(time_ms);
  let before = null;
  for (const [time_ms, value] of values) {
    if (before !== null && time_ms - before > gap_ms) row(Math.round((before + time_ms) / 2));
    row(time_ms)[0] = value;
    before = time_ms;
  }
  for (const [time_ms, value] of rejected) row(time_ms)[1] = value;
  const times = [...rows.keys()].sort((a, b) => a - b);
  return [times.map((ms) => ms / 1000), times.map((ms) => rows.get(ms)[0] ?? (rows.get(ms)[1] === null ? null : undefined)), times.map((ms) => rows.get(ms)[1])];
}

/** Return the range of the good values with some air; rejected ones are drawn at the edge, not allowed to flatten the line. */
function range(values, quantity, also) {
  const good = [...values.filter((value) => value !== null && value !== undefined), ...also];
  if (quantity.form === "state") return [-0.1, 1.1];
  if (!good.length) return [0, 1];
  const low = good.reduce((a, b) => Math.min(a, b));
  const high = good.reduce((a, b) => Math.max(a, b));
  const air = Math.max((high - low) * 0.12, 10 ** -quantity.decimals * 2);
  return [low - air, high + air];
}

function crosses(chart) {
  const { ctx } = chart;
  const em = rem();
  const r = em * 0.28 * devicePixelRatio;
  const { top, height } = chart.bbox;
  ctx.save();
  ctx.strokeStyle = COLOURS.text;
  ctx.lineWidth = em * 0.11 * devicePixelRatio;
  chart.data[2].forEach((value, i) => {
    if (value === null) return;
    const x = chart.valToPos(chart.data[0][i], "x", true);
    const y = Math.min(top + height - r, Math.max(top + r, chart.valToPos(value, "y", true)));
    ctx.beginPath();
    ctx.moveTo(x - r, y - r);
    ctx.lineTo(x + r, y + r);
    ctx.moveTo(x + r, y - r);
    ctx.lineTo(x - r, y + r);
    ctx.stroke();
  });
  ctx.restore();
}

function marker(time_ms) {
  return (chart) => {
    if (time_ms === null) return;
    const x = chart.valToPos(time_ms / 1000, "x", true);
    const { ctx, bbox } = chart;
    ctx.save();
    ctx.strokeStyle = COLOURS.soft;
    ctx.setLineDash([4, 4]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.restore();
  };
}

/** Draw into `box`; return the uPlot chart. `also`: values that must be in sight; `under`, `over`: what else to draw. */
export function draw(box, { values, rejected, step_s, quantity, start, end, at_ms, tall, also = [], under = [], over = [] }) {
  const em = rem();
  const data = columns(values, rejected, step_s);
  const readout = el("div", { class: "readout" });
  const family = getComputedStyle(document.body).fontFamily;
  const axis = { stroke: COLOURS.soft, font: `${Math.round(em * 0.8)}px ${family}`, grid: { stroke: GRID, width: 1 }, ticks: { show: false } };
  const span_s = (end - start) / 1000;
  const chart = new uPlot({
    width: box.clientWidth, height: box.clientHeight, legend: { show: false }, padding: [em * 0.4, em * 1.3, 0, 0],
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), timeZone()),
    cursor: { y: false, points: { size: em * 0.5 }, drag: { x: false, y: false } },
    scales: { x: { time: true, min: start / 1000, max: end / 1000, range: () => [start / 1000, end / 1000] }, y: { range: () => range(data[1], quantity, also) } },
    axes: [
      { ...axis, size: em * 1.6, space: em * 6, gap: em * 0.2, values: (_, times) => times.map((seconds) => tick(seconds * 1000, span_s)) },
      { ...axis, size: em * 3.4, space: em * (tall ? 2.4 : 1.9), gap: em * 0.3 },
    ],
    series: [{}, {
      stroke: COLOURS.accent, width: em * 0.1, spanGaps: false, fill: `${COLOURS.accent}14`,
      paths: quantity.form === "state" ? uPlot.paths.stepped({ align: 1 }) : undefined,
      points: { show: values.length < 3 },
    }, { stroke: "transparent", points: { show: false }, paths: () => null }],
    hooks: { drawClear: under, draw: [...over, crosses, marker(at_ms)], setCursor: [(it) => tell(it, readout, quantity)] },
  }, data, box);
  box.append(readout);
  return chart;
}

function tell(chart, readout, quantity) {
  const i = chart.cursor.idx;
  const value = i === null || i === undefined ? null : chart.data[1][i] ?? chart.data[2][i];
  readout.hidden = value === null || value === undefined;
  if (readout.hidden) return;
  const isRejected = chart.data[1][i] === null || chart.data[1][i] === undefined;
  readout.replaceChildren(`${moment(chart.data[0][i] * 1000, now_ms())}  ${isRejected ? "× " : ""}`, el("b", {}, phrase(value, quantity)));
}
