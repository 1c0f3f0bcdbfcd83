// The header: the city's name and clock, the weather in a line, the nodes and how fresh they are; and the lost-link banner.
import { byId, el, text } from "./dom.js";
import { age, clock, date, number, phrase } from "./format.js";
import { label, t } from "./i18n.js";
import { counts, fresh, now_ms, on, quantityOf, store } from "./state.js";

/** Return the mean over nodes that said `quantity` lately, of the first kind in `kinds` that did; else null. */
function mean(quantity, kinds) {
  for (const kind of kinds) {
    const values = (store.byKind.get(kind) ?? [])
      .filter((node) => node.state === "ok" || node.state === "suspect")
      .map((node) => store.latest.get(node.id)?.values?.[quantity])
      .filter((value) => value !== undefined && value !== null);
    if (values.length) return values.reduce((a, b) => a + b, 0) / values.length;
  }
  return null;
}

function fact(name, value, extra = "") {
  return value === null ? null : el("div", { class: extra, title: name === "fresh" ? t("fresh_hint") : "" }, el("dt", {}, t(name)), el("dd", {}, value));
}

function facts() {
  const count = counts();
  const rain = mean("rain_rate_mm_h", ["rain_gauge"]);
  const warm = mean("temperature_c", ["weather", "air_quality"]);
  const share = count.total ? (100 * fresh(count)) / count.total : null;
  byId("facts").replaceChildren(...[
    fact("rain", rain === null ? null : phrase(rain, { ...quantityOf("rain_rate_mm_h"), decimals: 1 }), "wide"),
    fact("temperature", warm === null ? null : phrase(warm, { ...quantityOf("temperature_c"), decimals: 0 }), "wide"),
    fact("nodes", number(count.total), "wide"),
    fact("fresh", share === null ? null : `${number(Math.floor(share * 10) / 10, 1)} %`),
  ].filter(Boolean));
}

function tick() {
  const now = now_ms();
  text(byId("time"), clock(Date.now() + store.skew_ms));
  text(byId("date"), date(now));
  banner();
}

function banner() {
  const { state, last_ms, since_ms } = store.link;
  document.documentElement.dataset.link = state;
  const box = byId("banner");
  box.hidden = state !== "lost";
  if (!box.hidden) text(box, t("lost", { age: age(Date.now() - since_ms), time: clock(last_ms) }));
}

function words() {
  text(byId("district"), label(store.map?.name));
  text(byId("lang"), t("other_language"));
  facts();
  tick();
}

export function start() {
  words();
  setInterval(tick, 250);
  setInterval(facts, 2000);
  on("link", banner);
  on("nodes", facts);
  on("view", words);
}
