// A node's page, put together: what it is, what it says now, and what whoever stands before it can do.
import * as api from "./api.js";
import { byId, el, text } from "./dom.js";
import * as device from "./fielddevice.js";
import * as orders from "./fieldorders.js";
import * as place from "./fieldplace.js";
import { age, phrase, setZone, shown } from "./format.js";
import { label, language, setLanguage, t } from "./i18n.js";
import { badge } from "./marks.js";
import { grow, kindOf, now_ms, on, putNodes, putReadings, quantityOf, setCatalogue, store } from "./state.js";
import { look, readAddress, view } from "./view.js";

const RETRY_S = 5;
const FLASH_MS = 400;
const ID = decodeURIComponent(location.pathname.split("/").pop());
const NOT_FOUND = 404;
let arrived = 0; // readings since the page was opened

const node = () => store.nodes.get(ID);

function who() {
  const { kind, site, district } = node();
  const system = store.systems.find((each) => each.name === kindOf(node())?.system);
  const state = el("span", { class: "state" }, badge(node().state), t(node().state));
  byId("who").replaceChildren(...[
    el("h1", {}, label(node().label, ID)),
    el("p", {}, `${label(system?.label)} · ${label(kindOf(node())?.label, kind)} · ${ID}`),
    el("p", {}, [site, district].filter((word) => word && word !== ID).join(" · ")),
    state,
    node().trial ? el("span", { class: "trial" }, t("trial")) : null,
  ].filter(Boolean));
}

function names() {
  const kind = kindOf(node());
  const known = (kind?.quantities ?? []).map((quantity) => quantity.name);
  const reading = store.latest.get(ID);
  const others = Object.keys({ ...reading?.values, ...reading?.rejected }).filter((name) => !known.includes(name));
  return [kind?.headline, ...known.filter((name) => name !== kind?.headline), ...others].filter(Boolean);
}

function flag(reading, name) {
  if (reading?.rejected?.[name] !== undefined) return el("span", { class: "flag" }, "× ", t("rejected", { value: phrase(reading.rejected[name], { ...quantityOf(name), form: "gauge" }) }));
  const qc = reading?.qc?.[name];
  return qc && qc !== 1 ? el("span", { class: "flag" }, t(`quality_${qc}`)) : null;
}

function readings() {
  const reading = store.latest.get(ID);
  const said = reading ? t("ago", { age: age(now_ms() - reading.time_ms) }) : t("never");
  byId("readings").replaceChildren(
    el("h2", {}, t("f_readings"), el("small", {}, el("span", { class: "arrived", id: "arrived" }), el("span", { id: "age" }, said), arrived ? ` · ${t("f_arrived", { n: arrived })}` : "")),
    ...names().map((name) => {
      const { value, unit } = shown(reading?.values?.[name], quantityOf(name));
      return el("div", { class: "quantity" }, el("span", { class: "label" }, label(quantityOf(name).label, name)), flag(reading, name), el("span", { class: "value" }, value, unit ? el("span", { class: "unit" }, unit) : ""));
    }));
}

function flash() {
  byId("arrived").classList.add("now");
  setTimeout(() => byId("arrived").classList.remove("now"), FLASH_MS);
}

function words() {
  text(byId("lang"), t("other_language"));
  byId("note-text").placeholder = t("f_note_hint");
  byId("note-text").ariaLabel = t("f_notes");
  document.title = `${label(node()?.label, ID)} · ${t("title")}`;
}

function draw() {
  who();
  readings();
  words();
  device.draw();
  orders.draw();
  place.draw();
}

function setLink(state) {
  if (store.link.state !== "lost") store.link.last_ms = Date.now() + store.skew_ms; // nothing ages by our own deafness
  store.link.state = state;
  document.documentElement.dataset.link = state;
  byId("banner").hidden = state !== "lost";
  text(byId("banner"), t("f_lost"));
}

async function readNode() {
  const [one, latest] = await Promise.all([api.node(ID), api.latest({ node: ID }), device.read(ID), orders.read(ID)]);
  store.skew_ms = latest.time_ms - Date.now();
  putNodes([one]);
  putReadings(latest.latest);
}

/** The stream of this node alone; what was missed while it was away is read anew. */
function listen() {
  let current = true;
  const source = new EventSource(`/api/v1/live?node=${encodeURIComponent(ID)}`);
  const again = () => {
    setLink("lost");
    if (source.readyState !== EventSource.CLOSED) return;
    source.close();
    setTimeout(listen, RETRY_S * 1000);
  };
  source.onopen = async () => {
    if (!current) await readNode().then(draw, () => {}); // the stream says by itself when the cloud is away
    current = false;
    setLink("open");
  };
  source.onerror = again;
  source.addEventListener("nodes", (message) => {
    const before = node().trial;
    putNodes(JSON.parse(message.data).nodes);
    who();
    place.draw();
    if (node().trial !== before) device.read(ID).then(device.draw, () => {}); // the stream says when the cloud is away
  });
  source.addEventListener("readings", (message) => {
    arrived += 1;
    putReadings(JSON.parse(message.data).readings);
    who();
    readings();
    flash();
  });
}

async function readCity() {
  const [health, kinds, city] = await Promise.all([api.health(), api.kinds(), api.map()]);
  setZone(health.timezone);
  setCatalogue(kinds);
  store.map = city;
  await readNode();
}

function say(error) {
  document.documentElement.dataset.phase = "error";
  const gone = error.status === NOT_FOUND;
  byId("veil").replaceChildren(...[
    el("b", {}, t(gone ? "unknown_node" : "failed")), el("span", {}, gone ? ID : error.message),
    gone ? el("span", {}, t("f_unknown_hint")) : el("button", { type: "button", class: "quiet", click: () => location.reload() }, t("try_again")),
  ]);
}

async function begin() {
  readAddress();
  setLanguage(view.lang);
  words();
  byId("lang").addEventListener("click", () => look({ lang: language() === "zh" ? "en" : "zh" }));
  byId("veil").replaceChildren(el("b", {}, t("loading")));
  try {
    await readCity();
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error;
    say(error);
    return;
  }
  document.documentElement.dataset.phase = "ready";
  place.start(ID);
  orders.start(ID, draw);
  device.start(ID);
  draw();
  on("view", () => {
    setLanguage(view.lang);
    draw();
  });
  on("nodes", who);
  setInterval(() => {
    grow();
    const reading = store.latest.get(ID);
    if (reading) text(byId("age"), t("ago", { age: age(now_ms() - reading.time_ms) }));
  }, 1000);
  listen();
}

begin().catch((error) => {
  say({ message: String(error) });
  throw error;
});
