// The wall, put together: read everything once, start the parts, then live from the stream.
import * as alert from "./alert.js";
import * as alertcard from "./alertcard.js";
import * as api from "./api.js";
import * as attention from "./attention.js";
import * as band from "./band.js";
import { barOf } from "./bars.js";
import * as cards from "./cards.js";
import * as clock from "./clock.js";
import { byId, el, text } from "./dom.js";
import { hideDrawer } from "./drawer.js";
import { setZone } from "./format.js";
import { language, setLanguage, t } from "./i18n.js";
import * as inbox from "./inbox.js";
import { openNetwork } from "./ledger.js";
import * as live from "./live.js";
import * as map from "./map.js";
import * as network from "./network.js";
import * as node from "./node.js";
import { grow, on, setCatalogue, store } from "./state.js";
import * as tabs from "./tabs.js";
import { look, readAddress, view } from "./view.js";

const RETRY_S = 5;
const GROW_MS = 5_000;
const DRAWN_BY = ["alert", "node", "panel", "range", "t", "lang"]; // what the drawer depends on

async function readCity() {
  const [health, kinds, city] = await Promise.all([api.health(), api.kinds(), api.map()]);
  setZone(health.timezone);
  store.skew_ms = health.time_ms - Date.now();
  setCatalogue(kinds);
  store.map = city;
  await live.readAll();
}

function drawer(changes) {
  if (!DRAWN_BY.some((key) => key in changes)) return;
  node.closeNode();
  alert.closeAlert();
  inbox.closeInbox();
  if (view.alert) alert.openAlert(view.alert);
  else if (view.panel === "alerts") inbox.openInbox();
  else if (view.node) node.openNode(view.node);
  else if (view.panel) openNetwork(view.panel.startsWith("ledger:") ? view.panel.slice("ledger:".length) : "");
  else hideDrawer();
}

function say(...children) {
  byId("veil-text").replaceChildren(...children);
}

/** Show why the city cannot be read and count down to the next attempt. */
function wait(error) {
  document.documentElement.dataset.phase = "error";
  const countdown = el("p");
  say(el("b", {}, t("failed")), el("p", {}, error.message), error.remedy ? el("p", {}, error.remedy) : "", countdown);
  return new Promise((resolve) => {
    let left = RETRY_S;
    const step = () => {
      text(countdown, t("retry_in", { n: left }));
      if (left-- > 0) setTimeout(step, 1000);
      else resolve();
    };
    step();
  });
}

async function untilRead() {
  for (;;) {
    try {
      await readCity();
      return;
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      await wait(error);
    }
  }
}

async function begin() {
  readAddress();
  setLanguage(view.lang);
  byId("lang").addEventListener("click", () => look({ lang: language() === "zh" ? "en" : "zh" }));
  on("view", (changes) => { if ("lang" in changes) setLanguage(view.lang); });
  say(el("b", {}, t("loading")));
  await untilRead();
  for (const part of [clock, map, cards, alertcard, attention, alert, inbox, network, band, node, tabs]) part.start();
  on("view", drawer);
  drawer(view);
  setInterval(grow, GROW_MS);
  live.start();
  document.documentElement.dataset.phase = "ready";
  window.cityWall = { pointOf: map.pointOf, drawn: map.drawn, barOf }; // for tests
}

/** A fault of the page itself is said too: a wall that only waits would be believed. */
begin().catch((error) => {
  document.documentElement.dataset.phase = "error";
  say(el("b", {}, t("failed")), el("p", {}, String(error)));
  throw error;
});
