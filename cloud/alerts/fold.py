"""Root cause first: a node is not silent by itself while the gateway that hears it is lost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from cloud.alerts.alert import CITY, Alert, Step
from cloud.alerts.book import Draft
from cloud.alerts.facts import LOST, SILENCE, Facts


def fold(draft: Draft, idents: Iterable[int], facts: Facts) -> list[int]:
    """Fold silences under the loss of their gateway, and take them out when it is back, with a grace.

    Return what has to be looked at: these alerts, and where one of them is a lost gateway, its nodes' silences.
    """
    found = dict.fromkeys(idents)
    gateways = {
        alert.episode.node for ident in found if (alert := draft.get(ident)) and alert.episode.rule == LOST
    }
    if gateways:
        for alert in draft.all():
            if _is_silence(alert) and (facts.gateway(alert) in gateways or alert.cause is not None):
                found[alert.id] = None
    for ident in found:
        silence = draft.get(ident)
        if silence is not None and _is_silence(silence):
            _fold(draft, silence, facts)
    return list(found)


def _is_silence(alert: Alert) -> bool:
    return alert.episode.quantity == SILENCE and alert.episode.rule != LOST and alert.lasts


def _fold(draft: Draft, alert: Alert, facts: Facts) -> None:
    cause = next((lost for lost in draft.of((LOST, facts.gateway(alert))) if lost.lasts), None)
    if cause is not None and alert.cause != cause.id:
        draft.put(
            replace(alert, cause=cause.id), [Step(alert.id, draft.now_ms, CITY, "folded", f"#{cause.id}")]
        )
    elif cause is None and alert.cause is not None:
        grace_ms = draft.now_ms + round(facts.config.return_grace_s * 1_000)
        steps = [Step(alert.id, draft.now_ms, CITY, "unfolded", f"#{alert.cause}")]
        draft.put(replace(alert, cause=None, waits_until_ms=grace_ms), steps)
