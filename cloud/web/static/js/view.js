// What is looked at, kept in the address after the #: lang, layer, node, alert, ... A link opens exactly that.
import { emit } from "./state.js";

const KEYS = ["lang", "layer", "node", "alert", "t", "range", "panel", "tab", "state", "level", "system", "q"];
const DRAWERS = ["alert", "node", "panel"]; // what fills the drawer, the first one that is set
export const view = Object.fromEntries(KEYS.map((key) => [key, ""]));

export function readAddress() {
  const search = new URLSearchParams(location.hash.slice(1));
  for (const key of KEYS) view[key] = search.get(key) ?? "";
}

/** Change the view and the address; what is not named stays as it is. Opening one thing in the drawer closes the others. */
export function look(wanted) {
  const opened = DRAWERS.find((key) => wanted[key]);
  const changes = opened ? { ...Object.fromEntries(DRAWERS.map((key) => [key, ""])), ...wanted } : wanted;
  Object.assign(view, changes);
  const search = new URLSearchParams(KEYS.filter((key) => view[key]).map((key) => [key, view[key]]));
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
