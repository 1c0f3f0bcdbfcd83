// The map in the middle: the base, the nodes, the layers to choose, the legend, and what a pointer finds.
/* global L */
import { alarms, known, levelAt } from "./alerts.js";
import { addBase, drawNames } from "./basemap.js";
import { levelMark } from "./alertline.js";
import { byId, el, refill, rem, text } from "./dom.js";
import { closeDrawer } from "./drawer.js";
import { number, phrase } from "./format.js";
import { label, t } from "./i18n.js";
import { badge, LEVEL_COLOURS, LEVELS, STATES } from "./marks.js";
import { NodeLayer } from "./nodelayer.js";
import { counts, kindOf, on, quantityOf, store } from "./state.js";
import { inLayer, look, view } from "./view.js";

const FEW = 60; // kinds with more nodes than this are drawn as dots
const LANDMARKS = ["water_level", "air_quality"]; // read from afar, with their values
const NEAR_ZOOM = 16;
const BLINK_MS = 1200; // as the lines of the list do
const RANKS = { ...Object.fromEntries(LEVELS.map((level, worse) => [level, 30 - worse])), suspect: 3, late: 2, silent: 2, ok: 1 };
let map = null;
let layer = null;
let marks = [];
let home = null;
let moved = false;
let before = null; // where the map was before an alert moved it

function toMark(node, size, named) {
  const point = map.project([node.lat, node.lon], 0);
  const kind = kindOf(node);
  return {
    id: node.id, x: point.x, y: point.y, size, node,
    get level() { return levelAt(node.id); },
    get state() { return this.level ?? node.state; },
    get named() { return named || this.level !== null; },
    get selected() { return picked() === node.id; },
    get rank() { return (this.selected ? 10 : 0) + (kind?.headline === "level_m" ? 5 : 0) + RANKS[node.state]; },
    get off() { return isOff(node, kind); },
    words: () => ({ name: label(node.label, node.id), value: headline(node, kind) }),
  };
}

/** A lamp that is off, a bay that is free: drawn dim. */
function isOff(node, kind) {
  const values = store.latest.get(node.id)?.values ?? {};
  const state = kind?.quantities.find((quantity) => quantity.form === "state" && (quantity.name === kind.headline || quantity.name === "lamp_on"));
  return state !== undefined && values[state.name] !== undefined && values[state.name] < 0.5;
}

/** The node that is looked at, or the one whose alert is. */
const picked = () => view.node || known.get(Number(view.alert))?.node;

function headline(node, kind) {
  const value = store.latest.get(node.id)?.values?.[kind?.headline];
  return value === undefined || value === null ? "" : phrase(value, quantityOf(kind.headline));
}

/** Landmarks are large (2), with what leads the layer looked at; other few are medium (1), the many are dots (0). */
function sizeOf(kind, nodes) {
  if (nodes > FEW) return 0;
  const leading = [...store.kinds.values()].find((each) => each.system === view.layer);
  return LANDMARKS.includes(kind) || leading?.name === kind || view.layer === kind ? 2 : 1;
}

function rebuild() {
  marks = [];
  for (const [kind, nodes] of store.byKind) {
    const chosen = nodes.filter((node) => node.lat !== null && node.lon !== null && inLayer(node, store.kinds));
    const size = sizeOf(kind, nodes.length);
    const named = size === 2 || (view.layer !== "" && nodes.length <= FEW);
    for (const node of chosen) marks.push(toMark(node, size, named));
  }
  if (!moved && !home) fit();
  layer.redraw();
}

function bounds() {
  if (home) return home;
  const all = [...store.nodes.values()].filter((node) => node.lat !== null);
  return all.length ? L.latLngBounds(all.map((node) => [node.lat, node.lon])) : null;
}

function fit() {
  map.invalidateSize({ pan: false });
  const around = bounds();
  const pad = rem() * 0.9;
  if (around) map.fitBounds(around, { animate: false, paddingTopLeft: [pad, pad * 3], paddingBottomRight: [pad, pad * 3], maxZoom: 17 });
}

function drawLayers() {
  const present = store.systems.filter((system) => [...store.byKind.keys()].some((kind) => store.kinds.get(kind)?.system === system.name));
  const chips = [{ name: "", label: null }, ...present];
  const kind = store.kinds.get(view.layer);
  if (kind) chips.push(kind);
  refill(byId("layers"), ...chips.map((chip) => el("button", {
    type: "button", ariaPressed: String(view.layer === chip.name), click: () => look({ layer: chip.name }),
  }, chip.label ? label(chip.label, chip.name) : t("all"))));
}

function drawLegend() {
  const count = counts(marks.map((mark) => mark.node));
  const legend = byId("legend");
  if (legend.childElementCount < STATES.length || legend.dataset.lang !== t("ok")) {
    legend.dataset.lang = t("ok");
    legend.replaceChildren(...STATES.map((state) => el("li", {}, badge(state), el("span", {}, t(state)), el("b", {}, ""))));
  }
  STATES.forEach((state, index) => text(legend.children[index].lastChild, number(count[state])));
  const levels = LEVELS.filter((level) => marks.some((mark) => mark.level === level));
  legend.querySelectorAll("[data-level]").forEach((item) => item.remove());
  legend.append(...levels.map((level) => el("li", { data: { level } }, levelMark(level))));
  const trials = marks.filter((mark) => mark.node.trial).length;
  legend.querySelector("[data-trial]")?.remove();
  if (trials) legend.append(el("li", { data: { trial: "" } }, el("span", { class: "ring" }), el("span", {}, t("trial")), el("b", {}, number(trials))));
  const blank = byId("blank");
  blank.hidden = store.nodes.size > 0;
  if (!blank.hidden) blank.replaceChildren(el("b", {}, t("no_nodes")), el("span", {}, t("no_nodes_hint")));
  document.documentElement.dataset.nodes = String(marks.length);
}

function point(event) {
  const found = layer.at(event.containerPoint);
  const tip = byId("tip");
  byId("map").classList.toggle("over", Boolean(found));
  tip.hidden = !found?.mark;
  if (tip.hidden) return;
  const { name, value } = found.mark.words();
  tip.style.left = `${found.x}px`;
  tip.style.top = `${found.y}px`;
  tip.replaceChildren(name, el("b", {}, value || t(found.mark.node.state), found.mark.level ? levelMark(found.mark.level) : ""), found.mark.node.trial ? el("span", { class: "trial" }, t("trial")) : "");
}

function click(event) {
  const found = layer.at(event.containerPoint);
  if (found?.mark) look({ node: found.mark.id });
  else if (found?.cluster) {
    moved = true;
    map.setView(map.containerPointToLatLng([found.cluster.x, found.cluster.y]), Math.min(map.getMaxZoom(), map.getZoom() + 1.5));
  } else closeDrawer();
}

/** Bring a node into sight, left of the drawer; an alert's only by moving the map, and only until it is closed. */
function show(id) {
  const node = store.nodes.get(id);
  if (!node || node.lat === null) return;
  const at = map.latLngToContainerPoint([node.lat, node.lon]);
  const { x: width, y: height } = map.getSize();
  const free = innerWidth > 820 ? width - (view.alert ? 43 : 18) * rem() : width;
  if (at.x > 40 && at.y > 40 && at.x < free && at.y < height - 40) return;
  if (view.alert) {
    before ??= { center: map.getCenter(), zoom: map.getZoom(), moved };
    moved = true;
    map.panBy([at.x - free / 2, at.y - height / 2], { animate: false });
    return;
  }
  moved = true;
  map.setView([node.lat, node.lon], Math.max(map.getZoom(), NEAR_ZOOM - 1), { animate: false });
}

/** Go back to where the map was before an alert moved it, unless somebody moved it since. */
function goBack() {
  if (!before || view.alert) return;
  map.setView(before.center, before.zoom, { animate: false });
  moved = before.moved;
  before = null;
}

export function start() {
  map = L.map("map", {
    zoomControl: false, attributionControl: false, zoomSnap: 0.25, zoomDelta: 0.5, zoomAnimation: false, fadeAnimation: false,
    minZoom: 9, maxZoom: 19, wheelPxPerZoomLevel: 120,
  });
  L.control.zoom({ position: "topright" }).addTo(map);
  map.setView(store.map?.center ?? [0, 0], store.map?.zoom ?? 12);
  const features = store.map?.features ?? { features: [] };
  home = addBase(map, features);
  layer = new NodeLayer(() => marks, (ctx, taken) => drawNames(ctx, map, features, taken)).addTo(map);
  map.on("mousemove", point);
  map.on("mouseout", () => { byId("tip").hidden = true; });
  map.on("click", click);
  map.on("dragstart", () => { moved = true; before = null; });
  map.getContainer().addEventListener("wheel", () => { moved = true; before = null; }, { passive: true });
  new ResizeObserver(() => { if (moved) map.invalidateSize({ pan: false }); else fit(); }).observe(map.getContainer());
  on("nodes", () => { rebuild(); drawLayers(); drawLegend(); });
  on("alerts", () => { layer.redraw(); drawLegend(); });
  setInterval(() => layer.pulse(alarms(), LEVEL_COLOURS.red), BLINK_MS);
  on("readings", (changed) => {
    if (changed.length) layer.redraw();
    layer.pulse(changed);
    drawLegend();
  });
  on("view", (changes) => {
    rebuild();
    drawLayers();
    drawLegend();
    goBack();
    if (changes.node || changes.alert) show(picked());
  });
  rebuild();
  drawLayers();
  drawLegend();
  if (picked()) show(picked());
}

/** Where a node is drawn, in page pixels: for tests and for pointing at it. */
export function pointOf(id) {
  const node = store.nodes.get(id);
  const box = map.getContainer().getBoundingClientRect();
  const at = map.latLngToContainerPoint([node.lat, node.lon]);
  return { x: box.left + at.x, y: box.top + at.y };
}

/** How many nodes the last drawing put on the canvas, alone or gathered. */
export const drawn = () => layer.drawn;
