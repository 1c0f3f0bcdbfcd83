// The live stream: merges events into the store, notices a lost link, comes back and reads again.
import * as alerts from "./alerts.js";
import * as api from "./api.js";
import { emit, putNodes, putReadings, store } from "./state.js";

const QUIET_MS = 15_000; // the stream beats every 10 s; silence beyond this is checked
const RETRY_MS = 2_000;
let source = null;
let heard_ms = 0;

export async function readAll() {
  const [nodes, latest, ledger, gateways, quarantine] = await Promise.all([
    api.nodes(), api.latest(), api.ledger(), api.gateways(), api.quarantine(1), alerts.read()]);
  store.skew_ms = latest.time_ms - Date.now();
  for (const reading of latest.latest) store.latest.set(reading.node, reading);
  putNodes(nodes.nodes, { replace: true });
  putReadings(latest.latest);
  store.ledger = ledger.total;
  store.gateways = gateways.gateways;
  store.quarantined = quarantine.total;
  emit("network");
}

function setLink(state) {
  const link = store.link;
  if (state === "open") link.last_ms = Date.now() + store.skew_ms;
  if (link.state === state) return;
  if (state === "lost") link.since_ms = Date.now();
  link.state = state;
  emit("link");
}

function heard() {
  heard_ms = Date.now();
  setLink("open");
}

function listen(event, run) {
  source.addEventListener(event, (message) => {
    heard();
    run(JSON.parse(message.data));
  });
}

function open({ fresh = false } = {}) {
  let current = fresh; // true when all was read just now
  source = new EventSource("/api/v1/live");
  source.onopen = async () => {
    heard_ms = Date.now();
    if (current) {
      current = false;
      return heard();
    }
    try {
      await readAll(); // what was missed while deaf
      heard();
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      setLink("lost");
      again();
    }
  };
  source.onerror = () => {
    setLink("lost");
    if (source.readyState === EventSource.CLOSED) again();
  };
  listen("readings", (data) => putReadings(data.readings));
  listen("resync", () => {}); // the cloud lets us go: the stream ends, opens again, and all is read anew
  listen("alerts", (data) => alerts.put(data.alerts));
  listen("nodes", (data) => putNodes(data.nodes));
  listen("network", (data) => {
    store.ledger = data.ledger?.total ?? data.ledger;
    store.gateways = data.gateways;
    store.quarantined = data.quarantined;
    emit("network");
  });
}

function again() {
  source.close();
  setTimeout(() => open(), RETRY_MS);
}

/** A stream can die without a word (a pulled cable): when it has been quiet too long, ask, and open it anew. */
async function watch() {
  if (Date.now() - heard_ms < QUIET_MS || store.link.state === "lost") return;
  heard_ms = Date.now();
  source.close();
  try {
    await api.health({ timeout_ms: 4000 });
    open();
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error;
    setLink("lost");
    again();
  }
}

export function start() {
  heard_ms = Date.now();
  open({ fresh: true });
  setInterval(watch, 5_000);
}
