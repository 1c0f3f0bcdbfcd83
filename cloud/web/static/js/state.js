// What the wall knows: nodes, their latest readings, the ledger; and who wants to hear of changes.

export const store = {
  zone: "Asia/Shanghai",
  systems: [],
  kinds: new Map(), // name -> kind
  quantities: new Map(), // name -> quantity
  nodes: new Map(), // id -> node, with .state kept current
  byKind: new Map(), // kind name -> [node]
  latest: new Map(), // id -> {time_ms, values, qc, rejected}
  doubtSince: new Map(), // id -> time_ms of the first doubtful reading seen in a row
  map: null,
  ledger: null,
  gateways: [],
  quarantined: 0,
  link: { state: "connecting", last_ms: 0, since_ms: 0 },
  skew_ms: 0, // the city's clock minus this screen's
  version: 0, // grows whenever a node's state or drawn value changes
};

const listeners = new Map();
export function on(topic, run) {
  listeners.set(topic, [...(listeners.get(topic) ?? []), run]);
}
export function emit(topic, detail) {
  for (const run of listeners.get(topic) ?? []) run(detail);
}

/** The city's time; it stands still while the link is lost, so that nothing ages by our own deafness. */
export const now_ms = () => (store.link.state === "lost" ? store.link.last_ms : Date.now() + store.skew_ms);

export function setCatalogue({ systems, kinds }) {
  store.systems = systems;
  store.kinds = new Map(kinds.map((kind) => [kind.name, kind]));
  store.quantities = new Map(kinds.flatMap((kind) => [...kind.quantities, ...kind.further]).map((quantity) => [quantity.name, quantity]));
}

export const kindOf = (node) => store.kinds.get(node.kind);
const PLAIN = { label: null, unit: "", decimals: 2, form: "gauge" };
export const quantityOf = (name) => store.quantities.get(name) ?? { ...PLAIN, name };

const LATE_PERIODS = 3;
const SILENT_PERIODS = 20;
const DOUBTFUL = [3, 4];

export const isDoubtful = (reading) =>
  Object.values(reading.qc ?? {}).some((flag) => DOUBTFUL.includes(flag)) || Object.keys(reading.rejected ?? {}).length > 0;

/** Return the state of a node at `now`: its age decides first, then its quality. */
export function stateAt(node, now) {
  const reading = store.latest.get(node.id);
  const time_ms = reading?.time_ms ?? node.time_ms;
  if (!time_ms) return "silent";
  const periods = (now - time_ms) / ((kindOf(node)?.period_s ?? 60) * 1000);
  if (periods > SILENT_PERIODS) return "silent";
  if (periods > LATE_PERIODS) return "late";
  return reading && isDoubtful(reading) ? "suspect" : "ok";
}

function refresh(node, now) {
  const state = stateAt(node, now);
  if (node.state === state) return false;
  node.state = state;
  store.version += 1;
  return true;
}

export function putNodes(nodes, { replace = false } = {}) {
  if (replace) store.nodes.clear();
  for (const node of nodes) store.nodes.set(node.id, { ...store.nodes.get(node.id), ...node });
  store.byKind = Map.groupBy?.(store.nodes.values(), (node) => node.kind) ?? groupByKind();
  for (const node of store.nodes.values()) refresh(node, now_ms());
  store.version += 1;
  emit("nodes");
}

function groupByKind() {
  const groups = new Map();
  for (const node of store.nodes.values()) groups.set(node.kind, [...(groups.get(node.kind) ?? []), node]);
  return groups;
}

/** Take readings, newest wins; return the ids whose headline value changed. */
export function putReadings(readings) {
  const changed = [];
  for (const reading of readings) {
    const before = store.latest.get(reading.node);
    if (before && before.time_ms > reading.time_ms) continue;
    store.latest.set(reading.node, reading);
    noteDoubt(reading);
    const node = store.nodes.get(reading.node);
    if (!node) continue;
    node.time_ms = reading.time_ms;
    refresh(node, now_ms());
    const headline = kindOf(node)?.headline;
    if (before?.values?.[headline] !== reading.values?.[headline]) changed.push(node.id);
  }
  if (changed.length) store.version += 1;
  emit("readings", changed);
  return changed;
}

function noteDoubt(reading) {
  if (!isDoubtful(reading)) store.doubtSince.delete(reading.node);
  else if (!store.doubtSince.has(reading.node)) store.doubtSince.set(reading.node, reading.time_ms);
}

/** Let nodes grow late and silent as time passes. */
export function grow() {
  let moved = false;
  for (const node of store.nodes.values()) moved = refresh(node, now_ms()) || moved;
  if (moved) emit("nodes");
}

export function counts(nodes = store.nodes.values()) {
  const result = { total: 0, ok: 0, suspect: 0, late: 0, silent: 0 };
  for (const node of nodes) {
    result.total += 1;
    result[node.state] += 1;
  }
  return result;
}
export const fresh = (count) => count.ok + count.suspect;
