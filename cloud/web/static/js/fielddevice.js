// The device behind the node: firmware, certificate, birth; and the notes that people took.
import * as api from "./api.js";
import { byId, el } from "./dom.js";
import { act } from "./fieldact.js";
import { date, moment } from "./format.js";
import { t } from "./i18n.js";
import { now_ms } from "./state.js";

let facts = null;

export async function read(id) {
  facts = await api.device(id);
}

function row(name, value, extra = "") {
  return value === null || value === undefined || value === "" ? [] : [el("dt", {}, t(name)), el("dd", { class: extra }, value)];
}

function firmware() {
  return facts.firmware && (facts.trial ? `${facts.firmware} · ${t("f_trial")}` : facts.firmware);
}

function rollout() {
  const { rollout: it } = facts;
  return it ? `${it.version} · ${t(`f_turn_${it.state}`)}${it.rollout_state === "stopped" ? ` · ${t("f_course_stopped")}` : ""}` : null;
}

export function draw() {
  const until = facts.certificate && date(facts.certificate.not_after_ms);
  byId("device").replaceChildren(
    el("h2", {}, t("f_device")),
    facts.born_serial ? el("p", { class: "advice", role: "alert" }, t("f_stranger", { serial: facts.born_serial })) : "",
    el("dl", { class: "facts-of" },
      ...row("f_serial", facts.serial, "digits"), ...row("f_hardware", facts.hardware), ...row("f_firmware", firmware()),
      ...row("f_rollout", rollout()), ...row("f_born", facts.born_ms && moment(facts.born_ms, now_ms())), ...row("f_boot", facts.boot && String(facts.boot)),
      ...row("f_gateway", facts.gateway), ...row("f_provisioned", facts.provisioned_ms ? date(facts.provisioned_ms) : t("f_never")),
      ...row("f_certificate", until && t("f_until", { time: until })), ...row("f_fingerprint", facts.certificate?.fingerprint.slice(0, 16), "digits")));
  byId("notes").replaceChildren(...[...facts.notes].reverse().map((note) =>
    el("li", {}, el("small", {}, `${moment(note.time_ms, now_ms())} · ${note.who}`), note.text)));
}

export function start(id) {
  const box = byId("note-text");
  byId("note").addEventListener("submit", async (event) => {
    event.preventDefault();
    const words = box.value.trim();
    if (!words) return;
    const answer = await act(byId("note-said"), ({ who, token }) => api.note(id, { who, text: words }, token));
    if (!answer) return; // what was typed stays
    facts = answer;
    box.value = "";
    draw();
  });
}
