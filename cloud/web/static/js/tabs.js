// The phone's tabs, the alerts first; on a wide screen all panels are seen at once and the tabs are not.
import { tally } from "./alerts.js";
import { byId, el, refill } from "./dom.js";
import { number } from "./format.js";
import { t } from "./i18n.js";
import { counts, fresh, on } from "./state.js";
import { look, view } from "./view.js";

const TABS = ["alerts", "figures", "map", "attention", "network"];

function draw() {
  const tab = TABS.includes(view.tab) ? view.tab : TABS[0];
  document.body.dataset.tab = tab;
  const count = counts();
  const counted = { alerts: tally().waiting, attention: count.total - fresh(count) + count.suspect };
  refill(byId("tabs"), ...TABS.map((name) => el("button", { type: "button", ariaPressed: String(name === tab), click: () => look({ tab: name }) },
    t(`tab_${name}`), counted[name] ? el("b", { class: name }, number(counted[name])) : null)));
}

export function start() {
  draw();
  on("view", draw);
  on("nodes", draw);
  on("alerts", draw);
}
