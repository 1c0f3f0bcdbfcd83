// One alert: what is wrong, where, how it develops, what was done; and what the officer can do now.
import { known, lookUp, of, put, under } from "./alerts.js";
import { drawActions } from "./alertactions.js";
import { levelMark, lines } from "./alertline.js";
import { amount, levelWord, outlook, place, quantityName, since, standing, trend, what } from "./alerttext.js";
import * as api from "./api.js";
import { el, refill } from "./dom.js";
import { openDrawer } from "./drawer.js";
import { charted, drawEpisode } from "./episodechart.js";
import { moment } from "./format.js";
import { label, t } from "./i18n.js";
import { LEVELS } from "./marks.js";
import { now_ms, on, store } from "./state.js";
import { look } from "./view.js";

const REDRAW_MS = 60_000;
const WORDS_MS = 5_000;
const PAST = 20; // alerts of the node
const GONE = 404;
const REFUSED = 400; // a number or name that no alert can have
let open = null; // {id, text, run, steps, chart, head, figures, plot, folded, steps_box, past, actions}

const current = () => known.get(open.id);
const pair = (name, ...value) => (value.some(Boolean) ? el("div", {}, el("dt", {}, t(name)), el("dd", {}, ...value)) : null);

function heading(alert) {
  const system = store.systems.find((each) => each.name === alert.system);
  const node = store.nodes.has(alert.node)
    ? el("button", { type: "button", data: { key: "node" }, click: () => look({ node: alert.node }) }, alert.node) : el("span", {}, alert.node);
  const cause = known.get(alert.cause);
  return [
    el("div", { class: "headline", data: { level: alert.level, state: alert.state } }, levelMark(alert.level), el("span", { class: "rule" }, what(alert))),
    el("h2", { id: "alert-title" }, place(alert)),
    el("p", { class: "became" }, el("b", {}, standing(alert)), " ", since(alert)),
    el("div", { class: "ident" }, node, el("span", {}, label(system?.label)), el("span", {}, [alert.site, alert.district].filter(Boolean).join(" · ")), el("span", { class: "faint" }, `#${alert.id}`),
      alert.live ? null : el("span", { title: t("not_live_hint") }, t("not_live"))),
    alert.cause != null ? el("p", { class: "ident" }, t("caused_by"), " ", el("button", { type: "button", data: { key: "cause" }, click: () => look({ alert: String(alert.cause) }) }, cause ? `${place(cause)} ${what(cause)}` : `#${alert.cause}`)) : null,
  ].filter(Boolean);
}

function figures(alert) {
  return [
    el("div", { class: "now" }, el("small", {}, quantityName(alert)), el("b", {}, amount(alert, alert.value)), el("span", {}, trend(alert))),
    el("dl", {}, ...[
      pair("threshold", alert.threshold === null ? "" : amount(alert, alert.threshold)),
      pair("peak", amount(alert, alert.peak), el("small", {}, moment(alert.peak_ms, now_ms()))),
      alert.highest === alert.level ? null : pair("highest_level", levelWord(alert.highest)),
      pair("assigned", alert.assigned),
      pair("outlook", outlook(alert)),
    ].filter(Boolean))];
}

/** A step of the audit; levels are told in words, steps that are not known here by their own name. */
function stepLine({ time_ms, who, step, text: note }) {
  const known_step = t(`step_${step}`) !== `step_${step}`;
  const words = LEVELS.includes(note) ? levelMark(note) : note;
  return el("li", {}, el("time", {}, moment(time_ms, now_ms())), el("span", { class: "did" }, known_step ? t(`step_${step}`) : step, who ? el("b", {}, ` ${who}`) : ""), words ? el("p", {}, words) : null);
}

function drawParts() {
  const alert = current();
  if (!alert) return;
  refill(open.head, ...heading(alert));
  refill(open.figures, ...figures(alert));
  drawActions(open.actions, alert);
  const folded = under(alert.id).length || alert.folded;
  open.folded.hidden = !folded;
  if (folded) refill(open.folded, ...lines({ ...alert }, drawParts, { acknowledge: false }));
  const others = of(alert.node).filter((each) => each.id !== alert.id);
  refill(open.past, el("h3", {}, t("history"), el("span", {}, others.length ? "" : t("history_none"))), ...others.slice(0, PAST).flatMap((each) => lines(each, drawParts, { acknowledge: false, here: true })));
}

function drawSteps() {
  refill(open.steps_box, el("h3", {}, t("steps")), el("ol", { class: "steps" }, open.steps.toSorted((a, b) => b.time_ms - a.time_ms).map(stepLine)));
}

async function drawChart() {
  const { run, plot } = open;
  const alert = current();
  let chart = null;
  try {
    chart = await drawEpisode(plot, alert);
    if (!chart && open?.run === run) plot.replaceChildren(el("div", { class: "hint" }, t(charted(alert) && store.nodes.has(alert.node) ? "no_readings" : "no_series")));
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error;
    if (open?.run === run) plot.replaceChildren(el("div", { class: "hint" }, t("not_read", { reason: error.message })));
  }
  if (open?.run !== run) return chart?.destroy();
  open.chart?.destroy();
  open.chart = chart;
  return chart;
}

/** Read the alert with its steps; what the page knows already is shown meanwhile. */
async function read() {
  const { run, id } = open;
  try {
    const alert = await api.alert(id);
    if (open?.run !== run) return;
    open.steps = alert.steps ?? [];
    if (!known.get(id)?.sending) put([alert]);
    drawSteps();
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error;
    if (open?.run !== run) return;
    if (known.has(id)) open.steps_box.replaceChildren(el("p", { class: "none" }, t("not_read", { reason: error.message })));
    else tellMissing(error);
  }
}

/** A link may name an alert as its gateway knows it: rule/node/start. Return its number, null when there is none. */
async function numberOf(text) {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  const [rule, node, start_ms] = text.split("/");
  if (!start_ms) return null;
  try {
    return (await lookUp({ rule, node, state: "all" })).find((alert) => alert.start_ms === Number(start_ms))?.id ?? null;
  } catch (error) {
    if (error instanceof api.ApiError && error.status === REFUSED) return null;
    throw error;
  }
}

function tellMissing(error) {
  const gone = !error || [REFUSED, GONE].includes(error.status);
  refill(open.head, el("h2", {}, gone ? t("no_such_alert", { id: open.text }) : t("not_read", { reason: error.message })), el("p", { class: "soft" }, gone ? t("no_such_alert_hint") : error.remedy));
}

async function begin() {
  const { run } = open;
  try {
    open.id = await numberOf(open.text);
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error;
    return open?.run === run && tellMissing(error);
  }
  if (open?.run !== run) return null;
  return open.id === null ? tellMissing() : show();
}

async function show() {
  const { run, id } = open;
  open.body.hidden = !known.has(id);
  if (known.has(id)) drawParts();
  await read();
  if (open?.run !== run || !known.has(id)) return;
  open.body.hidden = false;
  drawParts();
  drawChart();
  try {
    await lookUp({ node: known.get(id).node, state: "all", limit: PAST + 1 });
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error; // the past stays what the wall knows of it
  }
}

export function openAlert(text) {
  closeAlert();
  const box = (name, tag = "section") => el(tag, { class: name });
  open = { id: null, text, run: Symbol(text), steps: [], chart: null, head: box("about", "div"), figures: box("figures"), plot: el("div", { class: "plot" }, el("div", { class: "hint" }, t("loading_chart"))),
    folded: box("alerts folded-alerts"), steps_box: box("audit"), past: box("alerts past"), actions: box("actions", "footer") };
  open.body = el("div", { class: "scroll" }, open.figures, el("section", { class: "episode" }, open.plot), open.folded, open.steps_box, open.past);
  open.body.hidden = true;
  const back = el("button", { type: "button", class: "back", click: () => look({ panel: "alerts" }) }, t("back_to_alerts"));
  openDrawer({ kind: "beside", name: t("alert_name", { id: text }), heading: [back, open.head], body: [open.body, open.actions] });
  begin();
}

export function closeAlert() {
  open?.chart?.destroy();
  open = null;
}

export function start() {
  on("alerts", (changed) => { if (open && (changed.has(open.id) || under(open.id).some((each) => changed.has(each.id)))) drawParts(); });
  on("stepped", (id) => { if (open?.id === id) read(); });
  setInterval(() => { if (open && current()) refill(open.figures, ...figures(current())); }, WORDS_MS);
  setInterval(() => { if (open && current() && store.link.state === "open") { read(); drawChart(); } }, REDRAW_MS);
}
