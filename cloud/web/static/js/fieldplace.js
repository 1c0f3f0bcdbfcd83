// Where the node stands: set by a tap on the map or by the phone's own position, then saved.
/* global L */
import * as api from "./api.js";
import { addBase } from "./basemap.js";
import { byId, text } from "./dom.js";
import { act, complain } from "./fieldact.js";
import { number } from "./format.js";
import { t } from "./i18n.js";
import { COLOURS } from "./marks.js";
import { putNodes, store } from "./state.js";

const NEAR_ZOOM = 17;
const GPS_WITHIN_MS = 30_000;
const DIGITS = 6; // a tenth of a metre
const METRES_A_DEGREE = 111_320;
let map = null;
let ident = "";
let stands = null; // the dot of the registered place
let wish = null; // {lat, lon, accuracy_m?, dot}

const node = () => store.nodes.get(ident);
const short = (degrees) => Number(degrees.toFixed(DIGITS));
const written = ({ lat, lon }) => `${number(lat, 5)}, ${number(lon, 5)}`;

function metres(a, b) {
  const dy = (a.lat - b.lat) * METRES_A_DEGREE;
  const dx = (a.lon - b.lon) * METRES_A_DEGREE * Math.cos((a.lat * Math.PI) / 180);
  return Math.hypot(dx, dy);
}

function hint() {
  const known = node().lat !== null;
  if (!wish) return t(known ? "f_place_hint" : "f_place_none");
  const far = known ? t("f_place_moved", { m: number(metres(wish, node())) }) : "";
  const about = wish.accuracy_m ? t("f_place_about", { m: number(wish.accuracy_m) }) : "";
  return [`${t("f_place_new")} ${written(wish)}`, about, far].filter(Boolean).join(" · ");
}

export function draw() {
  if (!map) return;
  const { lat, lon } = node();
  if (lat === null) stands?.remove();
  else if (stands) stands.setLatLng([lat, lon]).addTo(map);
  else stands = L.circleMarker([lat, lon], { radius: 8, color: COLOURS.text, weight: 2, fillColor: COLOURS.accent, fillOpacity: 1, interactive: false }).addTo(map);
  text(byId("place-text"), lat === null ? t("f_place_unknown") : written({ lat, lon }));
  text(byId("place-hint"), hint());
  byId("place-save").disabled = !wish;
  byId("map").ariaLabel = t("f_place");
}

function choose(lat, lon, accuracy_m) {
  wish?.dot.remove();
  const dot = L.circleMarker([lat, lon], { radius: 10, color: "#fff", weight: 3, fill: false, interactive: false }).addTo(map);
  wish = { lat: short(lat), lon: short(lon), accuracy_m, dot };
  byId("place-said").replaceChildren();
  draw();
}

function gps() {
  const box = byId("place-said");
  if (!window.isSecureContext || !navigator.geolocation) return complain(box, t("f_gps_insecure"));
  text(byId("place-hint"), t("f_gps_waiting"));
  return navigator.geolocation.getCurrentPosition(
    ({ coords }) => {
      choose(coords.latitude, coords.longitude, coords.accuracy);
      map.setView([coords.latitude, coords.longitude], Math.max(map.getZoom(), NEAR_ZOOM), { animate: false });
    },
    (error) => {
      draw();
      complain(box, t(error.code === error.PERMISSION_DENIED ? "f_gps_denied" : "f_gps_failed"));
    },
    { enableHighAccuracy: true, timeout: GPS_WITHIN_MS, maximumAge: 0 },
  );
}

async function save() {
  const { lat, lon } = wish;
  const answer = await act(byId("place-said"), ({ who, token }) => api.correct(ident, { lat, lon, who }, token), t("f_place_saved"));
  if (!answer) return;
  wish.dot.remove();
  wish = null;
  putNodes([answer]);
  draw();
}

export function start(id) {
  ident = id;
  map = L.map("map", { attributionControl: false, zoomAnimation: false, fadeAnimation: false, minZoom: 9, maxZoom: 19, zoomSnap: 0.5 });
  const { lat, lon } = node();
  map.setView(lat === null ? store.map?.center ?? [0, 0] : [lat, lon], lat === null ? store.map?.zoom ?? 12 : 16);
  addBase(map, store.map?.features ?? { features: [] });
  map.on("click", (event) => choose(event.latlng.lat, event.latlng.lng));
  byId("gps").addEventListener("click", gps);
  byId("place-save").addEventListener("click", save);
}
