// What is looked at, kept in the address after the #: lang, layer, node, t, range, panel, tab. A link opens exactly that.
import { emit } from "./state.js";

const KEYS = ["lang", "layer", "node", "t", "range", "panel", "tab"];
export const view = Object.fromEntries(KEYS.map((key) => [key, ""]));

export function readAddress() {
  const search = new URLSearchParams(location.hash.slice(1));
  for (const key of KEYS) view[key] = search.get(key) ?? "";
}

/** Change the view and the address; `undefined` values stay as they are. */
export function look(changes) {
  Object.assign(view, changes);
  const search = new URLSearchParams(KEYS.filter((key) => view[key]).map((key) => [key, view[key]]));
  const opened = ("node" in changes && changes.node) || ("panel" in changes && changes.panel);
  history[opened ? "pushState" : "replaceState"](null, "", search.size ? `#${search}` : location.pathname);
  emit("view", changes);
}

window.addEventListener("popstate", () => {
  readAddress();
  emit("view", { ...view });
});

/** The moment looked at in epoch ms, or null for now. `t` is ISO 8601 or epoch ms. */
export function moment_ms() {
  if (!view.t) return null;
  const time_ms = /^\d+$/.test(view.t) ? Number(view.t) : Date.parse(view.t);
  return Number.isFinite(time_ms) ? time_ms : null;
}

/** True when `node` belongs to the layer looked at: a system, a kind, or everything. */
export function inLayer(node, kinds) {
  return !view.layer || node.kind === view.layer || kinds.get(node.kind)?.system === view.layer;
}
