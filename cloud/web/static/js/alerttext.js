// What an alert says, in words: where, what, how much, how fast, since when, and who has it.
import { isOver } from "./alerts.js";
import { age, minute, moment, number, phrase, unit } from "./format.js";
import { label, t } from "./i18n.js";
import { now_ms, store } from "./state.js";

const PLAIN = { decimals: 2, form: "gauge" };
const MINUTE_MS = 60_000;

export const place = (alert) => label(alert.node_label, alert.node);
export const what = (alert) => label(alert.label, alert.rule);
export const levelWord = (level) => t(`level_${level}`);

/** A quantity of the catalogue, or a signal that every node has besides. */
export function quantityOf(alert) {
  return store.quantities.get(alert.quantity) ?? { ...PLAIN, name: alert.quantity, label: null, unit: alert.unit ?? "" };
}

export function quantityName(alert) {
  const signal = t(`signal_${alert.quantity}`);
  return label(quantityOf(alert).label) || (signal === `signal_${alert.quantity}` ? alert.quantity : signal);
}

/** A value of the alert's quantity with its unit; seconds are told as an age. */
export function amount(alert, value) {
  if (value === null || value === undefined) return "–";
  const quantity = quantityOf(alert);
  return quantity.unit === "s" ? age(value * 1000) : phrase(value, quantity);
}

/** How fast the value changes: metres in centimetres, over ten minutes where that is enough to be seen. */
export function trend(alert) {
  const { rate_per_h: rate } = alert;
  const quantity = quantityOf(alert);
  if (rate === null || rate === undefined || quantity.unit === "s" || quantity.form === "state" || isOver(alert)) return "";
  const [factor, symbol] = quantity.unit === "m" ? [100, "cm"] : [1, unit(quantity.unit)];
  const decimals = quantity.unit === "m" ? 0 : Math.min(quantity.decimals, 1);
  const soon = (rate * factor) / 6;
  const slow = Math.abs(soon) < 0.95 * 10 ** -decimals;
  const value = slow ? rate * factor : soon;
  if (Math.abs(value) < 0.5 * 10 ** -decimals) return t("steady");
  return t(slow ? "trend_hour" : "trend_10min", { change: `${value > 0 ? "+" : "−"}${number(Math.abs(value), decimals)}${symbol ? ` ${symbol}` : ""}` });
}

/** "until 19:31, 42 min" or "since 19:31, 42 min". */
export function since(alert) {
  const length = age((alert.end_ms ?? now_ms()) - alert.start_ms);
  return t(alert.end_ms ? "lasted" : "lasting", { time: moment(alert.start_ms, now_ms()), age: length });
}

/** Who has it, or what became of it. */
export function standing(alert) {
  const { state, acknowledged_by: by, muted_until_ms: until, end_ms } = alert;
  if (alert.sending) return t("sending");
  if (state === "muted") return until ? t("muted_until", { time: moment(until, now_ms()) }) : t("state_muted");
  if (state === "resolved") return end_ms ? t("resolved_at", { time: moment(end_ms, now_ms()) }) : t("state_resolved");
  if (state === "acknowledged") return by ? t("acknowledged_by", { who: by }) : t("state_acknowledged");
  return t(`state_${state}`);
}

/** What the rule adds: when a stage will be reached. */
export function outlook(alert) {
  const { reaches_min: min, stage_m: stage } = alert.note ?? {};
  if (min === undefined || min === null || isOver(alert)) return "";
  const time = minute(alert.updated_ms + min * MINUTE_MS);
  return t("reaches", { age: age(min * MINUTE_MS), time, value: stage === undefined ? "" : amount(alert, stage) });
}

/** One sentence, for those who listen. */
export const sentence = (alert) => `${levelWord(alert.level)} ${place(alert)} ${what(alert)} ${amount(alert, alert.value)}`;
