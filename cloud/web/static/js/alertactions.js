// What an officer can do with an alert: one large button for what is due, the rest beside it, a form when words are needed.
import { isMuted, isOver, isWaiting } from "./alerts.js";
import { el, refill } from "./dom.js";
import { failures, send } from "./duty.js";
import { t } from "./i18n.js";

const MUTES_MIN = [30, 60, 240, 720, 1440];
const CALLED = "city.called"; // those who were assigned lately
let form = { id: null, name: "", words: "", to: "" }; // the form that is open

const called = () => JSON.parse(localStorage.getItem(CALLED) ?? "[]");
const remember = (name) => localStorage.setItem(CALLED, JSON.stringify([name, ...called().filter((each) => each !== name)].slice(0, 8)));

/** Draw the bar of actions; a form that is being filled in stays as it is. */
export function drawActions(box, alert) {
  if (form.id !== alert.id) form = { id: alert.id, name: "", words: "", to: "" };
  if (isOver(alert) && form.name !== "comment") form.name = "";
  const again = () => drawActions(box, alert);
  const show = (name) => () => {
    form.name = form.name === name ? "" : name;
    again();
    box.querySelector("form :is(input, textarea, button)")?.focus();
  };
  const over = isOver(alert);
  const others = over ? ["comment", ...(alert.state === "resolved" ? ["close"] : [])] : ["assign", "comment", ...(isMuted(alert) ? [] : ["mute"]), "close"];
  const now = `${alert.id} ${form.name} ${over}`;
  const filled = box.dataset.drawn === now && box.querySelector("form");
  box.dataset.drawn = now;
  refill(box, el("div", { class: "said-no" }, failed(alert)), form.name ? filled || fields(alert, again) : null, el("div", { class: "choices" },
    ...(isWaiting(alert) && !form.name ? [el("button", { type: "button", class: "primary", disabled: Boolean(alert.sending), data: { key: "acknowledge" }, click: () => send(alert.id, "acknowledge") }, t(alert.sending === "acknowledge" ? "sending" : "do_acknowledge"))] : []),
    ...(isMuted(alert) ? [el("button", { type: "button", class: "quiet", disabled: Boolean(alert.sending), data: { key: "unmute" }, click: () => send(alert.id, "mute", { minutes: 0 }) }, t("do_unmute"))] : []),
    ...others.map((name) => el("button", { type: "button", class: "quiet", ariaExpanded: String(form.name === name), data: { key: name }, click: show(name) }, t(`do_${name}`)))));
}

/** Why the cloud did not take the last step, and a button to try again. */
function failed(alert) {
  const failure = failures.get(alert.id);
  if (!failure) return [];
  return [el("p", { class: "advice", role: "alert" }, el("b", {}, t(`failed_${failure.what}`)), " ", failure.message,
    el("button", { type: "button", class: "quiet", data: { key: "retry" }, click: () => send(alert.id, failure.what, failure.extra) }, t("try_again")))];
}

function words(required) {
  const box = el("textarea", { rows: 2, maxLength: 500, required, value: form.words, placeholder: t(`words_${form.name}`), ariaLabel: t(`words_${form.name}`), data: { key: "words" } });
  box.addEventListener("input", () => { form.words = box.value; });
  return box;
}

function who() {
  const names = called();
  const input = el("input", { required: true, maxLength: 64, value: form.to, placeholder: t("assign_to"), ariaLabel: t("assign_to"), data: { key: "to" } });
  input.addEventListener("input", () => { form.to = input.value; });
  const choose = (name) => () => { form.to = input.value = name; };
  return [input, names.length ? el("div", { class: "chips" }, names.map((name) => el("button", { type: "button", class: "quiet", click: choose(name) }, name))) : null];
}

const minutes = () => el("fieldset", { class: "chips" }, el("legend", {}, t("mute_for")), MUTES_MIN.map((minute, index) => el("label", { class: "quiet" },
  el("input", { type: "radio", name: "minutes", value: minute, checked: index === 1 }), minute < 60 ? t("min", { n: minute }) : t("h", { n: minute / 60 }))));

/** The form of one action; what was typed is kept until it is sent. */
function fields(alert, again) {
  const { name } = form;
  const inputs = { assign: () => [...who(), words(false)], comment: () => [words(true)], mute: () => [minutes(), words(false)], close: () => [el("p", { class: "soft" }, t("close_hint")), words(false)] };
  const made = el("form", { ariaLabel: t(`do_${name}`) }, ...inputs[name]().filter(Boolean), el("button", { type: "submit", class: "primary" }, t(`send_${name}`)));
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    const extra = { ...(form.words.trim() ? { text: form.words.trim() } : {}) };
    if (name === "assign") extra.to = form.to.trim();
    if (name === "mute") extra.minutes = Number(new FormData(made).get("minutes"));
    if (!(await send(alert.id, name, extra)) || form.id !== alert.id) return;
    if (name === "assign") remember(extra.to);
    form = { id: alert.id, name: "", words: "", to: "" };
    again();
  });
  return made;
}
