// The alerts on the wall: how many of each level, and the most urgent, each a line; new ones are also said to who listens.
import { byTime, isOver, isWaiting, known, standing, tally, wake } from "./alerts.js";
import { lines } from "./alertline.js";
import { levelWord, place, sentence, standing as became, what } from "./alerttext.js";
import { byId, el, refill, text } from "./dom.js";
import { moment, number } from "./format.js";
import { t } from "./i18n.js";
import { badge, LEVELS } from "./marks.js";
import { now_ms, on } from "./state.js";
import { look, view } from "./view.js";

const LINES = 30; // more are in the inbox
const SPOKEN = ["red", "orange"];
const REDRAW_MS = 5_000;
let heard = null; // ids and levels that were said already

/** The count of each level with its shape; the inbox shows the same. */
export function levelCounts(count, { words = false } = {}) {
  return el("span", { class: "level-counts" }, LEVELS.map((level) => el("span", {
    class: count[level] ? "level" : "level none-of", data: { level }, title: levelWord(level), ariaLabel: `${levelWord(level)} ${count[level]}`, role: "img",
  }, badge(level), words ? levelWord(level) : "", el("b", {}, number(count[level])))));
}

function calm() {
  const last = [...known.values()].filter((alert) => isOver(alert) && alert.live).sort(byTime)[0];
  return [el("div", { class: "none" }, badge("ok"), el("div", {}, t("no_alerts")),
    last ? el("button", { type: "button", class: "last", click: () => look({ alert: String(last.id) }) },
      t("last_alert", { time: moment(last.start_ms, now_ms()), place: place(last), what: what(last), standing: became(last) })) : null)];
}

function draw() {
  const count = tally();
  const list = standing();
  const page = document.documentElement.dataset;
  page.alerts = String(list.length);
  page.waiting = String(count.waiting);
  const title = count.waiting ? `(${count.waiting}) ${t("title")}` : t("title");
  if (document.title !== title) document.title = title;
  refill(byId("alerts-head"), el("button", {
    type: "button", class: "whole", data: { key: "inbox" }, ariaLabel: t("inbox"), click: () => look({ panel: view.panel === "alerts" ? "" : "alerts" }),
  }, el("h2", {}, t("alerts")), levelCounts(count), el("span", { class: "more" }, t("all_alerts"))));
  refill(byId("alerts"), ...(list.length ? list.slice(0, LINES).flatMap((alert) => lines(alert, draw)) : calm()));
  byId("alerts-more").hidden = list.length <= LINES;
  text(byId("alerts-more"), t("more_alerts", { n: number(list.length - LINES) }));
}

/** Say what is new and bad, one at a time; what was there when the page opened is not news. */
function say() {
  const urgent = standing().filter((alert) => isWaiting(alert) && SPOKEN.includes(alert.level));
  const news = heard ? urgent.filter((alert) => heard.get(alert.id) !== alert.level) : [];
  heard = new Map(urgent.map((alert) => [alert.id, alert.level]));
  if (news.length) text(byId("said"), news.length > 1 ? t("new_alerts", { n: number(news.length), first: sentence(news[0]) }) : sentence(news[0]));
}

export function start() {
  draw();
  say();
  on("alerts", () => { draw(); say(); });
  on("view", draw);
  byId("alerts-more").addEventListener("click", () => look({ panel: "alerts" }));
  byId("alerts").addEventListener("keydown", walk);
  setInterval(() => { wake(); draw(); }, REDRAW_MS);
}

/** Arrow keys go from line to line. */
export function walk(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const all = [...event.currentTarget.querySelectorAll("button.open")];
  const at = all.indexOf(document.activeElement?.closest(".alert")?.querySelector("button.open"));
  if (!step || at < 0) return;
  event.preventDefault();
  all[at + step]?.focus();
}
