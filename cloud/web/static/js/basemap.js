// The quiet ground under the nodes: boundary, parks, rivers and streets from the map's GeoJSON, no tiles.
/* global L */
import { rem } from "./dom.js";
import { label } from "./i18n.js";

const TONES = { land: "#121e29", park: "#16282c", river: "#1f4058", street: "#2a3a48", boundary: "#3b5266" };
const NAMES = { river: "#5d8097", street: "#5a6c79", park: "#557a6b" };
const WIDTH_M = { river: 40, street: 12 };
const LEAST_REM = { river: 0.3, street: 0.07 };
const ORDER = ["boundary", "park", "river", "street"];

export const metres = (map) => (40_075_016.7 * Math.cos((map.getCenter().lat * Math.PI) / 180)) / (256 * 2 ** map.getZoom());

/** The zoom as the eye sees it: a 4K wall draws everything twice as large. */
export const eyeZoom = (map) => map.getZoom() - Math.log2(rem() / 16);

function style(map, feature) {
  const { layer, width_m } = feature.properties;
  if (layer === "boundary") return { color: TONES.boundary, weight: rem() * 0.09, dashArray: [rem() * 0.4, rem() * 0.35], fillColor: TONES.land, fillOpacity: 1 };
  if (layer === "park") return { stroke: false, fillColor: TONES.park, fillOpacity: 1 };
  const area = feature.geometry.type.endsWith("Polygon");
  if (area) return { stroke: false, fillColor: TONES[layer] ?? TONES.street, fillOpacity: 1 };
  const weight = Math.max((width_m ?? WIDTH_M[layer] ?? 10) / metres(map), rem() * (LEAST_REM[layer] ?? 0.07));
  return { color: TONES[layer] ?? TONES.street, weight, lineCap: "round", lineJoin: "round", fill: false };
}

/** Add the features to the map, widest meaning first; return their bounds or null. */
export function addBase(map, features) {
  const renderer = L.canvas({ padding: 0.3 });
  const sorted = features.features
    .filter((feature) => feature.geometry && !feature.geometry.type.endsWith("Point"))
    .sort((a, b) => ORDER.indexOf(a.properties.layer) - ORDER.indexOf(b.properties.layer));
  const layer = L.geoJSON(sorted, {
    style: (feature) => style(map, feature), renderer, interactive: false, smoothFactor: 0.6,
  }).addTo(map);
  map.on("zoomend", () => layer.setStyle((feature) => style(map, feature)));
  const boundary = sorted.filter((feature) => feature.properties.layer === "boundary");
  const bounds = (boundary.length ? L.geoJSON(boundary) : layer).getBounds();
  return bounds.isValid() ? bounds : null;
}

function ring(geometry) {
  if (geometry.type === "Polygon") return geometry.coordinates[0];
  if (geometry.type === "MultiPolygon") return geometry.coordinates[0][0];
  if (geometry.type === "MultiLineString") return longest(geometry.coordinates);
  return geometry.coordinates;
}
const longest = (lines) => lines.reduce((a, b) => (b.length > a.length ? b : a), lines[0] ?? []);

/** Return where a name may stand, best first: the middle of an area, or along a line's longest stretches, turned with it. */
function places(points, area) {
  if (area) {
    const middle = (axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length;
    return [{ x: middle("x"), y: middle("y"), angle: 0, room: Infinity }];
  }
  const spots = [];
  for (let i = 1; i < points.length; i += 1) {
    const [a, b] = [points[i - 1], points[i]];
    const room = Math.hypot(b.x - a.x, b.y - a.y);
    let angle = Math.atan2(b.y - a.y, b.x - a.x);
    if (Math.abs(angle) > Math.PI / 2) angle += Math.PI;
    for (const part of [0.5, 0.3, 0.7]) spots.push({ x: a.x + (b.x - a.x) * part, y: a.y + (b.y - a.y) * part, angle, room });
  }
  return spots.sort((a, b) => b.room - a.room);
}

function boxAround({ x, y, angle }, wide, high) {
  const dx = (Math.abs(Math.cos(angle)) * wide + Math.abs(Math.sin(angle)) * high) / 2;
  const dy = (Math.abs(Math.sin(angle)) * wide + Math.abs(Math.cos(angle)) * high) / 2;
  return [x - dx, y - dy, x + dx, y + dy];
}

export const overlaps = (a, b) => a[0] < b[2] && a[2] > b[0] && a[1] < b[3] && a[3] > b[1];

/** Write the names of rivers and parks, and of streets when near, where `taken` (boxes) leaves room. */
export function drawNames(ctx, map, features, taken) {
  const near = eyeZoom(map) >= 14.8;
  const size = map.getSize();
  const family = getComputedStyle(document.body).fontFamily;
  const written = new Set();
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  for (const { properties, geometry } of features.features) {
    const name = label(properties.name);
    const { layer } = properties;
    if (!name || !NAMES[layer] || !geometry || written.has(name) || (layer === "street" && !near)) continue;
    const high = (layer === "river" ? 1.05 : 0.85) * rem();
    ctx.font = `${high}px ${family}`;
    const wide = ctx.measureText(name).width;
    const points = ring(geometry).map(([lon, lat]) => map.latLngToContainerPoint([lat, lon]));
    for (const spot of places(points, geometry.type.endsWith("Polygon"))) {
      const box = boxAround(spot, wide, high * 1.3);
      const inside = box[0] > 0 && box[1] > 0 && box[2] < size.x && box[3] < size.y;
      if (!inside || spot.room < wide || taken.some((other) => overlaps(box, other))) continue;
      taken.push(box);
      written.add(name);
      write(ctx, name, spot, NAMES[layer], layer === "street" ? -0.75 * rem() : 0);
      break;
    }
  }
}

function write(ctx, name, { x, y, angle }, colour, lift) {
  ctx.save();
  ctx.translate(x, y);
  ctx.rotate(angle);
  ctx.fillStyle = colour;
  ctx.fillText(name, 0, lift);
  ctx.restore();
}
