// One alert as a line of a list: level as colour, shape and word, place, value, trend, since when, whose it is.
import { isMuted, isOver, isWaiting, lookUp, under } from "./alerts.js";
import { amount, levelWord, outlook, place, since, standing, trend, what } from "./alerttext.js";
import { ApiError } from "./api.js";
import { el } from "./dom.js";
import { failures, send } from "./duty.js";
import { number } from "./format.js";
import { t } from "./i18n.js";
import { badge } from "./marks.js";
import { look, view } from "./view.js";

const opened = new Set(); // causes whose folded alerts are shown
const FOLDED = 50; // of them, at most

/** A level as shape, colour and word. */
export const levelMark = (level) => el("span", { class: "level", data: { level } }, badge(level), levelWord(level));

function marks(alert) {
  return [
    alert.live ? null : el("i", { class: "late-data", title: t("not_live_hint") }, t("not_live")),
    alert.assigned ? el("i", { class: "whose" }, t("assigned_to", { who: alert.assigned })) : null,
  ];
}

/** Return the elements of a line, and of those folded under it when it is opened; `again` draws the list anew. */
export function lines(alert, again, { acknowledge = true, here = false } = {}) {
  const folded = under(alert.id);
  const count = Math.max(alert.folded ?? 0, folded.length);
  const shown = opened.has(alert.id);
  const fold = count ? el("button", {
    type: "button", class: "fold", ariaExpanded: String(shown), data: { key: `fold-${alert.id}` },
    click: () => toggle(alert, again),
  }, `${t("folded", { n: number(count) })} ${shown ? "▾" : "▸"}`) : null;
  const head = line(alert, { fold, acknowledge, here });
  if (!shown || !count) return [head];
  const rest = count - Math.min(FOLDED, folded.length);
  return [head, ...folded.slice(0, FOLDED).map((each) => line(each, { sub: true })),
    rest ? el("p", { class: "more-line sub" }, t("more_folded", { n: number(rest) })) : null].filter(Boolean);
}

/** Open or close a fold; what lies in it is read when it is opened. */
async function toggle({ id }, again) {
  if (opened.delete(id)) return again();
  opened.add(id);
  again();
  try {
    await lookUp({ cause: id, state: "open", limit: FOLDED });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error; // what is known is shown, and how many more there are
  }
  return again();
}

/** In three rows: where and how much, what and how fast, since when and whose. `here`: the place is known. */
function rows(alert, here, can) {
  const row = (...pair) => el("span", { class: "row" }, ...pair);
  const value = el("span", { class: "value" }, amount(alert, alert.value));
  const told = el("span", { class: "what" }, levelMark(alert.level), el("span", { class: "rule" }, what(alert)));
  const last = row(el("span", { class: "since" }, since(alert)), el("span", { class: "standing" }, ...marks(alert), can ? "" : standing(alert)));
  if (here) return [row(told, value), last];
  const soon = outlook(alert);
  return [row(el("span", { class: "place" }, place(alert)), value), row(told, el("span", { class: "trend" }, trend(alert))), last,
    soon ? row(el("span", { class: "outlook" }, soon)) : ""];
}

function line(alert, { fold = null, acknowledge = false, sub = false, here = false }) {
  const can = acknowledge && isWaiting(alert) && !alert.sending;
  const open = el("button", { type: "button", class: "open", data: { key: `alert-${alert.id}` }, click: () => look({ alert: String(alert.id) }) },
    ...rows(alert, here, can));
  const take = can ? el("button", {
    type: "button", class: "take", data: { key: `take-${alert.id}` }, ariaLabel: `${t("do_acknowledge")}: ${place(alert)}`,
    click: () => send(alert.id, "acknowledge"),
  }, t("take")) : null;
  const failure = failures.get(alert.id);
  const classes = ["alert", sub && "sub", isWaiting(alert) && "waiting", isOver(alert) && "over", isMuted(alert) && "muted", view.alert === String(alert.id) && "picked"];
  return el("div", { class: classes.filter(Boolean).join(" "), role: "listitem", data: { id: alert.id, level: alert.level, state: alert.state } }, badge(alert.level), open, take,
    failure ? el("p", { class: "advice", role: "alert" }, `${t(`failed_${failure.what}`)} ${failure.message}`) : null, fold);
}
