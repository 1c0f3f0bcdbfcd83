// Numbers, units, ages and times as people of the city read them.
import { language, locale, t } from "./i18n.js";

let zone = "Asia/Shanghai";
const cache = new Map();

export function setZone(name) {
  zone = name;
  cache.clear();
}
export const timeZone = () => zone;

function cached(kind, options) {
  const key = `${kind.name}|${locale()}|${JSON.stringify(options)}`;
  if (!cache.has(key)) cache.set(key, new kind(locale(), options));
  return cache.get(key);
}

export const number = (value, decimals = 0) =>
  cached(Intl.NumberFormat, { minimumFractionDigits: decimals, maximumFractionDigits: decimals }).format(value);

const time = (options) => (time_ms) =>
  cached(Intl.DateTimeFormat, { timeZone: zone, hourCycle: "h23", ...options }).format(time_ms);
const two = "2-digit";
export const clock = time({ hour: two, minute: two, second: two });
export const minute = time({ hour: two, minute: two });
const weekday = time({ weekday: "short" });
const longDate = time({ weekday: "short", year: "numeric", month: "short", day: "numeric" });
const isoDay = (time_ms) => new Intl.DateTimeFormat("sv-SE", { timeZone: zone }).format(time_ms);

export const date = (time_ms) => (language() === "zh" ? `${isoDay(time_ms)} ${weekday(time_ms)}` : longDate(time_ms));
const monthDay = (time_ms) => (language() === "zh" ? isoDay(time_ms).slice(5) : time({ day: "numeric", month: "short" })(time_ms));

/** Return hh:mm today, with the day when it is another one. */
export function moment(time_ms, now_ms) {
  const same = isoDay(time_ms) === isoDay(now_ms);
  return same ? minute(time_ms) : `${monthDay(time_ms)} ${minute(time_ms)}`;
}
export const tick = (time_ms, span_s) => (span_s > 2 * 86400 ? monthDay(time_ms) : minute(time_ms));

export function age(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 120) return t("s", { n: s });
  if (s < 7200) return t("min", { n: Math.floor(s / 60) });
  if (s < 172800) return t("h", { n: Math.floor(s / 3600) });
  return t("d", { n: Math.floor(s / 86400) });
}

// SenML unit names (RFC 8428, RFC 8798) and our own -> what people see.
const DISPLAY = {
  Cel: "°C", m3: "m³", "m/s2": "m/s²", "m3/s": "m³/s", "W/m2": "W/m²", count: "", "/": "", "%EL": "%", "%RH": "%",
  deg: "°", "kg/m3": "kg/m³", "ug/m3": "µg/m³", "/100": "%", "/1000": "‰", NTU: "NTU", "mg/l": "mg/L",
  "mg/m3": "mg/m³", "uS/cm": "µS/cm", "um/m": "µε", "nSv/h": "nSv/h", "%LEL": "%LEL", "m3/h": "m³/h",
};
export const unit = (symbol) => DISPLAY[symbol] ?? symbol;

const LARGER = { W: "kW", Wh: "kWh" };

const STATE_WORDS = {
  occupied: ["free", "taken"], charging: ["idle", "charging_now"], cover_open: ["closed", "opened"], door_open: ["closed", "opened"],
};
const stateWord = (name, set) => t((STATE_WORDS[name] ?? ["off", "on"])[Number(set)]);

/** Return how many decimals are worth reading: levels in metres keep their centimetres, others lose them above ten. */
function places(value, { decimals, unit: symbol }) {
  if (symbol === "m" || Math.abs(value) < 10) return Math.min(decimals, 2);
  return Math.min(decimals, Math.abs(value) < 1000 ? 1 : 0);
}

/** Return {value, unit} ready to show: thousands of watts become kilowatts, states become words. */
export function shown(value, quantity) {
  if (value === null || value === undefined) return { value: "–", unit: "" };
  if (quantity.form === "state") return { value: stateWord(quantity.name, value >= 0.5), unit: "" };
  if (quantity.unit in LARGER && Math.abs(value) >= 1000) return { value: number(value / 1000, 1), unit: LARGER[quantity.unit] };
  return { value: number(value, places(value, quantity)), unit: unit(quantity.unit) };
}

export function phrase(value, quantity) {
  const it = shown(value, quantity);
  return it.unit ? `${it.value} ${it.unit}` : it.value;
}
