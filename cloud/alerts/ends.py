"""The quiet end: one line for what was told and is over for good, and nothing for the rest. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from cloud.alerts.alert import Alert
from cloud.alerts.book import Draft
from cloud.alerts.facts import Facts, Group
from cloud.alerts.hush import maintained
from cloud.alerts.notice import Reason


def tell_ends(
    draft: Draft, idents: Iterable[int], facts: Facts, looks: dict[int, int], waiting: set[int]
) -> None:
    """Tell what is over once it has been over for a while, and settle it.

    What came back meanwhile goes on as another alert (`follows`), which inherits who has to hear of its end.
    """
    groups: dict[Group, list[Alert]] = {}
    for ident in idents:
        alert = draft.get(ident)
        if alert is None or alert.lasts or alert.settled or ident in waiting:
            continue
        due_ms = _due_ms(alert, facts)
        if alert.episode.live and due_ms > draft.now_ms:
            looks[ident] = due_ms
            continue
        for channel in _to_tell(alert, draft, facts):
            group = Group(channel, alert.episode.rule, facts.district(alert))
            groups.setdefault(group, []).append(alert)
        draft.put(replace(draft.get(ident) or alert, settled=True))
    for group, alerts in groups.items():
        level = max(alert.episode.highest for alert in alerts)
        draft.tell(group.channel, Reason.RESOLVED, level, [alert.id for alert in alerts])
        for alert in alerts:
            known = draft.get(alert.id) or alert
            draft.put(replace(known, over_told=(*known.over_told, group.channel)))


def _due_ms(alert: Alert, facts: Facts) -> int:
    """Return when an end may be told: on the next full window, so that many ends make one message."""
    due_ms = (alert.over_ms or 0) + round(facts.config.settle_s * 1_000)
    window_ms = round(facts.config.group_window_s * 1_000)
    return -(-due_ms // window_ms) * window_ms if window_ms else due_ms


def _to_tell(alert: Alert, draft: Draft, facts: Facts) -> list[str]:
    """Return the channels that have to hear of an end."""
    over_ms = alert.over_ms or draft.now_ms
    if not alert.episode.live or alert.closed_ms is not None or alert.cause is not None or alert.mutes(over_ms):
        return []
    if maintained(alert, draft.book.windows.values(), facts, over_ms) is not None:
        return []
    told = [*alert.told]
    if alert.told_by_gateway and not alert.end_told_by_gateway:
        told += [channel for channel, _ in facts.wanted(alert, draft.now_ms) if channel not in told]
    told = [channel for channel in told if channel not in alert.over_told]
    for other in draft.of(alert.subject):
        if other.id != alert.id and other.episode.live and (other.lasts or other.follows == alert.id):
            _hand_over(draft, alert, other)
            return []
    return told


def _hand_over(draft: Draft, alert: Alert, other: Alert) -> None:
    """Let those who were told of an alert hear of the end of the one that goes on."""
    missing = {channel: mark for channel, mark in alert.told.items() if channel not in other.told}
    if missing and other.lasts:
        draft.put(replace(other, told={**other.told, **missing}))
