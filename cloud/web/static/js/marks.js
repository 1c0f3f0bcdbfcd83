// How a state or an alert's level looks: one shape each, so that the colour-blind read it too. Drawn once, stamped often.

export const STATES = ["ok", "suspect", "late", "silent"];
export const LEVELS = ["red", "orange", "yellow", "blue"]; // the worst first
export const LEVEL_COLOURS = { red: "#ff5a4f", orange: "#ff9a3d", yellow: "#f5d54a", blue: "#6aa8ff" };
export const COLOURS = { accent: "#5cc8b8", dim: "#2c5f60", text: "#e8eff3", stale: "#8795a0", ground: "#0b1219", soft: "#a5b6c2" };

function circle(ctx, r) {
  ctx.beginPath();
  ctx.arc(0, 0, r, 0, 7);
}

/** ok: a disc (hollow when what it is about is off). */
function drawOk(ctx, r, off) {
  circle(ctx, r);
  ctx.fillStyle = off ? COLOURS.dim : COLOURS.accent;
  ctx.fill();
}

function diamond(ctx, d) {
  ctx.beginPath();
  ctx.moveTo(0, -d);
  ctx.lineTo(d, 0);
  ctx.lineTo(0, d);
  ctx.lineTo(-d, 0);
  ctx.closePath();
}

/** suspect: a hatched diamond. */
function drawSuspect(ctx, r) {
  const d = r * 1.3;
  diamond(ctx, d);
  ctx.fillStyle = COLOURS.ground;
  ctx.fill();
  ctx.save();
  ctx.clip();
  ctx.strokeStyle = COLOURS.text;
  ctx.lineWidth = r * 0.28;
  ctx.beginPath();
  for (let x = -2 * d; x < 2 * d; x += r * 0.62) {
    ctx.moveTo(x, d);
    ctx.lineTo(x + 2 * d, -d);
  }
  ctx.stroke();
  ctx.restore();
  diamond(ctx, d);
  ctx.lineWidth = r * 0.26;
  ctx.strokeStyle = COLOURS.text;
  ctx.stroke();
}

/** late: a grey square. */
function drawLate(ctx, r) {
  const d = r * 0.92;
  ctx.fillStyle = COLOURS.stale;
  ctx.fillRect(-d, -d, 2 * d, 2 * d);
}

/** silent: an empty grey ring, crossed. */
function drawSilent(ctx, r) {
  const d = r * 0.62;
  circle(ctx, r);
  ctx.fillStyle = COLOURS.ground;
  ctx.fill();
  ctx.strokeStyle = COLOURS.stale;
  ctx.lineWidth = Math.max(1, r * 0.26);
  ctx.stroke();
  ctx.beginPath();
  ctx.moveTo(-d, -d);
  ctx.lineTo(d, d);
  ctx.moveTo(d, -d);
  ctx.lineTo(-d, d);
  ctx.stroke();
}

/** A polygon between two circles; the more points, the worse. */
function star(points, inner, turn = 0) {
  return (ctx, r) => {
    ctx.beginPath();
    for (let i = 0; i < 2 * points; i += 1) {
      const [far, angle] = [i % 2 ? r * inner : r, (Math.PI * i) / points - Math.PI / 2 + turn];
      ctx.lineTo(far * Math.cos(angle), far * Math.sin(angle));
    }
    ctx.closePath();
  };
}

function bar(ctx, r) {
  ctx.beginPath();
  ctx.roundRect(-1.15 * r, -0.5 * r, 2.3 * r, r, 0.5 * r);
}

/** blue: a bar, yellow: a triangle, orange: a star of four points, red: a burst of eight. */
const OUTLINES = { blue: bar, yellow: star(3, 0.52), orange: star(4, 0.46), red: star(8, 0.66) };
const SCALES = { blue: 1, yellow: 1.25, orange: 1.35, red: 1.3 };

const filled = (level) => (ctx, r) => {
  OUTLINES[level](ctx, r * SCALES[level]);
  ctx.fillStyle = LEVEL_COLOURS[level];
  ctx.fill();
};

const DRAW = {
  ok: drawOk, suspect: drawSuspect, late: drawLate, silent: drawSilent,
  ...Object.fromEntries(LEVELS.map((level) => [level, filled(level)])),
};
const sprites = new Map();

/** Return {image, half} for a state at radius `r` CSS pixels; kept, so a redraw only stamps. */
export function sprite(state, r, off = false) {
  const dpr = window.devicePixelRatio || 1;
  const key = `${state}|${r}|${off}|${dpr}`;
  if (!sprites.has(key)) {
    const half = Math.ceil(r * 1.5) + 2;
    const image = document.createElement("canvas");
    image.width = image.height = half * 2 * dpr;
    const ctx = image.getContext("2d");
    ctx.scale(dpr, dpr);
    ctx.translate(half, half);
    circle(ctx, r + 1.2); // a dark rim keeps neighbours apart
    ctx.fillStyle = COLOURS.ground;
    ctx.fill();
    DRAW[state](ctx, r, off);
    sprites.set(key, { image, half });
  }
  return sprites.get(key);
}

/** Return a small canvas showing a state, for lists and the legend. */
export function badge(state, size_px = 40) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size_px;
  canvas.className = "mark";
  canvas.dataset.mark = `${state} ${size_px}`;
  canvas.setAttribute("aria-hidden", "true");
  const ctx = canvas.getContext("2d");
  ctx.translate(size_px / 2, size_px / 2);
  DRAW[state](ctx, size_px * 0.36, false);
  return canvas;
}
