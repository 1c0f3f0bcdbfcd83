// The drawer at the right: one at a time, closed by its cross or Escape; the focus goes in and comes back.
import { byId, el } from "./dom.js";
import { t } from "./i18n.js";
import { look } from "./view.js";

let opener = null;

/** Open the drawer with a heading and a body; return the body's element. */
export function openDrawer({ wide = false, kind = "", name = "", heading, body }) {
  const drawer = byId("drawer");
  if (drawer.hidden) opener = document.activeElement;
  drawer.className = ["drawer", wide && "wide", kind].filter(Boolean).join(" ");
  drawer.ariaLabel = name || null;
  const close = el("button", { type: "button", class: "close", ariaLabel: t("close"), click: closeDrawer }, "✕");
  drawer.replaceChildren(el("header", {}, el("div", {}, ...heading), close), ...body);
  drawer.hidden = false;
  drawer.focus({ preventScroll: true });
}

export function closeDrawer() {
  if (byId("drawer").hidden) return;
  look({ alert: "", node: "", panel: "" });
}

export function hideDrawer() {
  const drawer = byId("drawer");
  if (drawer.hidden) return;
  const inside = drawer.contains(document.activeElement);
  drawer.hidden = true;
  drawer.replaceChildren();
  if (!inside) return;
  const again = opener?.isConnected ? opener : opener?.dataset?.key && document.querySelector(`[data-key="${CSS.escape(opener.dataset.key)}"]`);
  again?.focus({ preventScroll: true }); // the keyboard goes on where it came from
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !byId("drawer").hidden && !document.querySelector("dialog[open]")) closeDrawer();
});
