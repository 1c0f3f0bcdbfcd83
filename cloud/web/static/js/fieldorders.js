// What the node can be asked to do on the spot: blink, read now; and what became of it.
import * as api from "./api.js";
import { byId, el } from "./dom.js";
import { act } from "./fieldact.js";
import { moment } from "./format.js";
import { t } from "./i18n.js";
import { now_ms } from "./state.js";

const BLINK_S = 30;
const EXPIRES_S = 600;
const ASK_MS = 1500;
const FEW = 3;
const UNFINISHED = ["queued", "sent", "accepted"];
let found = [];
let asking = null;

export async function read(id) {
  found = (await api.commands(id)).commands;
}

function line(command) {
  const error = command.detail?.error;
  return el("li", {}, el("span", {}, `${t(`f_do_${command.name}`)} · ${moment(command.made_ms, now_ms())}`),
    el("b", { title: error ?? "" }, t(`f_state_${command.state}`), error ? `: ${error}` : ""));
}

export function draw() {
  if (!byId("orders-list")) return;
  byId("orders-list").replaceChildren(...found.slice(0, FEW).map(line));
  byId("orders-title").textContent = t("f_orders");
  byId("orders-identify").textContent = t("f_do_identify");
  byId("orders-sample").textContent = t("f_do_sample");
}

/** Look again while something is under way. */
function watch(id, changed) {
  if (asking || !found.some((command) => UNFINISHED.includes(command.state))) return;
  asking = setTimeout(async () => {
    asking = null;
    try {
      await read(id);
      changed();
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error; // the stream says that the cloud is away
    }
    watch(id, changed);
  }, ASK_MS);
}

export function start(id, changed) {
  const box = el("div", { role: "status" });
  const button = (name, args) => el("button", { type: "button", class: name === "identify" ? "primary" : "quiet", id: `orders-${name}`, click: async () => {
    const body = { name, args, expires_s: EXPIRES_S };
    const made = await act(box, ({ who, token }) => api.order(id, { ...body, who }, token));
    if (!made) return;
    found = [made, ...found];
    draw();
    watch(id, draw);
  } });
  byId("orders").replaceChildren(el("h2", { id: "orders-title" }),
    el("div", { class: "choices" }, button("sample", {}), button("identify", { seconds: BLINK_S })), box, el("ul", { class: "orders", id: "orders-list" }));
  watch(id, changed);
}
