// What an officer does with an alert: shown at once, sent, and taken back with advice when the cloud did not take it.
import { known, put } from "./alerts.js";
import * as api from "./api.js";
import { t } from "./i18n.js";
import { credentials, forgetToken } from "./officer.js";
import { emit, now_ms } from "./state.js";

const MINUTE_MS = 60_000;
const WRONG_TOKEN = 401;
export const failures = new Map(); // id -> {what, extra, message}

/** How an alert will look once the cloud has taken the step. */
const expected = {
  acknowledge: (alert, { who }) => ({ state: "acknowledged", acknowledged_by: who, acknowledged_ms: now_ms() }),
  assign: (alert, { to }) => ({ assigned: to }),
  comment: () => ({}),
  mute: (alert, { minutes }) => (minutes ? { state: "muted", muted_until_ms: now_ms() + minutes * MINUTE_MS }
    : { state: alert.acknowledged_by ? "acknowledged" : "open", muted_until_ms: null }),
  close: () => ({ state: "closed" }),
};

/** Take a step with an alert; return whether the cloud has it. `failures` then says why not. */
export async function send(id, what, extra = {}) {
  const officer = await credentials();
  if (!officer) return false;
  failures.delete(id);
  const before = known.get(id);
  const guess = before && { ...before, ...expected[what](before, { ...officer, ...extra }), sending: what };
  if (guess) put([guess]);
  try {
    const { alert } = await deliver(id, what, extra, officer);
    if (alert) put([alert]);
    else if (known.get(id) === guess) put([{ ...guess, sending: undefined }]);
    emit("stepped", id);
    return true;
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error;
    failures.set(id, { what, extra, message: advice(error) });
    if (known.get(id)?.sending) put([before]); // nobody told us better meanwhile
    else emit("alerts", new Set([id]));
    return false;
  }
}

/** Send; a wrong token is asked for again until it is right or nobody wants to say it. */
async function deliver(id, what, extra, officer) {
  try {
    const answer = await api.step(id, what, { who: officer.who, ...extra }, officer.token);
    return { alert: answer.id === id ? answer : null };
  } catch (error) {
    if (error.status !== WRONG_TOKEN) throw error;
    forgetToken();
    const again = await credentials({ advice: t("wrong_token") });
    if (!again) throw error;
    return deliver(id, what, extra, again);
  }
}

function advice(error) {
  if (error.status === WRONG_TOKEN) return t("not_sent_token");
  if (error.status === 0) return t("not_sent_link");
  return t("not_sent", { reason: [error.message, error.remedy].filter(Boolean).join(" · ") });
}
