// The episodes of the last day as coloured bars over the band: a lane a level, the worst on top.
import { known, isOver } from "./alerts.js";
import { rem } from "./dom.js";
import { LEVELS, LEVEL_COLOURS } from "./marks.js";

const LANE_REM = 0.5;
const THICK_REM = 0.36;
const SHORTEST_REM = 0.35;
let drawn = []; // [{alert, left, right, top, bottom}], the last one on top

/** The alerts whose episodes touch the time between; what a cause explains is left to its cause. */
export const episodes = (start, end) =>
  [...known.values()].filter((alert) => alert.cause == null && alert.start_ms < end && (alert.end_ms ?? Infinity) > start);

/** How much room the lanes take above what else the band shows. */
export const height = (start, end) => lanes(episodes(start, end)).length * LANE_REM * rem();

const lanes = (shown) => LEVELS.filter((level) => shown.some((alert) => alert.highest === level));

/** Draw the bars from `top` down; x(time_ms) gives the place, `frame` the edges. */
export function drawBars(ctx, x, frame, { start, end, top, now }) {
  const shown = episodes(start, end).sort((a, b) => Number(isOver(b)) - Number(isOver(a)) || a.start_ms - b.start_ms);
  const used = lanes(shown);
  const em = rem();
  drawn = shown.map((alert) => {
    const y = top + used.indexOf(alert.highest) * LANE_REM * em;
    const left = Math.max(frame.left, x(alert.start_ms));
    const right = Math.min(frame.right, Math.max(left + SHORTEST_REM * em, x(alert.end_ms ?? now)));
    return { alert, left: Math.min(left, right - SHORTEST_REM * em), right, top: y, bottom: y + THICK_REM * em };
  });
  for (const { alert, left, right, top: y, bottom } of drawn) {
    ctx.globalAlpha = isOver(alert) ? 0.55 : 1;
    ctx.fillStyle = LEVEL_COLOURS[alert.highest];
    ctx.fillRect(left, y, right - left, bottom - y);
    ctx.globalAlpha = 1;
    ctx.fillStyle = "#0b1219"; // a dark edge, so that neighbours in time stay two
    ctx.fillRect(left - 1, y, 1, bottom - y);
  }
}

/** What the last drawing showed: for tests and for pointing at it. */
export const barOf = (id) => drawn.find((bar) => bar.alert.id === id);

/** The alert whose bar lies at a point of the canvas, or null. */
export function barAt(x, y) {
  const near = 0.12 * rem();
  return drawn.findLast((bar) => x >= bar.left - near && x <= bar.right + near && y >= bar.top - near && y <= bar.bottom + near)?.alert ?? null;
}
