// The nodes on the map: one canvas for all of them, drawn only when something changed, and one for the pulses.
/* global L */
import { eyeZoom, overlaps } from "./basemap.js";
import { rem } from "./dom.js";
import { COLOURS, LEVELS, LEVEL_COLOURS, STATES, sprite } from "./marks.js";

const CROWD = 1500; // more marks than this in sight: gather them
const CELL_REM = 4.2;
const PULSE_MS = 1100;
const PULSES = 48;
const DRAWN = [...STATES, ...LEVELS.toReversed()]; // the worst last, on top

export const NodeLayer = L.Layer.extend({
  /** marks(): [{id, node, x, y, state, off, big, label, value, rank, size, named}] with x, y in world pixels at zoom 0. names(ctx, taken): the map's own names, where room is left. */
  initialize(marks, names) {
    this._marks = marks;
    this._names = names;
    this._pulses = new Map();
    this.drawn = 0;
    this.shown = []; // [{mark, x, y}] of the last drawing
    this.clusters = [];
  },

  onAdd(map) {
    this._canvases = [0, 1].map(() => L.DomUtil.create("canvas", "nodes", map.getPanes().overlayPane));
    map.on("move zoomend viewreset resize", this.redraw, this);
    this.redraw();
  },

  onRemove(map) {
    this._canvases.forEach((canvas) => canvas.remove());
    map.off("move zoomend viewreset resize", this.redraw, this);
  },

  redraw() {
    this._wanted ??= requestAnimationFrame(() => {
      this._wanted = null;
      this._draw();
    });
  },

  _fit(canvas) {
    const size = this._map.getSize();
    const dpr = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(size.x * dpr) || canvas.height !== Math.round(size.y * dpr)) {
      canvas.width = Math.round(size.x * dpr);
      canvas.height = Math.round(size.y * dpr);
      canvas.style.width = `${size.x}px`;
      canvas.style.height = `${size.y}px`;
    }
    L.DomUtil.setPosition(canvas, this._map.containerPointToLayerPoint([0, 0]));
    const ctx = canvas.getContext("2d");
    ctx.setTransform(dpr, 0, 0, dpr, 0, 0);
    ctx.clearRect(0, 0, size.x, size.y);
    return ctx;
  },

  _draw() {
    const ctx = this._fit(this._canvases[0]);
    this._fit(this._canvases[1]);
    const seen = this._inSight();
    this.shown = [];
    this.clusters = [];
    if (seen.length > CROWD) this._gather(ctx, seen);
    else this.shown = seen;
    this._stamp(ctx, this.shown);
    this._names(ctx, this._write(ctx, this.shown));
    this.drawn = seen.length;
    if (this._pulses.size) this._animate();
  },

  _inSight() {
    const scale = 2 ** this._map.getZoom();
    const corner = this._map.getPixelBounds().min;
    const size = this._map.getSize();
    const seen = [];
    for (const mark of this._marks()) {
      const x = mark.x * scale - corner.x;
      const y = mark.y * scale - corner.y;
      if (x > -20 && y > -20 && x < size.x + 20 && y < size.y + 20) seen.push({ mark, x, y });
    }
    return seen;
  },

  /** Gather the small marks of a cell (fixed to the ground, so panning does not shuffle them) into one. */
  _gather(ctx, seen) {
    const cell = CELL_REM * rem();
    const corner = this._map.getPixelBounds().min;
    const cells = new Map();
    for (const it of seen) {
      if (it.mark.size > 0 || it.mark.selected || it.mark.level) {
        this.shown.push(it);
        continue;
      }
      const key = `${Math.floor((it.x + corner.x) / cell)}:${Math.floor((it.y + corner.y) / cell)}`;
      if (!cells.has(key)) cells.set(key, []);
      cells.get(key).push(it);
    }
    for (const group of cells.values()) {
      if (group.length < 4) this.shown.push(...group);
      else this._cluster(ctx, group);
    }
  },

  _cluster(ctx, group) {
    const x = group.reduce((sum, it) => sum + it.x, 0) / group.length;
    const y = group.reduce((sum, it) => sum + it.y, 0) / group.length;
    const well = group.filter((it) => it.mark.state === "ok").length / group.length;
    const r = rem() * Math.min(1.35, 0.6 + Math.log10(group.length) * 0.28);
    ctx.beginPath();
    ctx.arc(x, y, r, 0, 7);
    ctx.fillStyle = "#12212b";
    ctx.fill();
    ctx.lineWidth = rem() * 0.16;
    for (const [from, to, colour] of [[0, well, COLOURS.dim], [well, 1, COLOURS.stale]]) {
      if (to - from < 1e-6) continue;
      ctx.beginPath();
      ctx.arc(x, y, r, from * 2 * Math.PI - Math.PI / 2, to * 2 * Math.PI - Math.PI / 2);
      ctx.strokeStyle = colour;
      ctx.stroke();
    }
    ctx.fillStyle = COLOURS.soft;
    ctx.font = `${rem() * 0.85}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    ctx.fillText(String(group.length), x, y);
    this.clusters.push({ x, y, r, group });
  },

  _stamp(ctx, shown) {
    const far = Math.min(1, Math.max(0.72, 2 ** ((eyeZoom(this._map) - 13.4) / 3)));
    const near = Math.min(1.8, Math.max(far, 2 ** ((eyeZoom(this._map) - 14) / 2.5)));
    const radii = [0.17 * near, 0.27 * near, 0.46 * far].map((em) => Math.round(rem() * em * 4) / 4);
    for (const wanted of radii.keys()) {
      for (const state of DRAWN) {
        for (const { mark, x, y } of shown) {
          if (mark.size !== wanted || mark.state !== state) continue;
          const r = mark.level ? Math.max(radii[1], radii[2]) * 1.1 : radii[wanted] * (wanted === 0 && state !== "ok" ? 1.7 : 1);
          const { image, half } = sprite(mark.state, r, mark.off);
          ctx.drawImage(image, x - half, y - half, half * 2, half * 2);
        }
      }
    }
    ctx.setLineDash([rem() * 0.2, rem() * 0.14]);
    for (const trial of shown) if (trial.mark.node.trial) this._ring(ctx, trial, 0.7, 0.09);
    ctx.setLineDash([]);
    const picked = shown.find(({ mark }) => mark.selected);
    if (picked) this._ring(ctx, picked, 0.95, 0.14);
  },

  /** Draw a ring around a mark: dashed around new firmware on trial, whole around what was picked. */
  _ring(ctx, { x, y }, radius_rem, width_rem) {
    ctx.beginPath();
    ctx.arc(x, y, rem() * radius_rem, 0, 7);
    ctx.strokeStyle = COLOURS.text;
    ctx.lineWidth = rem() * width_rem;
    ctx.stroke();
  },

  /** Write names and values where there is room, by rank; return the boxes taken. */
  _write(ctx, shown) {
    const em = rem();
    const taken = shown.filter(({ mark }) => mark.size === 2).map(({ x, y }) => [x - em * 0.5, y - em * 0.5, x + em * 0.5, y + em * 0.5]);
    taken.push(...this.clusters.map(({ x, y, r }) => [x - r, y - r, x + r, y + r]));
    const family = getComputedStyle(document.body).fontFamily;
    const zoom = eyeZoom(this._map);
    const deep = zoom >= 16.5;
    const worth = shown.filter(({ mark }) => mark.named || mark.selected || deep).sort((a, b) => b.mark.rank - a.mark.rank);
    ctx.textAlign = "left";
    ctx.textBaseline = "middle";
    for (const { mark, x, y } of worth.slice(0, 160)) {
      const { name, value } = mark.words();
      ctx.font = `600 ${em}px ${family}`;
      const wide = value ? ctx.measureText(value).width : 0;
      ctx.font = `${em * 0.82}px ${family}`;
      const nameWide = ctx.measureText(name).width;
      const room = (withName) => this._room(taken, x, y, em, withName ? Math.max(wide, nameWide) : wide, withName && value ? 2.1 : 1.2);
      const full = zoom >= 12.8 || mark.selected ? room(true) : null;
      const box = full ?? (value ? room(false) : null);
      if (!box) continue;
      taken.push(box);
      const left = box[0] + em * 0.1;
      this._line(ctx, value, left, (full ? box[1] + em * 0.62 : (box[1] + box[3]) / 2), `600 ${em}px ${family}`, LEVEL_COLOURS[mark.level] ?? (mark.state === "ok" ? COLOURS.text : COLOURS.stale));
      if (full) this._line(ctx, name, left, value ? box[1] + em * 1.6 : (box[1] + box[3]) / 2, `${em * 0.82}px ${family}`, COLOURS.soft);
    }
    return taken;
  },

  _room(taken, x, y, em, wide, lines) {
    const high = lines * em;
    for (const left of [x + em * 0.7, x - em * 0.8 - wide]) {
      const box = [left, y - high / 2, left + wide + em * 0.2, y + high / 2];
      const inside = box[0] >= 0 && box[2] <= this._map.getSize().x;
      if (inside && !taken.some((other) => overlaps(box, other))) return box;
    }
    return null;
  },

  _line(ctx, text, x, y, font, colour) {
    if (!text) return;
    ctx.font = font;
    ctx.lineJoin = "round";
    ctx.lineWidth = rem() * 0.22;
    ctx.strokeStyle = "#0b1219cc";
    ctx.strokeText(text, x, y);
    ctx.fillStyle = colour;
    ctx.fillText(text, x, y);
  },

  /** Let nodes send out one ring each: what changed, or what is red and nobody's. */
  pulse(ids, colour = COLOURS.accent) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches || document.hidden) return;
    const seen = new Map(this.shown.map((it) => [it.mark.id, it]));
    for (const id of ids) {
      if (this._pulses.size >= PULSES) break;
      if (seen.has(id)) this._pulses.set(id, { start: performance.now(), colour });
    }
    this._animate();
  },

  _animate() {
    this._frame ??= requestAnimationFrame((now) => {
      this._frame = null;
      const ctx = this._fit(this._canvases[1]);
      const seen = new Map(this.shown.map((it) => [it.mark.id, it]));
      for (const [id, { start, colour }] of this._pulses) {
        const part = (now - start) / PULSE_MS;
        const at = seen.get(id);
        if (part >= 1 || !at) {
          this._pulses.delete(id);
          continue;
        }
        ctx.beginPath();
        ctx.arc(at.x, at.y, rem() * [0.2, 0.3, 0.5][at.mark.size] + rem() * 1.2 * Math.max(0, part), 0, 7);
        ctx.strokeStyle = colour;
        ctx.globalAlpha = 0.8 * (1 - Math.max(0, part)) ** 2;
        ctx.lineWidth = rem() * 0.12;
        ctx.stroke();
      }
      ctx.globalAlpha = 1;
      if (this._pulses.size) this._animate();
    });
  },

  /** Return {mark} or {cluster} at a container point, or null. */
  at(point) {
    const reach = rem() * 1.1;
    let best = null;
    for (const it of this.shown) {
      const far = Math.hypot(it.x - point.x, it.y - point.y) - 3 * it.mark.size;
      if (far < reach && (!best || far < best.far)) best = { mark: it.mark, x: it.x, y: it.y, far };
    }
    if (best) return best;
    const cluster = this.clusters.find((it) => Math.hypot(it.x - point.x, it.y - point.y) < it.r);
    return cluster ? { cluster } : null;
  },
});
