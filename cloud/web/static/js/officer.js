// Who acts at this screen: the officer's name, asked once and remembered; the token, asked once and kept while the page is open.
import { el } from "./dom.js";
import { t } from "./i18n.js";

const NAME = "city.officer";
const TOKEN = "city.token";

export const name = () => localStorage.getItem(NAME) ?? "";
const token = () => sessionStorage.getItem(TOKEN) ?? "";
export const forgetToken = () => sessionStorage.removeItem(TOKEN);

/** Return {who, token}, asking for what is not known; null when nobody wants to say. `advice` tells why it is asked again. */
export async function credentials({ advice = "", change = false } = {}) {
  if (!change && name() && token()) return { who: name(), token: token() };
  return (await ask(advice, change)) ? { who: name(), token: token() } : null;
}

function field(key, value, options) {
  const input = el("input", { value, required: true, autocomplete: "off", maxLength: 64, ...options });
  return [input, el("label", {}, el("span", {}, t(key)), input, el("small", {}, t(`${key}_hint`)))];
}

/** Ask in a dialog; resolve to whether it was answered. */
function ask(advice, change) {
  const [who, whoField] = field("officer_name", name(), { name: "who", autocomplete: "name" });
  const [secret, secretField] = field("officer_token", token(), { name: "token", type: "password", maxLength: 400 });
  const cancel = el("button", { type: "button", class: "quiet", click: () => dialog.close("") }, t("cancel"));
  const form = el("form", { method: "dialog" },
    el("h2", { id: "officer-title" }, t("officer_title")), advice ? el("p", { class: "advice", role: "alert" }, advice) : null,
    whoField, change && token() ? null : secretField,
    el("div", { class: "choices" }, cancel, el("button", { type: "submit", class: "primary", value: "ok" }, t("officer_go"))));
  const dialog = el("dialog", { class: "officer", "aria-labelledby": "officer-title" }, form);
  form.addEventListener("submit", () => {
    localStorage.setItem(NAME, who.value.trim());
    sessionStorage.setItem(TOKEN, secret.value.trim());
  });
  document.body.append(dialog);
  dialog.showModal();
  (who.value && !change ? secret : who).focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "ok");
    });
  });
}
