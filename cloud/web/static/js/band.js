// The band of the last 24 hours: alerts, how much was stored each half hour, the highest stage. A click looks at that time.
import { tally } from "./alerts.js";
import { sentence, since } from "./alerttext.js";
import * as api from "./api.js";
import { barAt, drawBars, episodes, height as barsHeight } from "./bars.js";
import { byId, el, rem } from "./dom.js";
import { minute, moment, number, phrase } from "./format.js";
import { t } from "./i18n.js";
import { COLOURS } from "./marks.js";
import { now_ms, on, quantityOf, store } from "./state.js";
import { look, moment_ms } from "./view.js";

const STEP_MS = 1_800_000;
const STEPS = 48;
const EVERY_MS = 60_000;
const STAGE = { kind: "water_level", quantity: "level_m" };
let data = { start: 0, volume: [], stage: [] };
let hover = null;
let over = null; // the alert under the pointer

async function read() {
  const end = Math.ceil(now_ms() / STEP_MS) * STEP_MS;
  const start = end - STEPS * STEP_MS;
  const volume = new Array(STEPS).fill(0);
  const query = { start, end, step_s: STEP_MS / 1000 };
  try {
    for (const kind of store.byKind.keys()) {
      if (!store.kinds.has(kind)) continue;
      for (const [time_ms, count] of await api.summary({ ...query, kind, quantity: store.kinds.get(kind).headline, aggregate: "count" })) {
        const slot = Math.floor((time_ms - start) / STEP_MS);
        if (slot >= 0 && slot < STEPS) volume[slot] += count ?? 0;
      }
    }
    const stage = store.byKind.has(STAGE.kind) ? await api.summary({ ...query, ...STAGE, aggregate: "max" }) : [];
    data = { start, volume, stage: stage.filter(([, value]) => value !== null) };
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error; // the band stays as it was; the link's banner tells
  }
  draw();
}

function words() {
  const slot = hover ?? STEPS;
  const total = data.volume.reduce((a, b) => a + b, 0);
  const best = data.stage.reduce((a, b) => (b[1] > (a?.[1] ?? -Infinity) ? b : a), null);
  const level = hover === null ? best : data.stage.find(([time_ms]) => Math.floor((time_ms - data.start) / STEP_MS) === slot);
  const from = data.start + slot * STEP_MS;
  const when = hover === null ? t("last_day") : `${moment(from, now_ms())} – ${minute(from + STEP_MS)}`;
  const count = hover === null ? total : data.volume[slot];
  byId("band-text").replaceChildren(el("h2", {}, when), ...(total === 0 ? [el("p", {}, t(data.start ? "no_history" : "loading_chart"))] : [
    el("p", {}, el("i"), `${t("volume")} `, el("b", {}, number(count)), hover === null ? ` · ${t("per_half_hour")}` : ""),
    level ? el("p", {}, el("i", { class: "line" }), `${t("stage")} `, el("b", {}, phrase(level[1], quantityOf(STAGE.quantity))), hover === null ? ` · ${minute(level[0])}` : "") : ""]),
    data.start ? alertWords(hover === null ? data.start : from, hover === null ? now_ms() : from + STEP_MS) : "");
  byId("now").hidden = moment_ms() === null;
}

/** What is said of alerts: the one pointed at, or how many episodes there were. */
function alertWords(start, end) {
  if (over) return el("p", {}, el("b", {}, sentence(over)), ` · ${since(over)}`);
  return el("p", {}, el("i", { class: "bars" }), `${t("episodes")} `, el("b", {}, number(episodes(start, end).length)), hover === null ? ` · ${t("waiting_n", { n: number(tally().waiting) })}` : "");
}

const time = (x, width) => data.start + ((x - rem() * 0.8) / (width - rem() * 1.6)) * STEPS * STEP_MS;

function draw() {
  words();
  const canvas = byId("band");
  const { clientWidth: width, clientHeight: height } = canvas;
  const dpr = devicePixelRatio || 1;
  canvas.width = width * dpr;
  canvas.height = height * dpr;
  if (!width || !data.start) return;
  const ctx = canvas.getContext("2d");
  ctx.scale(dpr, dpr);
  const em = rem();
  const frame = { left: em * 0.8, right: width - em * 0.8, top: em * 0.7, bottom: height - em * 1.5 };
  const bars = { start: data.start, end: data.start + STEPS * STEP_MS, top: em * 0.5, now: now_ms() };
  frame.top += barsHeight(bars.start, bars.end);
  const x = (time_ms) => frame.left + ((time_ms - data.start) / (STEPS * STEP_MS)) * (frame.right - frame.left);
  drawHours(ctx, x, frame, em);
  drawVolume(ctx, x, frame, em);
  drawStage(ctx, x, frame);
  drawBars(ctx, x, frame, bars);
  const at = moment_ms();
  if (at !== null) line(ctx, x(at), frame, COLOURS.text);
}

function line(ctx, x, frame, colour) {
  ctx.strokeStyle = colour;
  ctx.lineWidth = rem() * 0.12;
  ctx.beginPath();
  ctx.moveTo(x, frame.top - 4);
  ctx.lineTo(x, frame.bottom);
  ctx.stroke();
}

function drawHours(ctx, x, frame, em) {
  ctx.font = `${em * 0.88}px ${getComputedStyle(document.body).fontFamily}`;
  ctx.fillStyle = COLOURS.soft;
  ctx.textBaseline = "bottom";
  const every = (frame.right - frame.left) / 24 > em * 3 ? 2 : 4; // half hours between labels: 2, or fewer labels when narrow
  const hours = every === 2 ? 2 : 6;
  for (let slot = 0; slot <= STEPS; slot += 1) {
    const time_ms = data.start + slot * STEP_MS;
    const words = minute(time_ms);
    if (!words.endsWith(":00") || Number(words.slice(0, 2)) % hours) continue;
    const wide = ctx.measureText(words).width / 2;
    const at = x(time_ms);
    ctx.textAlign = at - wide < frame.left ? "left" : at + wide > frame.right ? "right" : "center";
    ctx.fillText(words, at, frame.bottom + em * 1.3);
  }
  ctx.fillStyle = "#22323f";
  ctx.fillRect(frame.left, frame.bottom, frame.right - frame.left, 1);
}

function drawVolume(ctx, x, frame, em) {
  const top = Math.max(1, ...data.volume);
  data.volume.forEach((count, slot) => {
    const left = x(data.start + slot * STEP_MS);
    const wide = x(data.start + (slot + 1) * STEP_MS) - left;
    const high = (count / top) * (frame.bottom - frame.top);
    ctx.fillStyle = slot === hover ? COLOURS.accent : "#24504f";
    ctx.fillRect(left + em * 0.08, frame.bottom - high, wide - em * 0.16, high);
  });
}

function drawStage(ctx, x, frame) {
  if (data.stage.length < 2) return;
  const values = data.stage.map(([, value]) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const y = (value) => frame.bottom - 4 - ((value - low) / (high - low || 1)) * (frame.bottom - frame.top - 8);
  ctx.strokeStyle = COLOURS.text;
  ctx.lineWidth = rem() * 0.11;
  ctx.lineJoin = "round";
  ctx.beginPath();
  data.stage.forEach(([time_ms, value], i) => ctx[i ? "lineTo" : "moveTo"](Math.min(frame.right, x(time_ms + STEP_MS / 2)), y(value)));
  ctx.stroke();
}

export function start() {
  read();
  setInterval(read, EVERY_MS);
  const canvas = byId("band");
  canvas.addEventListener("pointermove", (event) => {
    const slot = Math.floor((time(event.offsetX, canvas.clientWidth) - data.start) / STEP_MS);
    hover = slot >= 0 && slot < STEPS ? slot : null;
    over = barAt(event.offsetX, event.offsetY);
    canvas.classList.toggle("over", Boolean(over));
    draw();
  });
  canvas.addEventListener("pointerleave", () => { hover = over = null; draw(); });
  canvas.addEventListener("click", (event) => {
    const alert = barAt(event.offsetX, event.offsetY);
    if (alert) return look({ alert: String(alert.id) });
    const at = Math.round(Math.min(time(event.offsetX, canvas.clientWidth), now_ms()) / 60_000) * 60_000;
    return data.start && look({ t: new Date(at).toISOString().replace(".000Z", "Z") });
  });
  byId("now").addEventListener("click", () => look({ t: "" }));
  new ResizeObserver(draw).observe(canvas);
  on("view", draw);
  on("alerts", draw);
}
