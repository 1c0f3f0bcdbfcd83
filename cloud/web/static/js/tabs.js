// The phone's four tabs; on a wide screen all panels are seen at once and the tabs are not.
import { byId, el } from "./dom.js";
import { number } from "./format.js";
import { t } from "./i18n.js";
import { counts, fresh, on } from "./state.js";
import { look, view } from "./view.js";

const TABS = ["figures", "map", "attention", "network"];

function draw() {
  const tab = TABS.includes(view.tab) ? view.tab : "figures";
  document.body.dataset.tab = tab;
  const count = counts();
  const waiting = count.total - fresh(count) + count.suspect;
  byId("tabs").replaceChildren(...TABS.map((name) => el("button", { type: "button", ariaPressed: String(name === tab), on: { click: () => look({ tab: name }) } },
    t(`tab_${name}`), name === "attention" && waiting ? el("b", {}, number(waiting)) : null)));
}

export function start() {
  draw();
  on("view", draw);
  on("nodes", draw);
}
