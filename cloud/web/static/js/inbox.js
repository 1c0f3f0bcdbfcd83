// The inbox: every alert, filtered by state, level, system and words; the filters stand in the address.
import { byTime, byUrgency, isFolded, isMuted, isOver, isWaiting, known, lookUp, tally } from "./alerts.js";
import { levelCounts, walk } from "./alertcard.js";
import { lines } from "./alertline.js";
import { levelWord, place, what } from "./alerttext.js";
import * as api from "./api.js";
import { el, refill, text } from "./dom.js";
import { openDrawer } from "./drawer.js";
import { number } from "./format.js";
import { label, t } from "./i18n.js";
import { badge, LEVELS } from "./marks.js";
import { credentials, name } from "./officer.js";
import { on, store } from "./state.js";
import { look, view } from "./view.js";

const PAGE = 50;
const REDRAW_MS = 10_000;
const STATES = {
  standing: (alert) => !isOver(alert), waiting: isWaiting, acknowledged: (alert) => alert.state === "acknowledged", muted: isMuted,
  ended: isOver, all: () => true,
};
const PAST = ["ended", "all"];
let open = null; // {run, list, more, filters, counts, shown, failed, busy}

const state = () => (view.state in STATES ? view.state : "standing");

function matches(alert) {
  const words = view.q.trim().toLowerCase();
  const told = [alert.node, alert.rule, alert.site, alert.district, alert.assigned, alert.acknowledged_by, place(alert), what(alert), alert.node_label?.en, alert.node_label?.zh, `#${alert.id}`];
  return STATES[state()](alert) && (!view.level || alert.level === view.level) && (!view.system || alert.system === view.system)
    && (!words || told.some((each) => String(each ?? "").toLowerCase().includes(words)));
}

/** What is folded stands under its cause, unless somebody looks for it by its words. */
function found() {
  const list = [...known.values()].filter((alert) => matches(alert) && (view.q.trim() || !isFolded(alert)));
  return list.sort(PAST.includes(state()) ? byTime : byUrgency);
}

const chip = (key, value, ...words) => el("button", {
  type: "button", class: "quiet", ariaPressed: String((key === "state" ? state() : view[key]) === value), data: { key: `${key}-${value}` }, click: () => look({ [key]: value }),
}, ...words);

function filters() {
  const search = el("input", { type: "search", value: view.q, placeholder: t("find_alert"), ariaLabel: t("find_alert"), data: { key: "q" } });
  search.addEventListener("input", () => look({ q: search.value }));
  const systems = el("select", { ariaLabel: t("every_system"), data: { key: "system" } },
    el("option", { value: "" }, t("every_system")),
    store.systems.map((system) => el("option", { value: system.name, selected: view.system === system.name }, label(system.label, system.name))));
  systems.addEventListener("change", () => look({ system: systems.value }));
  return [
    el("div", { class: "chips", role: "group", ariaLabel: t("filter_state") }, Object.keys(STATES).map((each) => chip("state", each, t(`filter_${each}`)))),
    el("div", { class: "chips", role: "group", ariaLabel: t("filter_level") }, chip("level", "", t("every_level")),
      LEVELS.map((each) => chip("level", each, badge(each), " ", levelWord(each)))),
    el("div", { class: "chips" }, systems, search)];
}

function draw() {
  if (!open) return;
  const list = found();
  refill(open.counts, levelCounts(tally(), { words: true }));
  if (open.failed) refill(open.list, el("div", { class: "none" }, el("p", {}, open.failed), el("button", { type: "button", class: "quiet", click: read }, t("try_again"))));
  else if (list.length) refill(open.list, ...list.slice(0, open.shown).flatMap((alert) => lines(alert, draw)));
  else refill(open.list, el("div", { class: "none" }, open.busy ? t("loading_chart") : t(narrowed() ? "no_match" : "no_alerts"), narrowed() && !open.busy ? el("button", { type: "button", class: "quiet", click: widen }, t("clear_filters")) : null));
  const rest = list.length - Math.min(list.length, open.shown);
  refill(open.more, list.length ? el("span", {}, t("shown_of", { n: number(list.length - rest), total: number(list.length) })) : "",
    rest ? el("button", { type: "button", class: "quiet", click: () => { open.shown += PAGE; draw(); } }, t("show_more", { n: number(Math.min(PAGE, rest)) })) : "");
}

const narrowed = () => Boolean(view.level || view.system || view.q || state() !== "standing");
const widen = () => look({ state: "", level: "", system: "", q: "" });

/** Ended alerts older than a day are read when they are asked for. */
async function read() {
  const { run } = open;
  Object.assign(open, { failed: "", busy: PAST.includes(state()) });
  draw();
  if (!open.busy) return;
  try {
    await lookUp({ state: state(), level: view.level });
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error;
    if (open?.run === run) open.failed = t("not_read", { reason: error.message });
  }
  if (open?.run !== run) return;
  open.busy = false;
  draw();
}

function officer() {
  const button = el("button", { type: "button", click: async () => { await credentials({ change: true }); text(button, words()); } });
  const words = () => (name() ? t("officer_is", { who: name() }) : t("officer_nobody"));
  text(button, words());
  return button;
}

export function openInbox() {
  open = { run: Symbol("inbox"), shown: PAGE, failed: "", busy: false, counts: el("div", { class: "ident" }),
    filters: el("div", { class: "filters" }, ...filters()), list: el("div", { class: "scroll alerts", role: "list" }), more: el("p", { class: "foot" }) };
  open.list.addEventListener("keydown", walk);
  openDrawer({ wide: true, name: t("inbox"), heading: [el("h2", {}, t("inbox")), open.counts, el("div", { class: "ident" }, officer())], body: [open.filters, open.list, open.more] });
  read();
}

export function closeInbox() {
  open = null;
}

/** The filters changed: draw them, and read what they ask for. */
function refilter(changes) {
  if (!open || !["state", "level", "system", "q"].some((key) => key in changes)) return;
  if (changes.q === undefined || Object.keys(changes).length > 1) refill(open.filters, ...filters());
  open.shown = PAGE;
  open.list.scrollTop = 0;
  if ("q" in changes && Object.keys(changes).length === 1) draw();
  else read();
}

export function start() {
  on("alerts", draw);
  on("view", refilter);
  setInterval(draw, REDRAW_MS);
}
