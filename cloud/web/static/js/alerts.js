// The alerts the wall knows: all that last, those that ended within a day, and what somebody looked up besides.
import * as api from "./api.js";
import { LEVELS } from "./marks.js";
import { emit, now_ms } from "./state.js";

export const DAY_MS = 86_400_000;
const LIMIT = 1000;
const STANDING = ["open", "acknowledged", "muted"]; // who waits comes first
export const known = new Map(); // id -> alert
const levels = new Map(); // node -> the worst level that lasts there
const folds = new Map(); // id of a cause -> the alerts folded under it

export const isOver = (alert) => !STANDING.includes(alert.state);
export const isMuted = (alert) => alert.state === "muted";

/** An alert that nobody has taken on yet; what late data showed is history, and waits for nobody. */
export const isWaiting = (alert) => alert.state === "open" && alert.live;

/** Folded under a cause that lasts: its cause speaks for it. */
export const isFolded = (alert) => alert.cause !== null && alert.cause !== undefined && !isOver(known.get(alert.cause) ?? { state: "closed" });

const rank = (alert) => (isWaiting(alert) ? 0 : alert.state === "acknowledged" ? 10 : 20) + LEVELS.indexOf(alert.level);

/** The most urgent first: nobody's before somebody's, the worse level, then the newer. */
export const byUrgency = (a, b) => rank(a) - rank(b) || b.start_ms - a.start_ms || b.id - a.id;
export const byTime = (a, b) => b.start_ms - a.start_ms || b.id - a.id;

/** What lasts and is not folded, the most urgent first. */
export const standing = () => [...known.values()].filter((alert) => !isOver(alert) && !isFolded(alert)).sort(byUrgency);

/** The alerts folded under this one. */
export const under = (id) => (folds.get(id) ?? []).toSorted(byUrgency);

/** The worst level that lasts at a node, null when there is none. */
export const levelAt = (node) => levels.get(node) ?? null;

/** The nodes with a red alert that nobody has taken on: the only thing on the wall that blinks. */
export const alarms = () => standing().filter((alert) => alert.level === "red" && isWaiting(alert)).map((alert) => alert.node);
export const of = (node) => [...known.values()].filter((alert) => alert.node === node).sort(byTime);

/** Return {red, orange, yellow, blue, waiting, muted} over what lasts. The muted are counted apart; what late data showed calls nobody. */
export function tally() {
  const result = { waiting: 0, muted: 0, ...Object.fromEntries(LEVELS.map((level) => [level, 0])) };
  for (const alert of standing()) {
    if (!alert.live) continue;
    if (isMuted(alert)) result.muted += 1;
    else result[alert.level] += 1;
    if (isWaiting(alert)) result.waiting += 1;
  }
  return result;
}

function index() {
  folds.clear();
  levels.clear();
  for (const alert of known.values()) {
    if (alert.cause !== null && alert.cause !== undefined) folds.set(alert.cause, [...(folds.get(alert.cause) ?? []), alert]);
  }
  for (const alert of standing()) {
    const before = levels.get(alert.node);
    if (!isMuted(alert) && (!before || LEVELS.indexOf(alert.level) < LEVELS.indexOf(before))) levels.set(alert.node, alert.level);
  }
}

/** Take alerts as the cloud tells them; steps, which only one alert's own page has, are left to that page. */
export function put(alerts, { replace = false } = {}) {
  if (replace) known.clear();
  for (const { steps, ...alert } of alerts) known.set(alert.id, alert);
  index();
  emit("alerts", new Set(alerts.map((alert) => alert.id)));
}

/** Read what lasts and what ended within a day. */
export async function read() {
  const [open, ended] = await Promise.all([
    api.alerts({ state: "open", limit: LIMIT }), api.alerts({ state: "ended", since: Math.round(now_ms() - DAY_MS), limit: LIMIT })]);
  put([...ended.alerts, ...open.alerts], { replace: true });
}

/** Let mutes run out as time passes. */
export function wake() {
  const over = [...known.values()].filter((alert) => isMuted(alert) && alert.muted_until_ms !== null && alert.muted_until_ms <= now_ms());
  if (over.length) put(over.map((alert) => ({ ...alert, state: alert.acknowledged_by ? "acknowledged" : "open" })));
}

/** Look up what is known by no page yet: ended ones, or a node's past. */
export async function lookUp(query) {
  const found = (await api.alerts({ limit: LIMIT, ...query })).alerts;
  put(found);
  return found;
}
