"""Escalation: when nobody acknowledges what was told, others are told, step by step. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from cloud.alerts.alert import Alert, Mark
from cloud.alerts.book import Draft
from cloud.alerts.facts import Facts, Group
from cloud.alerts.hush import hushed_until_ms
from cloud.alerts.notice import Reason


def escalate(draft: Draft, idents: Iterable[int], facts: Facts, looks: dict[int, int]) -> None:
    """Tell the next ones of what was told, lasts, and was not acknowledged for so long; a group at once."""
    window_ms = round(facts.config.group_window_s * 1_000)
    due: dict[tuple[int, Group], list[Alert]] = {}
    soon: dict[tuple[int, Group], list[Alert]] = {}
    for ident in idents:
        alert = draft.get(ident)
        if alert is None or not _may_escalate(alert, draft, facts):
            continue
        since_ms = told_since_ms(alert)
        for number, step in enumerate(facts.config.escalations):
            done = alert.escalated.get(str(number), 0) >= alert.episode.highest
            covered = step.selector.covers(alert.episode, facts.node(alert))
            if since_ms is None or done or not covered or alert.episode.highest < step.level:
                continue
            due_ms = since_ms + round(step.after_min * 60_000)
            if due_ms > draft.now_ms:
                looks[alert.id] = min(looks.get(alert.id, due_ms), due_ms)
            for channel in step.channels:
                key = number, Group(channel, alert.episode.rule, facts.district(alert))
                if due_ms <= draft.now_ms:
                    due.setdefault(key, []).append(alert)
                elif due_ms <= draft.now_ms + window_ms:
                    soon.setdefault(key, []).append(alert)
    for key, alerts in due.items():
        _tell(draft, *key, [*alerts, *soon.get(key, ())])


def told_since_ms(alert: Alert) -> int | None:
    """Return since when somebody knows how bad it is, None if nobody was told."""
    times = [mark.time_ms for mark in alert.told.values() if mark.level >= alert.episode.highest]
    if alert.told_by_gateway >= alert.episode.highest:
        times.append(alert.risen_ms)
    return min(times, default=None)


def _may_escalate(alert: Alert, draft: Draft, facts: Facts) -> bool:
    if not alert.is_open or alert.acknowledged_by is not None:
        return False
    return hushed_until_ms(alert, draft.book.windows.values(), facts, draft.now_ms) is None


def _tell(draft: Draft, number: int, group: Group, alerts: list[Alert]) -> None:
    worst = max(alerts, key=lambda alert: (alert.episode.highest, -alert.id))
    rest = [alert.id for alert in alerts if alert.id != worst.id]
    draft.tell(group.channel, Reason.ESCALATED, worst.episode.highest, [worst.id, *rest], was=number + 1)
    for alert in alerts:
        known, mark = draft.get(alert.id) or alert, Mark(alert.episode.highest, draft.now_ms)
        escalated = {**known.escalated, str(number): int(mark.level)}
        if known.told_level(group.channel) < mark.level or group.channel not in known.told:
            known = replace(known, told={**known.told, group.channel: mark})
        draft.put(replace(known, escalated=escalated))
