// The drawer at the right: one at a time, closed by its cross or Escape.
import { byId, el } from "./dom.js";
import { t } from "./i18n.js";
import { look } from "./view.js";

/** Open the drawer with a heading and a body; return the body's element. */
export function openDrawer({ wide = false, heading, body }) {
  const drawer = byId("drawer");
  drawer.className = wide ? "drawer wide" : "drawer";
  const close = el("button", { type: "button", class: "close", ariaLabel: t("close"), on: { click: closeDrawer } }, "✕");
  drawer.replaceChildren(el("header", {}, el("div", {}, ...heading), close), ...body);
  drawer.hidden = false;
}

export function closeDrawer() {
  look({ node: "", panel: "" });
}

export function hideDrawer() {
  byId("drawer").hidden = true;
  byId("drawer").replaceChildren();
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !byId("drawer").hidden) closeDrawer();
});
