// What the engineer does from a node's page: with a name and the token, asked for once; and why it was not done.
import { ApiError } from "./api.js";
import { el } from "./dom.js";
import { t } from "./i18n.js";
import { credentials, forgetToken } from "./officer.js";

const WRONG_TOKEN = 401;

/** Run `how(officer)` and tell in `box` what became of it; return its answer, null when it was not done. */
export async function act(box, how, done = "") {
  box.replaceChildren();
  try {
    const answer = await attempt(how, await credentials());
    if (answer && done) box.replaceChildren(el("p", { class: "taken" }, `✓ ${done}`));
    return answer;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    complain(box, advice(error));
    return null;
  }
}

export const complain = (box, words) => box.replaceChildren(el("p", { class: "advice", role: "alert" }, words));

/** A wrong token is asked for again until it is right or nobody wants to say it. */
async function attempt(how, officer) {
  if (!officer) return null;
  try {
    return await how(officer);
  } catch (error) {
    if (error.status !== WRONG_TOKEN) throw error;
    forgetToken();
    return attempt(how, await credentials({ advice: t("wrong_token") }));
  }
}

function advice(error) {
  if (error.status === 0) return t("not_sent_link");
  return t("not_sent", { reason: [error.message, error.remedy].filter(Boolean).join(" · ") });
}
