// The cloud's HTTP API, as the wall reads it; every failure becomes an ApiError with a remedy.

export class ApiError extends Error {
  constructor(message, { remedy = "", status = 0 } = {}) {
    super(message);
    this.remedy = remedy;
    this.status = status;
  }
}

const TIMEOUT_MS = 15_000;

function get(path, query = {}, options = {}) {
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== undefined && value !== ""));
  return ask(`/api/v1/${path}${search.size ? `?${search}` : ""}`, options);
}

/** Send what changes something: with the token, and JSON. */
const post = (path, body, token, method = "POST") => ask(`/api/v1/${path}`, {
  method, body: JSON.stringify(body), headers: { "Content-Type": "application/json", Authorization: `Token ${token}` },
});

async function ask(url, { timeout_ms = TIMEOUT_MS, ...request } = {}) {
  let response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(timeout_ms), cache: "no-store", ...request });
  } catch (error) {
    throw new ApiError(`${url}: ${error.message}`);
  }
  const body = await response.json().catch(() => null);
  if (!response.ok || body === null) {
    const { message = response.statusText, remedy = "" } = body?.error ?? {};
    throw new ApiError(`${url}: ${response.status} ${message}`, { remedy, status: response.status });
  }
  return body;
}

export const health = (options) => get("health", {}, options);
export const kinds = () => get("kinds");
export const map = () => get("map");
export const nodes = () => get("nodes");
export const node = (id) => get(`nodes/${id}`);
export const device = (id) => get(`nodes/${id}/device`);
export const commands = (id) => get(`nodes/${id}/commands`);
export const latest = (query) => get("latest", query);
export const ledger = () => get("ledger");
export const gateways = () => get("gateways");
export const quarantine = (limit = 200) => get("quarantine", { limit });
export const alerts = (query) => get("alerts", query);
export const alert = (id) => get(`alerts/${id}`);

/** acknowledge, assign, comment, mute or close an alert. */
export const step = (id, what, body, token) => post(`alerts/${id}/${what}`, body, token);

/** A note about a node; a command to it; its place and names corrected. */
export const note = (id, body, token) => post(`nodes/${id}/notes`, body, token);
export const order = (id, body, token) => post(`nodes/${id}/commands`, body, token);
export const correct = (id, body, token) => post(`nodes/${id}`, body, token, "PATCH");

/** Return [[time_ms, value], ...] of one node's quantity. */
export async function readings({ node, quantity, start, end, step_s, aggregate }) {
  return (await get("readings", { node, quantity, start, end, step_s, aggregate })).readings;
}

/** Return [[time_ms, value], ...] over all nodes of a kind. */
export async function summary({ kind, quantity, start, end, step_s, aggregate }) {
  return (await get("summary", { kind, quantity, start, end, step_s, aggregate })).readings;
}
